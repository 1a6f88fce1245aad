"""``make fields``: what it proposes is what the world's lead definitions are, works as it stands, and tells no value."""

import json
import re
import unicodedata

import dagster as dg
import pytest

from herobase_pipeline.fields import proposals as command
from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import Kind, declaration, normal, read_declarations
from herobase_pipeline.fields.projection import project
from herobase_pipeline.fields.proposals import main, slug, unique
from herobase_pipeline.sandbox.fields import DEFINITIONS
from herobase_pipeline.settings import SANDBOX_FIELDS, Settings
from herobase_pipeline.tables import LEAD_DATA, LEAD_FIELDS, SIMPLE_LEADS
from herobase_pipeline_tests.hostile import hostile
from herobase_pipeline_tests.tables.making import DAY, ZONE, at, fill, temporary_lake, version

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
    monkeypatch.setattr(command.Settings, "load", classmethod(lambda _: chosen))
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


def test_names_types_and_order_come_from_the_lead_definitions_where_there_are_any(here, tmp_path):
    here.load("lead_definitions")
    assert main(["--to", str(tmp_path / "fields")]) == 0
    found = read_declarations(tmp_path / "fields", LEAD_FIELDS.names)
    definitions = {frozenset(normal(f.name) for f in fields): (name, fields) for name, fields in DEFINITIONS}
    for each in found:
        name, fields = definitions[frozenset(each.known - {"orderid"})]
        assert name in (tmp_path / "fields" / f"{each.name}.toml").read_text(encoding="utf-8").splitlines()[0]
        assert [field for field in each.fields if field != "OrderId"] == [field.name for field in fields]
        for field in fields:
            guessed = Kind.FLAG if field.name in FLAGS else Kind.TEXT  # of a choice the definition does not say
            assert each.fields[field.name].type is (KINDS.get(field.kind) or guessed), field.name
        assert list(each.fields)[len(fields) :] in ([], ["OrderId"])  # which the definition does not have


@pytest.mark.parametrize(
    "keys", [("caption", "fieldName", "dataType", "order"), ("name", "importName", "type", "position")]
)
def test_definitions_are_read_whatever_their_members_are_called(centre, monkeypatch, tmp_path, keys):
    def renamed(path, _, records):
        if path != "/leaddefinitions":
            return records
        shown, imported, type_, order = keys
        return [
            {
                "id": definition["uniqueId"],
                "name": definition["name"],
                "tags": ["a"],
                "fields": [
                    {
                        shown: f["name"].upper(),
                        imported: f["name"],
                        type_: {"name": "Decimal"} if f["name"] == "OPP" else f["type"],
                        order: f["sortOrder"],
                    }
                    for f in reversed(definition["entries"])
                ],
            }
            for definition in records
        ]

    here = centre(calls_per_day=400)
    with hostile(here.sandbox.url, renamed) as url:
        here.at(url).load("lead_definitions")
    here.load("simple_leads", "2026-11-17", "2026-11-18")
    (tmp_path / "none").mkdir()
    use(monkeypatch, here, tmp_path / "none")
    assert main(["--to", str(tmp_path / "fields")]) == 0
    found = read_declarations(tmp_path / "fields", LEAD_FIELDS.names)
    (fund,) = (each for each in found if "OPP" in each.fields)
    assert fund.fields["OPP"].type is Kind.NUMBER
    assert [name for name in fund.fields if name != "OrderId"] == [field.name for field in DEFINITIONS[2][1]]


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
    assert "Materialize lead_data or search_lead_data or raw_leads first." in capsys.readouterr().err


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


def proposals(leads, folder, monkeypatch, *arguments):
    """What the command says to leads, each (campaign code, data, customData), and whether what it wrote can be used."""
    with temporary_lake() as lake:
        named = [(str(n), *given) for n, given in enumerate(leads)]
        fill(
            lake,
            SIMPLE_LEADS,
            [version(at("10:00"), i, campaign_code=code, campaign_id=None) for i, code, *_ in named],
            DAY,
        )
        given = [{"lead_id": i, "last_modified_at": at("10:00"), "data": d, "custom_data": c} for i, _, d, c in named]
        fill(lake, LEAD_DATA, given, DAY)
        folder.mkdir(exist_ok=True)
        chosen = Settings(data_dir=lake.root, fields_dir=folder)
        monkeypatch.setattr(command.Settings, "load", classmethod(lambda _: chosen))
        assert main(["--to", str(folder), *arguments]) == 0
        written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.toml")}
        files = read_declarations(folder, LEAD_FIELDS.names)
        made = project(lake, ZONE, files)
        again = folder.with_name("again")
        assert main(["--to", str(again)]) == 0
        assert list(again.glob("*.toml")) == []
        return written, files, made


@pytest.mark.parametrize(
    "leads",
    [
        [("One", '{"":"x"," ":"y","A":"1"}', None)],
        [("One", '{"x raw raw":"1","x":"2","x Raw":"3"}', None)],
        [("One", json.dumps({'a\x7f\u0001"b': "1"}), None), ("T\x7fo", '{"B":"1"}', None)],
        [("AB", '{"A":"1"}', None), ("ab", '{"B":"1"}', None), (" Ab ", '{"C":"1"}', None)],
        [("A*", '{"A":"1"}', None), ("AB", '{"B":"1"}', None), ("C", '{"C":"1"}', None)],
        [("One", "{}", '{"A":"1"}')],
        [("One", '{"A":"1"}', '{"A":"2"}')],
        [("MB Ny", '{"A":"1"}', None), ("MB-Ny", '{"B":"1"}', None)],
        [("One", json.dumps({unicodedata.normalize(form, "Årsag"): "1" for form in ("NFC", "NFD")}), None)],
    ],
)
def test_what_it_proposes_can_be_used_and_leaves_nothing_to_propose(leads, tmp_path, monkeypatch):
    written, files, made = proposals(leads, tmp_path / "proposed", monkeypatch)
    assert written
    assert sum(len(each.fields) for each in files) >= 1
    assert made.undeclared_rows == 0
    assert max(map(int, re.findall(r"(\d+)% filled", "".join(written.values())))) <= 100


def test_a_field_that_is_dropped_where_it_is_declared_is_another_column_where_it_is_proposed(tmp_path, monkeypatch):
    (tmp_path / "proposed").mkdir()
    (tmp_path / "proposed/one.toml").write_text(
        'version = 1\ncampaigns = ["One"]\n[fields]\n"OPP" = { column = "opp", type = "number", unreadable = "drop" }\n'
    )
    leads = [("One", '{"OPP":"1"}', None), ("Two", '{"OPP":"1","B":"2"}', None)]
    _, files, _ = proposals(leads, tmp_path / "proposed", monkeypatch)
    assert [(each.name, each.fields["OPP"].column) for each in files] == [("one", "opp"), ("two", "opp_2")]


def test_the_same_leads_make_the_same_files(tmp_path, monkeypatch):
    leads = [(code, f'{{"{code}":"1"}}', None) for code in ("North", "South", "East", "West", "Nord", "Syd")]
    found = [proposals(leads[::step], tmp_path / f"{step}", monkeypatch)[0] for step in (1, -1)]
    assert found[0] == found[1]


def test_leads_without_a_campaign_are_told(tmp_path, monkeypatch, capsys):
    proposals(
        [("One", '{"A":"1"}', None), (None, '{"B":"1"}', None), (" ", '{"B":"1"}', None)], tmp_path / "p", monkeypatch
    )
    assert "2 leads have no campaign, so no file can be for them." in capsys.readouterr().err
