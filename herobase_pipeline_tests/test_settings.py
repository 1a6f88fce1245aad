"""Settings: each from the environment or .env, repaired where people paste, refused in sentences without values."""

import datetime as dt
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from herobase_pipeline.settings import SANDBOX_PII_KEY, SandboxSettings, Settings, SettingsError

SECRET = "s3cret-Ø"
LOGIN = {"HEROBASE_USERNAME": "api@nord.example", "HEROBASE_PASSWORD": SECRET, "HEROBASE_PII_KEY": SECRET + "key"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.upper().startswith("HEROBASE")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def load(monkeypatch):
    def load(**environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings.load()

    return load


def refused(load, **environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(**environment)
    told = str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert told.endswith(".")
    return told


def test_defaults(load):
    settings = load()
    assert settings.url is None
    assert settings.data_dir == Path.cwd() / "data"
    assert settings.start_date == dt.date(2026, 1, 1)
    assert settings.timezone == settings.zone.key == "Europe/Copenhagen"
    assert settings.projects == ("*",)
    assert settings.org_codes == ()
    assert settings.call_org_field is None
    assert settings.phone_key == SANDBOX_PII_KEY.encode()
    assert settings.sandbox == SandboxSettings()


def test_each_setting_is_read(load):
    settings = load(
        **LOGIN,
        HEROBASE_URL="https://wshero01.herobase.com",
        HEROBASE_DATA_DIR="/srv/lake",
        HEROBASE_START_DATE="2025-07-01",
        HEROBASE_TIMEZONE="Europe/London",
        HEROBASE_PROJECTS="Nysalg*, client C - Mødebooking ,",
        HEROBASE_ORG_CODES="Nordic sales,Nord Forsikring A/S",
        HEROBASE_CALL_ORG_FIELD="orgHierarchy",
        HEROBASE_SANDBOX_SEED="7",
    )
    assert settings.url == "https://wshero01.herobase.com/api"
    assert settings.username == "api@nord.example"
    assert settings.password.get_secret_value() == SECRET
    assert settings.data_dir == Path("/srv/lake")
    assert settings.start_date == dt.date(2025, 7, 1)
    assert settings.zone.key == "Europe/London"
    assert settings.projects == ("Nysalg*", "client C - Mødebooking")
    assert settings.org_codes == ("Nordic sales", "Nord Forsikring A/S")
    assert settings.call_org_field == "orgHierarchy"
    assert settings.phone_key == (SECRET + "key").encode()
    assert settings.sandbox.seed == 7


@pytest.mark.parametrize(
    "name", ["URL", "DATA_DIR", "START_DATE", "TIMEZONE", "PROJECTS", "ORG_CODES", "CALL_ORG_FIELD", "PII_KEY"]
)
def test_a_blank_setting_is_unset(load, name):
    assert load(**{f"HEROBASE_{name}": ""}) == Settings()


def test_dot_env_is_read_and_the_environment_wins(load):
    Path(".env").write_text(
        f"HEROBASE_URL=https://one.herobase.com\nHEROBASE_USERNAME=one\nHEROBASE_PASSWORD='{SECRET}'\n"
        'HEROBASE_PII_KEY=key\nHEROBASE_PROJECTS="A*,B"\nHEROBASE_SANDBOX_SEED=3\nUNRELATED=1\n',
        encoding="utf-8",
    )
    settings = load(HEROBASE_USERNAME="two")
    assert settings.url == "https://one.herobase.com/api"
    assert settings.username == "two"
    assert settings.password.get_secret_value() == SECRET
    assert settings.projects == ("A*", "B")
    assert settings.sandbox.seed == 3


def test_stray_spaces_around_the_login_are_dropped(load):
    settings = load(HEROBASE_USERNAME=" api@nord.example\t", HEROBASE_PASSWORD=f"  {SECRET} \n")
    assert settings.username == "api@nord.example"
    assert settings.password.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("https://wshero01.herobase.com", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/api", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/api/", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/api/simpleleads?Projects=*", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/api-docs", "https://wshero01.herobase.com/api"),
        ("https://wshero01.herobase.com/api-docs/#calls", "https://wshero01.herobase.com/api"),
        ("Web: https://wshero01.herobase.com/", "https://wshero01.herobase.com/api"),
        ("<https://wshero01.herobase.com/>", "https://wshero01.herobase.com/api"),
        (" wshero01.herobase.com ", "https://wshero01.herobase.com/api"),
        ("HTTPS://wshero01.herobase.com", "https://wshero01.herobase.com/api"),
        ("https://proxy.example:8443/herobase", "https://proxy.example:8443/herobase/api"),
        ("https://proxy.example/apiary", "https://proxy.example/apiary/api"),
        ("http://localhost:8080", "http://localhost:8080/api"),
        ("http://127.0.0.1:8080/api", "http://127.0.0.1:8080/api"),
        ("http://[::1]:8080/", "http://[::1]:8080/api"),
    ],
)
def test_a_pasted_address_is_repaired(load, pasted, url):
    assert load(**LOGIN, HEROBASE_URL=pasted).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://wshero01.herobase.com", "HTTP://wshero01.herobase.com", "http://127.0.0.1.evil.example",
        "http://localhost.evil.example", "http://10.0.0.1", "http://0.0.0.0",
    ],
)  # fmt: skip
def test_plain_http_is_for_this_machine_only(load, url):
    told = refused(load, **LOGIN, HEROBASE_URL=url)
    assert told.startswith("HEROBASE_URL: must be https")


@pytest.mark.parametrize(
    "url",
    [
        f"https://api:{SECRET}@wshero01.herobase.com", f"https://{SECRET}@x.example", "http://localhost@evil.example",
        "https://", "two words", "ftp://x.example", "https://x.example:port", "http://127.0.0.1\\@evil.example",
        "https://[::1", "ask Anna",
    ],
)  # fmt: skip
def test_what_is_no_address_or_carries_a_login_is_refused(load, url):
    assert refused(load, **LOGIN, HEROBASE_URL=url).startswith("HEROBASE_URL: ")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("HEROBASE_USERNAME", "HEROBASE_USERNAME and HEROBASE_PASSWORD must be set"),
        ("HEROBASE_PASSWORD", "HEROBASE_USERNAME and HEROBASE_PASSWORD must be set"),
        ("HEROBASE_PII_KEY", "HEROBASE_PII_KEY must be set"),
    ],
)
@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_real_account_needs_login_and_key(load, missing, named, blank):
    environment = LOGIN | {"HEROBASE_URL": "https://x.example"}
    environment.pop(missing)
    if blank is not None:
        environment[missing] = blank
    told = refused(load, **environment)
    assert named in told
    assert told.count("HEROBASE_URL is set") == 1


@pytest.mark.parametrize(
    "name",
    [
        "HEROBASE_START_DATE", "HEROBASE_TIMEZONE", "HEROBASE_SANDBOX_SEED", "HEROBASE_SANDBOX_CALLS_PER_DAY",
        "HEROBASE_SANDBOX_TIMEZONE", "HEROBASE_SANDBOX_HIERARCHY", "HEROBASE_SANDBOX_NOW", "HEROBASE_SANDBOX_DUPLICATES",
        "HEROBASE_SANDBOX",
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_setting_and_not_repeated(load, name):
    assert refused(load, **{name: SECRET}).startswith(f"{name}: ")


@pytest.mark.parametrize("zone", ["Europe", "CET/", "../etc/passwd", "/etc/localtime", "Europe/Atlantis", " "])
@pytest.mark.parametrize("name", ["HEROBASE_TIMEZONE", "HEROBASE_SANDBOX_TIMEZONE"])
def test_what_is_no_zone_is_refused(load, name, zone):
    assert "IANA name such as Europe/Copenhagen" in refused(load, **{name: zone})


def test_no_projects_would_be_no_leads_so_it_is_refused(load):
    assert refused(load, HEROBASE_PROJECTS=" , ").startswith("HEROBASE_PROJECTS: ")


def test_every_wrong_setting_is_told(load):
    told = refused(load, HEROBASE_START_DATE=SECRET, HEROBASE_TIMEZONE=SECRET)
    assert "HEROBASE_START_DATE: " in told
    assert "HEROBASE_TIMEZONE: " in told


def test_the_sandboxs_clock_must_say_its_offset(load):
    assert "offset" in refused(load, HEROBASE_SANDBOX_NOW="2026-03-02T12:00:00")
    assert load(HEROBASE_SANDBOX_NOW="2026-03-02T12:00:00+01:00").sandbox.now == dt.datetime(
        2026, 3, 2, 11, tzinfo=dt.UTC
    )


def test_no_secret_in_repr_or_dump(load):
    settings = load(**LOGIN, HEROBASE_URL="https://x.example")
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_settings_cannot_be_changed_and_can_be_a_key(load):
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.url = "https://x.example"
    assert {settings.sandbox: 1}[SandboxSettings()] == 1


def test_a_fresh_interpreter_reads_them_without_reaching_for_dagster_or_the_network(tmp_path):
    code = (
        "import sys; from herobase_pipeline.settings import Settings; print(Settings.load().url);"
        "print(sorted({'dagster', 'requests', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **LOGIN, "HEROBASE_URL": "Web: https://x.example/"},
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["https://x.example/api", "[]"]
    assert done.stderr == ""


# -- found from anywhere in the project --------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A project with a folder in it, and a ``.env`` above it that is nobody's business."""
    folder = tmp_path / "project"
    (folder / "notebooks" / "drafts").mkdir(parents=True)
    (folder / "workspace.yaml").touch()
    (tmp_path / ".env").write_text("HEROBASE_DATA_DIR=data/other\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("where", [".", "notebooks", "notebooks/drafts"])
def test_from_anywhere_in_the_project_the_settings_are_the_same(load, project, monkeypatch, where):
    (project / ".env").write_text(
        "HEROBASE_DATA_DIR=data/mysite\nHEROBASE_FIELDS_DIR=notebooks\nHEROBASE_SANDBOX_SEED=3\n", encoding="utf-8"
    )
    monkeypatch.chdir(project / where)
    settings = load()
    assert settings.data_dir == project / "data" / "mysite"
    assert settings.declared_fields == project / "notebooks"
    assert settings.sandbox.seed == SandboxSettings().seed == 3


def test_without_an_env_the_defaults_lie_in_the_project_and_none_above_it_is_read(load, project, monkeypatch):
    monkeypatch.chdir(project / "notebooks")
    assert load().data_dir == project / "data"
    settings = load(**LOGIN, HEROBASE_URL="https://x.example")
    assert settings.declared_fields == project / "fields"


def test_the_nearest_env_wins_and_paths_stay_the_projects(load, project, monkeypatch):
    (project / ".env").write_text("HEROBASE_DATA_DIR=data/far\n", encoding="utf-8")
    (project / "notebooks" / ".env").write_text("HEROBASE_DATA_DIR=data/near\n", encoding="utf-8")
    monkeypatch.chdir(project / "notebooks" / "drafts")
    assert load().data_dir == project / "data" / "near"


def test_outside_any_project_only_the_current_folder_counts(load, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("HEROBASE_DATA_DIR=data/other\n", encoding="utf-8")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert load().data_dir == tmp_path / "below" / "data"


@pytest.mark.parametrize("name", ["HEROBASE_DATA_DIR", "HEROBASE_FIELDS_DIR"])
def test_a_tilde_is_the_home_folder(load, tmp_path, monkeypatch, name):
    (tmp_path / "home" / "lake").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = load(**{name: "~/lake"})
    assert tmp_path / "home" / "lake" in (settings.data_dir, settings.fields_dir)
    assert refused(load, **{name: "~nobody-of-this-name/lake"}).startswith(f"{name}: ")


# -- an .env that cannot be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_an_env_that_is_not_utf_8_is_refused_and_one_with_a_mark_is_read(load, encoding):
    text = "HEROBASE_PROJECTS=Møde\n"
    Path(".env").write_bytes(text.encode(encoding))
    assert refused(load) == f"{Path.cwd()}/.env is not UTF-8: save it as UTF-8, without changing what it says."
    Path(".env").write_bytes(text.encode("utf-8-sig"))
    assert load().projects == ("Møde",)


def test_an_env_of_somebody_else_is_refused(load, monkeypatch):
    Path(".env").touch()

    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert f"{Path.cwd()}/.env cannot be read (Permission denied)" in refused(load)


def test_a_line_that_would_be_passed_over_is_named_and_not_shown(load):
    Path(".env").write_text(f'HEROBASE_START_DATE=2026-02-01\nHEROBASE_ORG_CODES="{SECRET}",Nord\n', encoding="utf-8")
    assert ".env, line 2: " in refused(load)


# -- names with a comma ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ('"Salg, Øst"', ("Salg, Øst",)),
        ('"Salg, Øst",Nord', ("Salg, Øst", "Nord")),
        (' Nord , "Salg, Øst" ', ("Nord", "Salg, Øst")),
        ('"12"" skærm, TV",B', ('12" skærm, TV', "B")),
        ('Team "Blå",B', ('Team "Blå"', "B")),
    ],
)
@pytest.mark.parametrize("name", ["PROJECTS", "ORG_CODES"])
def test_a_name_may_hold_a_comma(load, monkeypatch, name, written, names):
    assert getattr(load(**{f"HEROBASE_{name}": written}), name.lower()) == names
    monkeypatch.delenv(f"HEROBASE_{name}")
    Path(".env").write_text(f"HEROBASE_{name}='{written}'\n", encoding="utf-8")
    assert getattr(load(), name.lower()) == names


@pytest.mark.parametrize("written", ['"Salg, Øst', '"Salg" Øst, Nord'])
@pytest.mark.parametrize("name", ["HEROBASE_PROJECTS", "HEROBASE_ORG_CODES"])
def test_a_broken_quote_is_refused(load, name, written):
    told = refused(load, **{name: written})
    assert told.startswith(f"{name}: must be names separated by commas")
