"""The sandbox's lead fields as typed columns, by real runs: values, what is new and gone, and that no value is told."""

import datetime as dt
import json
import re
import stat

import dagster as dg
import pytest

from herobase_pipeline.assets.derived import ANEW
from herobase_pipeline.erasing.procedure import erase
from herobase_pipeline.erasing.requests import Request
from herobase_pipeline.fields import projection
from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import read_declarations
from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import view
from herobase_pipeline.lake.engine import connect
from herobase_pipeline.lake.identity import claim
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.writing import write
from herobase_pipeline.settings import SANDBOX_FIELDS
from herobase_pipeline.tables import LEAD_DATA, LEAD_FIELDS, SIMPLE_LEADS
from herobase_pipeline_tests.conftest import ASSETS, CHECKS, failure

KEY = "private/lead_fields"
ASSET = dg.AssetKey(["private", "lead_fields"])


@pytest.fixture
def declared(centre, tmp_path):
    """A factory of call centres whose fields are declared by the sandbox's files, in a folder to change."""
    folder = tmp_path / "fields"
    folder.mkdir()
    for path in SANDBOX_FIELDS.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())

    def start(**settings):
        here = centre(calls_per_day=150, settings={"fields_dir": folder}, **settings)
        here.load("simple_leads", "2026-11-17", "2026-11-18")
        return here, folder

    return start


def rows(here):
    """The rows of lead_fields, by lead."""
    table = typed(read_declarations(here.settings.declared_fields, LEAD_FIELDS.names))
    return {row[0]: dict(zip(table.names, row, strict=True)) for row in here.rows(view(here.lake, table))}


def told(here):
    record = here.instance.fetch_materializations(ASSET, limit=1).records[0]
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def check(here):
    (definition,) = [each for each in CHECKS if any(key.name == "fields_declared" for key in each.check_keys)]
    result = dg.materialize(
        [*ASSETS, definition],
        selection=dg.AssetSelection.checks(*definition.check_keys),
        resources={"settings": here.settings},
        instance=here.instance,
    )
    return result.get_asset_check_evaluations()[0]


def danish(text):
    """A Danish number, read another way."""
    return float(text.replace(".", "").replace(",", "."))


def day(text):
    return dt.date(*map(int, reversed(text.split("-"))))


READERS = {
    "meeting_date": ("Mødedato", day),
    "age": ("age", danish),
    "subscriptions": ("Antal abonnementer", danish),
    "sold_5g": ("5GI salg", {"Ja": True, "Nej": False}.get),
    "monthly_price": ("Månedspris", danish),
    "born_on": ("Fødselsdato", day),
    "fund_sold": ("A-kasse salg", {"Ja": True, "Nej": False}.get),
    "salary_insured": ("Lønsikring", {"Ja": True, "Nej": False}.get),
    "insured_sum": ("Dækningssum", danish),
    "opp": ("OPP", lambda text: None if text == "n/a" else danish(text)),
}
BY_DEFINITION = {
    "cusPOSTNR": "moedebooking",
    "Månedspris": "telefoni",
    "OPP": "a-kasse",
    "Årsag til opkald": "indgaaende",
}


def test_every_lead_has_the_typed_values_of_the_worlds_text(declared):
    here, _ = declared()
    here.load(KEY)
    found, window = rows(here), here.window("2026-11-17", "2026-11-18")
    leads = here.world.leads(here.now, window.start, window.end)
    world = {lead.id: lead for lead in leads if lead.id == here.called(lead)}
    latest = dict(here.rows("SELECT lead_id, arg_max(data, last_modified_at) FROM lead_data GROUP BY 1"))
    assert found.keys() == world.keys() == latest.keys()
    read = 0
    for lead_id, row in found.items():
        fields = json.loads(latest[lead_id])
        by = next((name for key, name in BY_DEFINITION.items() if key in fields), row["declaration"])
        assert (row["declaration"], row["declaration_version"]) == (by, 1)
        assert row["last_modified_at"] == world[lead_id].last_modified
        for column, (field, convert) in READERS.items():
            text = fields.get(field, "")
            expected = convert(text) if text else None
            assert row[column] == expected, (column, text)
            assert row[f"{column}_raw"] == (text if text and expected is None else None)
            read += expected is not None
        result = next((fields[name] for name in ("Resultat", "Afslutning", "Leadudfald") if name in fields), "")
        assert row["result"] == (result or None)
    assert read > 200
    numbers = told(here)
    unreadable = sum(row["opp_raw"] is not None for row in found.values())
    assert numbers["unreadable/opp"] == numbers["unreadable_values"] == unreadable > 0
    assert numbers["leads_without_declaration"] == numbers["new_fields"] == numbers["vanished_fields"] == 0
    assert numbers["dagster/row_count"] == len(found)
    shown = [column.name for column in numbers["dagster/column_schema"].columns]
    assert shown == typed(read_declarations(SANDBOX_FIELDS)).names
    assert check(here).passed


def test_it_is_private_and_no_value_is_told(declared, capfd):
    here, folder = declared()
    text = (folder / "telefoni.toml").read_text(encoding="utf-8")
    wrong = re.sub(r'column = "(customer_id|notes|lead_type)"', r'column = "not_\1", type = "number"', text)
    (folder / "telefoni.toml").write_text(wrong, encoding="utf-8")
    here.load(KEY)
    assert told(here)["unreadable/not_lead_type"] > 0
    check(here)
    for path in (here.lake.folder(LEAD_FIELDS), here.lake.file(LEAD_FIELDS)):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    values = {
        value.strip()
        for (data,) in here.rows("SELECT data FROM lead_data")
        for value in json.loads(data).values()
        if len(value.strip()) > 5 and value not in ("Survey", "Positiv", "Adresse")
    }
    values |= {value for row in rows(here).values() for name, value in row.items() if name.endswith("_raw") and value}
    values -= {"ok", "n/a"}
    assert len(values) > 200
    runs = [str(entry) for run in here.instance.get_runs() for entry in here.instance.all_logs(run.run_id)]
    everything = "\n".join([*runs, *capfd.readouterr()])
    assert not [value for value in values if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", everything)]
    assert here.lake.catalogue.exists() is False or b"lead_fields" not in here.lake.catalogue.read_bytes()


def test_t32_new_renamed_and_vanished_fields_are_told_and_nothing_is_lost(declared):
    here, folder = declared()
    path = folder / "a-kasse.toml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace('"OPP" = {', '"Opp 2025" = {').replace('"Partner-id"', '" partner-ID "')
    path.write_text(changed.replace('"Navn1", ', ""), encoding="utf-8")
    (folder / "indgaaende.toml").unlink()
    here.load(KEY)
    numbers = told(here)
    assert (numbers["new_fields"], numbers["vanished_fields"]) == (2, 1)
    assert numbers["leads_without_declaration"] == sum(r["declaration"] is None for r in rows(here).values()) > 0
    assert any(row["partner_id"] for row in rows(here).values())
    found = check(here)
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    listed = found.metadata["days"].value
    leads = sum(row["declaration"] == "a-kasse" for row in rows(here).values())
    erased = here.rows("SELECT count(*) FROM lead_data WHERE data = '{}'")[0][0]
    counts = [int(n) for n in re.findall(r"new field (?:OPP|Navn1) on (\d+) leads", listed)]
    assert len(counts) == 2
    assert all(leads - erased <= count <= leads for count in counts)
    assert "a-kasse: no field Opp 2025 any more" in listed
    assert "no declaration for the campaign INDGÅENDE" in listed
    assert here.rows("""SELECT count(*) > 0 FROM lead_data WHERE data LIKE '%"OPP"%'""") == [(True,)]

    renamed = text.replace('"OPP" = { ', '"Opp 2025" = { formerly = ["opp"], ')
    path.write_text(renamed, encoding="utf-8")
    (folder / "indgaaende.toml").write_bytes((SANDBOX_FIELDS / "indgaaende.toml").read_bytes())
    here.load(KEY)
    assert any(row["opp"] for row in rows(here).values())
    assert check(here).passed


def test_a_wrong_file_fails_the_run_with_a_sentence_and_what_was_there_stays(declared):
    here, folder = declared()
    here.load(KEY)
    before = here.lake.file(LEAD_FIELDS).read_bytes()
    path = folder / "a-kasse.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"opp", type = "number"', '"opp", type = "nummer"'), encoding="utf-8"
    )
    result = here.materialize(KEY)
    assert not result.success
    assert f"{path}: field \"OPP\": type must be 'text', 'number', 'date', 'flag' or 'instant'." in failure(result)
    assert here.lake.file(LEAD_FIELDS).read_bytes() == before
    failed = check(here)
    assert not failed.passed
    assert "type must be" in failed.description


def test_who_was_erased_is_gone_although_a_file_is_wrong(declared):
    here, folder = declared()
    here.load(KEY)
    before = rows(here)
    lead_id = next(lead for lead, row in before.items() if row["result"])
    versions = here.lake.file(SIMPLE_LEADS, dt.date(2026, 11, 18))
    with connect(here.settings.zone, here.lake.root) as con:
        of_day = f"read_parquet('{versions}', hive_partitioning = false)"
        later = f"SELECT * REPLACE ('{lead_id}' AS lead_id, 'Anonymized' AS status) FROM (FROM {of_day} LIMIT 1)"
        write(
            claim(here.lake, here.settings),
            con,
            SIMPLE_LEADS,
            f"FROM {of_day} UNION ALL {later}",
            day=dt.date(2026, 11, 18),
        )
    (folder / "wrong.toml").write_text("version = 1")
    assert not here.materialize(KEY).success
    after = rows_of(here, folder)
    assert after == {lead: row for lead, row in before.items() if lead != lead_id}


def rows_of(here, folder):
    """The rows as the files were before one of them went wrong."""
    (folder / "wrong.toml").unlink()
    return rows(here)


def test_keys_in_lower_case_are_the_same_fields(declared):
    here, folder = declared()
    for path in folder.glob("*.toml"):
        path.write_text(
            re.sub(
                r'^"(.*?)" =', lambda m: f'" {m[1].upper()}" =', path.read_text(encoding="utf-8"), flags=re.MULTILINE
            ),
            encoding="utf-8",
        )
    here.load(KEY)
    assert any(row["meeting_date"] for row in rows(here).values())
    assert told(here)["new_fields"] == told(here)["vanished_fields"] == 0


def test_without_its_sources_it_says_what_to_do_first(centre):
    sentence = failure(centre().materialize(KEY))
    assert (
        "lead_fields cannot be made: lead_data or search_lead_data or raw_leads is not loaded for any day." in sentence
    )


def numbers(here):
    """What the UI shows of the fields, apart from when."""
    return {name: value for name, value in told(here).items() if not name.startswith("dagster/column")}


@pytest.mark.parametrize("raw_leads", [False, True])
def test_increments_are_what_a_full_rebuild_makes(declared, raw_leads):
    here, folder = declared()
    if raw_leads:
        here.settings = here.settings.model_copy(update={"raw_leads": True})
    pulled = "simple_leads,private/lead_data,calls,private/call_phones" + (",private/raw_leads" if raw_leads else "")

    def compare():
        here.load(KEY)
        by_changes = rows(here), numbers(here)
        result = here.materialize(KEY, tags={ANEW: "true"})
        assert result.success, failure(result)
        assert (rows(here), numbers(here)) == by_changes
        assert notes.read(here.lake, "rebuilt")["lead_fields"]["different"] == []

    compare()
    for day in ("2026-11-19", "2026-11-16", "2026-11-18"):  # new, earlier, and again
        here.load(pulled, day)
        compare()
    if raw_leads:  # what follows is the same with them
        return
    text = (folder / "telefoni.toml").read_text()
    (folder / "telefoni.toml").write_text(text.replace('"Kampagne" =', '"Kampanje" ='))  # one is new, one has vanished
    compare()
    here.load(pulled, "2026-11-20")
    compare()
    assert numbers(here)["vanished_fields"] == 1
    ((lead, data),) = here.rows("SELECT lead_id, data FROM lead_data WHERE data LIKE '%Kampagne%' ORDER BY ALL LIMIT 1")
    lake = claim(here.lake, here.settings)
    with spool(lake) as aside, connect(here.settings.zone, aside) as con:
        row = {**json.loads(data), "Helt nyt": "x"}
        text = json.dumps(row).replace("'", "''")
        write(
            lake, con, LEAD_DATA, f"FROM seen UNION ALL BY NAME SELECT '{lead}' AS lead_id, now() AS last_modified_at, "
            f"'{text}' AS data", day=dt.date(2026, 11, 20),
        )  # fmt: skip
    compare()
    assert numbers(here)["new_fields"] == 2
    erase(lake, here.settings.zone, [Request("lead", lead, "list", here.now)])
    compare()
    assert numbers(here)["new_fields"] == 1
    assert lead not in rows(here)


def test_a_day_that_brings_nothing_reads_no_lead_again(declared, monkeypatch):
    here, _ = declared()
    here.load(KEY)
    monkeypatch.setattr(projection, "gather", lambda *_: pytest.fail("everything was made anew"))
    here.load("simple_leads", "2026-11-19")  # which erases some leads too
    here.load(KEY)
    here.load(KEY)
    assert len(rows(here)) == here.rows("SELECT count(DISTINCT lead_id) FROM lead_data")[0][0]


@pytest.mark.parametrize("lost", [".known", "note"])
def test_what_is_lost_costs_time_and_nothing_else(declared, lost):
    here, _ = declared()
    here.load(KEY)
    if lost == "note":
        (here.lake.root / "lake" / ".notes" / "made_lead_fields.json").write_text("{}")
    else:
        here.lake.known(LEAD_FIELDS).write_bytes(b"PAR1 not really")
    here.load("simple_leads", "2026-11-19")
    here.load(KEY)
    found = rows(here), numbers(here)
    assert here.materialize(KEY, tags={ANEW: "true"}).success
    assert (rows(here), numbers(here)) == found
    assert stat.S_IMODE(here.lake.known(LEAD_FIELDS).stat().st_mode) == 0o600
