"""No customer's number, name or field outside ``data/private``, and no password anywhere."""

import json
import re
import stat
from pathlib import Path

import dagster as dg
import duckdb

from herobase_pipeline.tables import TABLES
from herobase_pipeline_tests.conftest import WHOLE

NAMES = (("cusFornavn", "Forename"), ("cusEfternavn", "Lastname"))
SEARCHES = ("api_import_export",)
EXPORTS = "search_leads,private/search_rows,private/raw_leads"
SECRETS = ("the sandbox's password", "the key for phone tokens")


def spellings(phone: str) -> set[str]:
    national = re.sub(r"\D", "", phone).removeprefix("00").removeprefix("45")
    return {national, " ".join(re.findall("..", national))}


def test_no_customer_and_no_secret_leaves_the_private_zone(centre, tmp_path: Path, capfd):
    named = {"saved_searches": SEARCHES, "saved_searches_csv": SEARCHES, "raw_leads": True}
    here = centre(calls_per_day=60, unknown_fields=True, password=SECRETS[0], settings={"pii_key": SECRETS[1], **named})
    home = tmp_path / ".dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        here.instance = instance
        here.sandbox.script("/simpleleads cut=0.5 times=1", "/calls html times=1")
        here.load(f"calls,simple_leads,call_outcomes,{EXPORTS}", "2026-11-17", "2026-11-18")
        here.load(WHOLE)
        here.sandbox.script("/simpleleads cut=0.5", "/leads/csv truncate=0.7", "/rawleads truncate=0.7")
        for export in ("simple_leads", "private/search_rows", "private/raw_leads"):
            assert not here.materialize(export, "2026-11-17").success

    customers: set[str] = set()
    for (phone,) in here.rows("SELECT phone FROM call_phones WHERE phone IS NOT NULL"):
        customers |= spellings(phone)
    for (data,) in here.rows("SELECT data FROM lead_data WHERE data <> '{}'"):
        fields = json.loads(data)
        customers |= {
            fields[key] for key in fields if re.search("adresse|mail", key, re.IGNORECASE) and len(fields[key]) > 5
        }
        forename, surname = (next((fields[key] for key in names if key in fields), "") for names in NAMES)
        customers |= {f"{forename} {surname}"} if forename and surname else set()
        for key, value in fields.items():
            if (
                re.search("telefon|phone|kontaktnummer|contact_number", key, re.IGNORECASE)
                and len(re.sub(r"\D", "", value)) >= 8
            ):
                customers |= spellings(value)
    customers -= {name for (name,) in here.rows("SELECT name FROM users")}
    assert len(customers) > 100

    printed = "".join(capfd.readouterr())
    state = {str(path): path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file()}
    for where, text in {"the terminal": printed, **state}.items():
        assert not [found for found in customers if found in text or found.encode().decode("latin-1") in text], where
        assert not [secret for secret in SECRETS if secret in text], where
    for table in TABLES:
        if not table.private:
            values = here.rows(
                f'SELECT {", ".join(f"{c}::VARCHAR" for c in columns_of(here, table.name))} FROM "{table.name}"'
            )
            text = "\n".join(str(value) for row in values for value in row)
            assert not [
                found for found in customers if re.search(rf"(?<![0-9a-f]){re.escape(found)}(?![0-9a-fS])", text)
            ], table.name
            assert not [secret for secret in SECRETS if secret in text], table.name
    assert not [found for found in customers if found.encode() in here.lake.catalogue.read_bytes()]


def columns_of(here, table: str) -> list[str]:
    return [f'"{name}"' for name, *_ in here.rows(f'DESCRIBE "{table}"')]


def test_the_private_zone_is_the_owners_alone(centre):
    here = centre()
    here.load("calls,simple_leads", "2026-11-18")
    private = here.lake.root / "private"
    for path in [private, *private.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    with duckdb.connect(here.lake.catalogue, read_only=True) as con:
        views = {name for (name,) in con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}
    assert views.isdisjoint({table.name for table in TABLES if table.private})


def test_t34_a_token_is_one_for_all_spellings_and_tells_nothing_without_the_key(centre):
    one, other = centre(data="one"), centre(data="other", settings={"pii_key": "another key"})
    for here in (one, other):
        here.load("calls", "2026-11-18")
    tokens = [
        dict(here.rows("SELECT call_id, phone_token FROM calls WHERE phone_token IS NOT NULL")) for here in (one, other)
    ]
    assert tokens[0].keys() == tokens[1].keys()
    assert set(tokens[0].values()).isdisjoint(tokens[1].values())
