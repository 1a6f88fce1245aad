"""``make fields``: what it proposes is what the world's lead definitions are, works as it stands, and tells no value."""

import json
import re

import dagster as dg
import pytest

from herobase_pipeline import proposing
from herobase_pipeline.declarations import Kind, declaration, normal, read_declarations
from herobase_pipeline.proposing import main, slug, unique
from herobase_pipeline.sandbox.fields import DEFINITIONS
from herobase_pipeline.settings import SANDBOX_FIELDS, Settings
from herobase_pipeline.tables import LEAD_FIELDS
from herobase_pipeline.tables.lead_fields import typed

KINDS = {"Date": Kind.DATE, "Integer": Kind.NUMBER, "Decimal": Kind.NUMBER}
LEAD_FIELDS_KEY = dg.AssetKey(LEAD_FIELDS.key)
FLAGS = {"5GI salg", "A-kasse salg", "Lønsikring"}


@pytest.fixture
def here(centre, tmp_path, monkeypatch):
    """A call centre whose leads are loaded, and whose settings the command finds."""
    here = centre(calls_per_day=400)
    here.load("simple_leads", "2026-11-17", "2026-11-18")
    empty = tmp_path / "fields"
    empty.mkdir()
    use(monkeypatch, here, empty)
    return here


def use(monkeypatch, here, folder):
    chosen = here.settings.model_copy(update={"fields_dir": folder})
    here.settings = chosen
    monkeypatch.setattr(proposing.Settings, "load", classmethod(lambda _: chosen))
    assert Settings.load() is chosen


def test_it_proposes_the_worlds_lead_definitions(here, tmp_path, capsys):
    assert main(["--to", str(tmp_path / "fields")]) == 0
    found = read_declarations(tmp_path / "fields", LEAD_FIELDS.names)
    definitions = {frozenset(normal(f.name) for f in fields): fields for _, fields in DEFINITIONS}
    assert len(found) == len(definitions)
    for each in found:
        fields = definitions[frozenset(each.known - {"orderid"})]
        assert each.locale == "da"
        for field in fields:
            guessed = each.fields[field.name].type
            wanted = Kind.FLAG if field.name in FLAGS else KINDS.get(field.kind, Kind.TEXT)
            if field.name == "OPP":  # a third of its values is n/a
                wanted = Kind.TEXT
            if field.name in ("Partner-id", "Medlemsnummer"):  # short ids, which look like numbers
                wanted = Kind.NUMBER
            assert guessed is wanted, field.name
    codes = {code for each in found for code in each.campaigns}
    assert codes == {
        code for (code,) in here.rows("SELECT DISTINCT campaign_code FROM simple_leads WHERE status <> 'Anonymized'")
    }
    here.load("private/lead_fields")
    table = typed(found)
    assert len(table.names) == len(set(table.names))
    (told,) = here.instance.fetch_materializations(LEAD_FIELDS_KEY, limit=1).records
    assert told.asset_materialization.metadata["new_fields"].value == 0
    shown = capsys.readouterr()
    assert main([]) == 0
    assert "Every field of the loaded leads is declared." in capsys.readouterr().err
    assert shown.out == ""


def test_it_tells_no_value(here, capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "% filled, 100.0% of these read" in text
    values = {
        value.strip()
        for (data,) in here.rows("SELECT data FROM lead_data")
        for value in json.loads(data).values()
        if len(value.strip()) > 5
    }
    names = {field.name for _, fields in DEFINITIONS for field in fields}
    assert len(values) > 200
    assert not [v for v in values - names if re.search(rf"(?<!\w){re.escape(v)}(?!\w)", text)]


@pytest.mark.usefixtures("here")
def test_it_never_overwrites(tmp_path, capsys):
    assert main(["--to", str(tmp_path / "fields")]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "fields").iterdir()}
    capsys.readouterr()
    assert main(["--all", "--to", str(tmp_path / "fields")]) == 2
    assert "exists already, so nothing was written" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "fields").iterdir()} == before


def test_of_what_is_declared_it_proposes_what_is_new(here, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "fields"
    for path in SANDBOX_FIELDS.glob("*.toml"):
        lines = path.read_text(encoding="utf-8").replace('"Navn1", ', "").splitlines()
        (folder / path.name).write_text(
            "\n".join(line for line in lines if not line.startswith('"Dækningssum"')), encoding="utf-8"
        )
    use(monkeypatch, here, folder)
    assert main([]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0] == "# -- to add to a-kasse.toml --"
    assert [re.sub(r" *#.*", "", line) for line in lines[1:]] == [
        '"Dækningssum" = { column = "daekningssum", type = "number" }',
        '"Navn1" = { column = "navn1" }',
    ]


def test_without_leads_it_says_what_to_do(centre, monkeypatch, capsys, tmp_path):
    use(monkeypatch, centre(), tmp_path)
    assert main([]) == 2
    assert "Materialize simple_leads and lead_data first." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Mødedato", "moededato"),
        ("5GI salg", "f-5gi-salg"),
        ("Løn / år (kr.)", "loen-aar-kr"),
        ("???", "f"),
        ("x_raw", "x"),
    ],
)
def test_a_column_is_named_after_its_field(name, column):
    assert slug(name) == column


def test_a_name_that_is_taken_is_numbered():
    assert unique("x", {"x", "x_2"}) == "x_3"
    text = 'version = 1\ncampaigns = ["*"]\n[fields]\n"A \\"b\\" \\\\ c" = { column = "x" }'
    assert list(declaration("a", text.encode(), "a").fields) == ['A "b" \\ c']
