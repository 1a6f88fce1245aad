"""Files of declared fields: what they mean, and what is said of one that is wrong."""

import unicodedata
from pathlib import Path

import pytest

from herobase_pipeline.fields.columns import typed
from herobase_pipeline.fields.declarations import FieldsError, Kind, declaration, normal, pattern, read_declarations
from herobase_pipeline.settings import SANDBOX_FIELDS, Settings, SettingsError
from herobase_pipeline.tables import LEAD_FIELDS, Type

HEAD = 'version = 1\ncampaigns = ["*"]\n[fields]\n'


def read(text: str):
    return declaration("sales", text.encode(), "fields/sales.toml", LEAD_FIELDS.names)


def test_a_file_says_which_fields_become_which_columns():
    found = read(
        'version = 3\nprojects = ["Nysalg*"]\nlocale = "en"\nleft_out = ["Telefon"]\n[fields]\n'
        '"Mødedato" = { column = "meeting_date", type = "date", locale = "da", formerly = ["Dato"] }\n'
        '"OPP" = { column = "opp", type = "number", unreadable = "drop" }\n'
        '"Notater" = { column = "notes", description = "what was said" }\n'
    )
    assert (found.name, found.version, found.projects, found.locale) == ("sales", 3, ("Nysalg*",), "en")
    assert found.fields["Mødedato"].type is Kind.DATE
    assert found.known == {"mødedato", "dato", "opp", "notater", "telefon"}
    columns = {column.name: (column.type, column.description) for column in typed([found])}
    assert list(columns) == [*LEAD_FIELDS.names, "meeting_date", "meeting_date_raw", "opp", "notes"]
    assert columns["meeting_date"] == (Type.DAY, "the field “Mødedato”")
    assert columns["notes"] == (Type.TEXT, "what was said")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + '"OPP" = { column = "opp", type = "nummer" }', "field \"OPP\": type must be 'text', 'number', 'date'"),
        (HEAD + '"OPP" = { column = "opp", typ = "number" }', 'field "OPP": typ is nothing that this version knows.'),
        (HEAD + '"OPP" = { type = "number" }', 'field "OPP": column is missing.'),
        (HEAD + '"OPP" = "opp"', 'field "OPP": must be a table such as'),
        (HEAD + '"OPP" = { column = "Opp!" }', 'field "OPP": column must be a name of a-z'),
        (HEAD + '"OPP" = { column = "lead_id" }', 'field "OPP": the column lead_id is in the table already.'),
        (HEAD + '"OPP" = { column = "opp_raw" }', 'field "OPP": column must not end in _raw'),
        (HEAD + '"A" = { column = "x" }\n"B" = { column = "x" }', 'field "B": the column x is that of "A" too.'),
        (HEAD + '"A" = { column = "x" }\n" a " = { column = "y" }', '" a " and "A" are one field'),
        (HEAD + '"A" = { column = "x" }\n"A" = { column = "y" }', "is not TOML in UTF-8"),
        ('version = 1\n[fields]\n"A" = { column = "x" }', "it is for no lead"),
        ('version = 1\ncampaigns = "*"\n[fields]\n', "campaigns must be a list of texts"),
        ('campaigns = ["*"]\n[fields]\n', "version is missing."),
        ('version = 99999999999\ncampaigns = ["*"]\n[fields]\n', "version must be less than or equal to 1000000000."),
        ('version = 1\nname = "x"\ncampaigns = ["*"]\n[fields]\n', "name is nothing that this version knows"),
        ('version = 1\ncampaigns = ["One", " "]\n[fields]\n', "a pattern of campaigns or projects is empty"),
        (HEAD + 'left_out = ["A"]', "left_out belongs above [fields]"),
        ("version = " + "9" * 5_000, "is not TOML in UTF-8"),
        ("a = " + "[" * 5_000, "is not TOML in UTF-8"),
        ('version = 1\nlocale = "de"\ncampaigns = ["*"]\n[fields]\n', "locale must be 'da' or 'en'."),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_file_and_field(text, sentence):
    with pytest.raises(FieldsError) as raised:
        read(text)
    assert str(raised.value).startswith("fields/sales.toml")
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".")


def test_a_column_of_two_files_has_one_type(tmp_path: Path):
    (tmp_path / "a.toml").write_text(HEAD + '"A" = { column = "x", type = "number" }', encoding="utf-8")
    (tmp_path / "b.toml").write_text(HEAD + '"B" = { column = "x", type = "number" }', encoding="utf-8")
    assert typed(read_declarations(tmp_path)).names == [*LEAD_FIELDS.names, "x", "x_raw"]
    (tmp_path / "b.toml").write_text(HEAD + '"B" = { column = "x" }', encoding="utf-8")
    with pytest.raises(FieldsError, match=r"the column x is number, .* in a\.toml and text, .* in b\.toml"):
        read_declarations(tmp_path)


def test_the_sandboxs_files_are_not_those_of_a_real_account(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Settings(url=None).declared_fields == SANDBOX_FIELDS
    login = {"username": "a", "password": "b", "pii_key": "c"}
    real = Settings(url="https://x.herobase.com", **login)
    assert real.declared_fields == tmp_path / "fields"
    assert read_declarations(real.declared_fields) == ()
    assert Settings(fields_dir=tmp_path).declared_fields == tmp_path
    assert len(read_declarations(SANDBOX_FIELDS, LEAD_FIELDS.names)) == 4


def test_a_folder_that_is_named_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("HEROBASE_FIELDS_DIR", str(tmp_path / "feilds"))
    with pytest.raises(SettingsError, match=r"^HEROBASE_FIELDS_DIR: must be a folder that exists\.$"):
        Settings.load()


def test_spellings_of_one_sign_are_one():
    composed, decomposed = unicodedata.normalize("NFC", "Årsag"), unicodedata.normalize("NFD", "Årsag")
    assert composed != decomposed
    assert normal(composed) == normal(decomposed)
    assert pattern([composed]) == pattern([f" {decomposed} "])


def test_what_an_editor_leaves_beside_the_files_is_no_file(tmp_path):
    text = HEAD + '"A" = { column = "a" }'
    (tmp_path / "UPPER.TOML").write_text(text)
    (tmp_path / "._upper.toml").write_bytes(b"\x00\xff")
    (tmp_path / ".#upper.toml").symlink_to("nobody@nowhere")
    assert [each.name for each in read_declarations(tmp_path)] == ["UPPER"]
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(FieldsError, match=r"folder\.toml is no file that can be read"):
        read_declarations(tmp_path)
