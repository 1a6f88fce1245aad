"""Two accounts in one instance: side by side in the graph and on the disk, added up by the reader, and never mixed up."""

import datetime as dt
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

import herobase_pipeline as hb
from herobase_pipeline.assets.site import Site
from herobase_pipeline.definitions import of_sites
from herobase_pipeline.erasing import person, requests
from herobase_pipeline.erasing.requests import lists, share_out
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.pulling import account_page
from herobase_pipeline.sandbox import Sandbox
from herobase_pipeline.settings import SandboxSettings, SettingsError
from herobase_pipeline.sites import all_settings, site_files, site_settings
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, TABLES
from herobase_pipeline_tests.conftest import NOW, at_one_time, failure, site

FIRST, LAST = "2026-11-04", "2026-11-05"
SEEDS = {"nord": 1, "syd": 2}
SECRETS = {"nord": "n0rd-s3cret", "syd": "s7d-s3cret"}
BY_DAY = ("calls", "private/call_phones", "simple_leads", "private/lead_data", "call_outcomes")
WHOLE = ("campaigns", "org_units", "leads", "lead_conversion", "org_history", "metrics")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Sandbox]]]:
    """Two accounts over HTTP, two days of each loaded by one run of Dagster."""
    home = tmp_path_factory.mktemp("sites")
    (home / "workspace.yaml").touch()
    (home / "sites").mkdir()
    boxes = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        at_one_time(patch, [NOW], lambda _: None)
        for name, seed in SEEDS.items():
            box = Sandbox(SandboxSettings(seed=seed, calls_per_day=200), now=lambda: NOW).start()
            boxes[name] = box
            patch.setenv(f"{name.upper()}_PASSWORD", box.password)
            login = (f"HEROBASE_URL={box.url}", f"HEROBASE_USERNAME={box.username}")
            site(home, name, *login, f"HEROBASE_PASSWORD=${{{name.upper()}_PASSWORD}}", "HEROBASE_PII_KEY=test key")
        with dg.DagsterInstance.ephemeral() as instance:
            for select, span in ((BY_DAY, (FIRST, LAST)), (WHOLE, None)):
                result = materialize(instance, select, span)
                assert result.success, failure(result)
        yield home, boxes
        for box in boxes.values():
            box.stop()


def materialize(instance, select, span=None):
    """Run the same tables of both sites in one run."""
    sites = [Site(settings, name) for name, settings in all_settings().items()]
    definitions = of_sites(sites)
    tags = dict(
        zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), span or (), strict=False)
    )
    return dg.materialize(
        list(definitions.assets),
        selection=[f"{each.name}/{table}" for each in sites for table in select],
        resources={each.resource: each.settings for each in sites},
        instance=instance,
        tags=tags,
        raise_on_error=False,
    )


def truth(box: Sandbox, day: str) -> list:
    settings = all_settings()["nord"]
    bounds = day_bounds(dt.date.fromisoformat(day), settings.zone)
    return list(box.world.calls(bounds.start, bounds.end, NOW))


def test_each_site_has_its_own_keys_groups_jobs_pools_and_sensors(project: Path):
    for name, seed in SEEDS.items():
        site(project, name, f"HEROBASE_SANDBOX_SEED={seed}")
    sites = [Site(settings, name) for name, settings in all_settings().items()]
    definitions = of_sites(sites)
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    alone = {spec.key.to_user_string() for spec in of_sites([Site(sites[0].settings)]).resolve_all_asset_specs()}
    assert set(specs) == {f"{name}/{key}" for name in SEEDS for key in alone}
    assert {key.split("/")[0]: spec.group_name for key, spec in specs.items()} == {"nord": "nord", "syd": "syd"}
    repository = definitions.get_repository_def()
    for kind in (repository.schedule_defs, [s for s in repository.sensor_defs if s.name not in ("recover", "tidy")]):
        names = [each.name for each in kind]
        assert Counter(name.partition("_")[0] for name in names) == {name: len(names) / 2 for name in SEEDS}
    assert {job.name.partition("_")[0] for job in repository.get_all_jobs() if not job.name.startswith("__")} == set(
        SEEDS
    )
    pools = {
        pool
        for asset in definitions.assets
        if isinstance(asset, dg.AssetsDefinition)
        for pool in [asset.op.pool]
        if pool
    }
    assert pools == {"nord_herobase_api", "syd_herobase_api"}
    assert not {dep.asset_key.path[0] for key, spec in specs.items() for dep in spec.deps if key.startswith("nord")} - {
        "nord"
    }


def test_without_the_folder_all_is_as_it_was(project: Path):
    (project / "sites").rmdir()
    assert list(all_settings()) == [""]
    assert all_settings()[""].data_dir == project / "data"
    assert Site(all_settings()[""]).key(CALLS) == dg.AssetKey("calls")


def test_what_is_common_is_parted_and_what_a_site_names_is_its_own(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEROBASE_START_DATE", "2026-02-01")
    monkeypatch.setenv("HEROBASE_SANDBOX_SEED", "9")
    (project / "own").mkdir()
    site(project, "nord", "HEROBASE_SANDBOX_SEED=1", f"HEROBASE_DELIVERIES_DIR={project / 'own'}")
    site(project, "syd", "HEROBASE_START_DATE=2026-03-01", f"HEROBASE_DATA_DIR={project / 'elsewhere'}")
    nord, syd = all_settings().values()
    assert (nord.sandbox.seed, syd.sandbox.seed) == (1, 9)
    assert (nord.start_date, syd.start_date) == (dt.date(2026, 2, 1), dt.date(2026, 3, 1))
    assert (nord.data_dir, syd.data_dir) == (project / "data" / "nord", project / "elsewhere")
    assert nord.deliveries == project / "own"


def test_folders_of_deliveries_and_fields_are_never_anothers(project: Path):
    """Else the sales of one customer's centre are handed on to another's system."""
    login = ("HEROBASE_USERNAME=a", "HEROBASE_PASSWORD=b", "HEROBASE_PII_KEY=c")
    for name in SEEDS:
        site(project, name, f"HEROBASE_URL=https://{name}.example", *login)
    nord, syd = all_settings().values()
    assert (nord.deliveries, syd.deliveries) == (project / "deliveries" / "nord", project / "deliveries" / "syd")
    assert (nord.declared_fields, syd.declared_fields) == (project / "fields" / "nord", project / "fields" / "syd")


@pytest.mark.parametrize("name", ["Århus", "nord-vest", "1st", "private", "lake", "a b", "MEMORY"])
def test_a_name_that_no_folder_view_or_asset_can_have_is_refused(project: Path, name: str):
    site(project, name, "HEROBASE_SANDBOX_SEED=1")
    with pytest.raises(SettingsError, match="a site's name is of letters"):
        all_settings()


def test_two_sites_never_share_a_folder(project: Path):
    for name in SEEDS:
        site(project, name, f"HEROBASE_DATA_DIR={project / 'one'}")
    with pytest.raises(SettingsError, match="nord and syd have the same HEROBASE_DATA_DIR"):
        all_settings()


def test_names_that_differ_in_case_only_are_refused(project: Path):
    site(project, "nord")
    site(project, "Nord")
    with pytest.raises(SettingsError, match="but for the case"):
        site_files()


def test_what_is_wrong_is_told_of_its_file_without_its_secret(project: Path):
    site(
        project,
        "nord",
        "HEROBASE_URL=https://nord.example",
        "HEROBASE_USERNAME=a",
        f"HEROBASE_PASSWORD={SECRETS['nord']}",
    )
    with pytest.raises(SettingsError, match=r"sites/nord\.env: .*HEROBASE_PII_KEY must be set") as raised:
        all_settings()
    assert SECRETS["nord"] not in str(raised.value)
    with pytest.raises(SettingsError, match=r"There is no site nrod\. Perhaps nord\?"):
        site_settings("nrod")


def test_one_run_loads_both_each_into_its_own_lake(loaded):
    home, boxes = loaded
    for name, box in boxes.items():
        for day in (FIRST, LAST):
            file = home / "data" / name / "lake" / "calls" / f"date={day}" / "part.parquet"
            ids = {call_id for (call_id,) in duckdb.sql(f"SELECT call_id FROM '{file}'").fetchall()}
            assert ids == {call.id for call in truth(box, day)}
    assert not (home / "data" / "lake").exists()


def test_read_gives_one_site_or_all_with_whose_rows_they_are(loaded):
    _, boxes = loaded
    worlds = {name: [call for day in (FIRST, LAST) for call in truth(box, day)] for name, box in boxes.items()}
    for name, calls in worlds.items():
        rows = hb.read("calls", FIRST, LAST, site=name)
        assert "site" not in rows
        assert set(rows["call_id"]) == {call.id for call in calls}
    rows = hb.read("calls", FIRST, LAST)
    assert next(iter(rows)) == "site"
    assert Counter(rows["site"]) == {name: len(calls) for name, calls in worlds.items()}
    for to in ("polars", "arrow"):
        frame = hb.read("calls", FIRST, LAST, to=to, columns=["site", "call_id"])
        names = frame.columns if to == "polars" else frame.column_names
        assert list(names) == ["site", "call_id"]
        assert len(frame) == len(rows)


def test_rates_add_up_over_sites_from_counts(loaded):
    _, boxes = loaded
    by_site = {}
    for name, box in boxes.items():
        causes = Counter(call.end_cause.name for day in (FIRST, LAST) for call in truth(box, day) if not call.incoming)
        by_site[name] = causes
    outcomes = hb.read("call_outcomes", FIRST, LAST, level=0)
    alone = {
        name: hb.metrics(hb.read("call_outcomes", FIRST, LAST, level=0, site=name), "contact_rate_per_dial")
        for name in boxes
    }
    both = hb.metrics(outcomes, "contact_rate_per_dial")
    assert both["numerator"].sum() == sum(of["numerator"].sum() for of in alone.values())
    assert both["denominator"].sum() == sum(of["denominator"].sum() for of in alone.values())
    parted = hb.metrics(outcomes, "contact_rate_per_dial", by="site").set_index("site")
    for name, of in alone.items():
        assert parted.loc[name, "numerator"] == of["numerator"].iloc[0]
        assert parted.loc[name, "rate"] == of["rate"].iloc[0]
        assert of["denominator"].iloc[0] <= sum(by_site[name].values())
    assert len(both) == 1
    assert both["rate"].iloc[0] == both["numerator"].iloc[0] / both["denominator"].iloc[0]


def test_what_one_site_lacks_is_warned_of_by_its_name_and_counts_as_not_whole(loaded):
    home, _ = loaded
    lacking = home / "data" / "syd" / "lake" / "call_outcomes" / f"date={LAST}"
    aside = lacking.with_name("aside")
    whole = hb.metrics(hb.read("call_outcomes", FIRST, LAST, level=0), "contact_rate_per_dial")
    lacking.rename(aside)
    try:
        with pytest.warns(hb.NotLoadedWarning, match=rf"^syd: call_outcomes is not loaded.* {LAST}"):
            outcomes = hb.read("call_outcomes", FIRST, LAST, level=0)
        part = hb.metrics(outcomes, "contact_rate_per_dial")
    finally:
        aside.rename(lacking)
    assert part["numerator"].iloc[0] < whole["numerator"].iloc[0]
    assert not part["is_mature"].iloc[0]


def test_a_site_that_has_nothing_yet_is_warned_of(loaded):
    home, _ = loaded
    site(home, "vest", "HEROBASE_SANDBOX_SEED=3")
    try:
        with pytest.warns(hb.NotLoadedWarning, match="^vest: calls cannot be read"):
            rows = hb.read("calls", FIRST, LAST)
        assert set(rows["site"]) == set(SEEDS)
        with pytest.raises(hb.NotLoadedError, match="vest"):
            hb.read("calls", site="vest")
    finally:
        (home / "sites" / "vest.env").unlink()


@pytest.mark.usefixtures("loaded")
def test_a_connection_has_each_site_and_all_of_them():
    with hb.connect() as con:
        ((both,),) = con.execute("SELECT count(*) FROM calls").fetchall()
        by_site = dict(con.execute("SELECT site, count(*) FROM calls GROUP BY site").fetchall())
        for name, calls in by_site.items():
            assert con.execute(f"SELECT count(*) FROM {name}.calls").fetchall() == [(calls,)]
        assert both == sum(by_site.values())
        assert con.execute("SELECT count(*) FROM outcome_rates WHERE site = 'syd' AND rate > 0").fetchall() > [(0,)]
    with hb.connect(site="nord") as con:
        assert con.execute("SELECT count(*) FROM calls").fetchall() == [(by_site["nord"],)]


def test_a_frame_of_several_sites_from_the_folder_alone(loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who only reads needs no files of settings."""
    home, _ = loaded
    monkeypatch.chdir(tmp_path)
    assert set(hb.read("calls", FIRST, data_dir=home / "data")["site"]) == set(SEEDS)
    assert len(hb.read("calls", FIRST, data_dir=home / "data", site="syd"))
    with pytest.raises(hb.NoSuchNameError, match=r"There is no site nrod\. Perhaps nord\?"):
        hb.read("calls", data_dir=home / "data", site="nrod")
    with pytest.raises(hb.NoSuchNameError, match="There are no sites"):
        hb.read("calls", data_dir=home / "data" / "nord", site="nord")


@pytest.mark.usefixtures("loaded")
def test_units_of_one_code_in_two_sites_are_two():
    with pytest.warns(hb.NotAllUnitsWarning, match="^(nord|syd): call_outcomes: level 1 has"):
        rows = hb.labelled(hb.read("call_outcomes", FIRST, LAST, level=1))
    by_unit = rows.groupby("unit")["site"].nunique()
    assert set(by_unit) == {1}
    assert len(by_unit) == rows.groupby(["site", "org_code"]).ngroups


@pytest.mark.usefixtures("loaded")
def test_about_says_it_of_each_site():
    said = hb.about()
    assert said.startswith("nord\nLake:")
    assert "\n\nsyd\nLake:" in said
    assert hb.about(site="syd").startswith("Lake:")


def test_who_stands_on_a_common_list_is_gone_from_every_site(loaded):
    home, _ = loaded
    numbers = {}
    for name in SEEDS:
        file = home / "data" / name / "private" / "call_phones" / f"date={FIRST}" / "part.parquet"
        ((numbers[name],),) = duckdb.sql(
            f"SELECT phone FROM '{file}' WHERE phone IS NOT NULL ORDER BY phone LIMIT 1"
        ).fetchall()
    (home / "erase").mkdir()
    (home / "erase" / "letter.txt").write_text("\n".join(numbers.values()), encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        settings = all_settings()
        for name in SEEDS:  # one after the other, as their schedules would
            made = of_sites([Site(settings[name], name)])
            result = dg.materialize(
                list(made.assets),
                selection=[f"{name}/erasures"],
                resources={f"{name}_settings": settings[name]},
                instance=instance,
                raise_on_error=False,
            )
            assert result.success, failure(result)
            assert not (home / "erase" / "letter.txt").exists()
    for name, number in numbers.items():
        file = home / "data" / name / "private" / "call_phones" / f"date={FIRST}" / "part.parquet"
        assert duckdb.sql(f"SELECT count(*) FROM '{file}' WHERE phone = '{number}'").fetchall() == [(0,)]
        assert not list((home / "data" / name / "erase").glob("*"))


@pytest.mark.usefixtures("loaded")
def test_commands_are_about_all_sites_or_one(capsys: pytest.CaptureFixture[str]):
    assert account_page.main(["--day", FIRST]) == 0
    said = capsys.readouterr().out
    assert said.startswith("== nord ==\n\n# The account")
    assert "\n== syd ==\n" in said
    assert account_page.main(["--site", "syd", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["syd"]
    assert account_page.main(["--site", "sud"]) == 2
    assert "Perhaps syd?" in capsys.readouterr().err
    assert person.main(["20 00 00 00"]) == 0
    assert capsys.readouterr().out.count("Nothing is held") == 2


def test_the_package_beside_the_lake_describes_its_files(loaded):
    home, _ = loaded
    for name in SEEDS:
        root = home / "data" / name
        package = json.loads((root / "datapackage.json").read_text("utf-8"))
        resources = {each["name"]: each for each in package["resources"]}
        assert set(resources) == {t.name for t in TABLES if not t.private and Lake(root).files(t)}
        for each in resources.values():
            there = {str(path.relative_to(root)) for path in (root / "lake" / each["name"]).rglob("part.parquet")}
            assert set(each["path"]) == there
        fields = [field["name"] for field in resources["call_outcomes"]["schema"]["fields"]]
        assert fields == ["date", *CALL_OUTCOMES.names]
        assert not any("private" in path for each in resources.values() for path in each["path"])


@pytest.mark.usefixtures("loaded")
def test_nothing_is_warned_of_where_all_is_loaded():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hb.read("calls", FIRST, LAST)
        hb.metrics(hb.read("call_outcomes", FIRST, LAST, level="leaf"), "contact_rate_per_dial", by=["site", "week"])


# -- what an attack found -------------------------------------------------------------------------------------------------


LOGIN = ("HEROBASE_USERNAME=a", "HEROBASE_PII_KEY=c")


def test_a_secret_that_is_not_there_is_never_anothers(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NORD_PASSWORD", raising=False)
    (project / ".env").write_text(
        f"HEROBASE_PASSWORD=anothers\nHERO_API_KEY=anothers\nNORD_PASSWORD={SECRETS['nord']}\n"
    )
    site(
        project,
        "nord",
        "HEROBASE_URL=https://nord.example",
        *LOGIN,
        "HEROBASE_PASSWORD=${NORD_PASSWORD}",
        "HERO_API_KEY=",
    )
    (nord,) = all_settings().values()
    assert nord.password.get_secret_value() == SECRETS["nord"]  # that of .env
    assert nord.hero_api_key.get_secret_value() == ""
    monkeypatch.setenv("NORD_PASSWORD", SECRETS["syd"])
    assert all_settings()["nord"].password.get_secret_value() == SECRETS["syd"]  # the environment goes before it
    site(project, "nord", "HEROBASE_URL=https://nord.example", *LOGIN, "HEROBASE_PASSWORD=${NRD_PASSWORD}")
    with pytest.raises(SettingsError, match=r"HEROBASE_PASSWORD is \$\{NRD_PASSWORD\}, and neither"):
        all_settings()


def test_what_is_written_and_empty_is_unset(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEROBASE_URL", "https://real.example")
    monkeypatch.setenv("HEROBASE_SANDBOX_SEED", "9")
    site(project, "nord", "HEROBASE_URL=", "HEROBASE_SANDBOX_SEED=")
    (nord,) = all_settings().values()
    assert (nord.url, nord.sandbox.seed) == (None, 1)


@pytest.mark.parametrize("names", [("nord", "nord_2"), ("nord_2", "nord"), ("Nord", "nord_stop")])
def test_a_name_that_goes_on_from_anothers_is_refused(project: Path, names: tuple[str, str]):
    for name in names:
        site(project, name, "HEROBASE_SANDBOX_SEED=1")
    with pytest.raises(SettingsError, match="what follows a _"):
        all_settings()


def test_folders_are_the_same_however_they_are_written(project: Path):
    site(project, "nord", f"HEROBASE_DATA_DIR={project}/x/../data/syd")
    site(project, "syd")
    with pytest.raises(SettingsError, match="the same HEROBASE_DATA_DIR"):
        all_settings()
    (project / "both").mkdir()
    for name in SEEDS:
        site(project, name, "HEROBASE_DELIVERIES_DIR=both")
    with pytest.raises(SettingsError, match="the same HEROBASE_DELIVERIES_DIR"):
        all_settings()


def test_what_is_common_and_wrong_is_told_in_words(project: Path, monkeypatch: pytest.MonkeyPatch):
    site(project, "nord", "HEROBASE_QUOTA=my tenant")
    with pytest.raises(SettingsError, match="HEROBASE_QUOTA: must be one word"):
        all_settings()
    (project / "sites" / "nord.env").unlink()
    monkeypatch.setenv("HEROBASE_DATA_DIR", "nope://key:secret@x")
    with pytest.raises(SettingsError, match="HEROBASE_DATA_DIR: is no address") as raised:
        all_settings()
    assert "secret" not in str(raised.value)
    monkeypatch.delenv("HEROBASE_DATA_DIR")
    for wrong in ("~nobody-of-that-name/x", "not-there"):
        monkeypatch.setenv("HEROBASE_SITES_DIR", wrong)
        with pytest.raises(SettingsError, match="HEROBASE_SITES_DIR"):
            all_settings()


def test_a_common_list_that_cannot_be_read_stays_and_is_told(project: Path):
    (project / "erase").mkdir()
    (project / "erase" / "good.txt").write_text("20 12 34 56")
    (project / "erase" / "bad.txt").write_text("somebody")
    folders = [project / "data" / name for name in SEEDS]
    (told,) = share_out(folders)
    assert "List 1 of 2 by name" in told
    assert [path.name for path in (project / "erase").iterdir()] == ["bad.txt"]
    for folder in folders:
        (copy,) = lists(Lake(folder), is_site=True)
        assert copy.read_text() == "20 12 34 56"
        assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_common_list_that_stays_though_all_have_it_is_told(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "erase").mkdir()
    (project / "erase" / "list.txt").write_text("20 12 34 56")
    monkeypatch.setattr(requests, "delete", lambda _: False)
    (told,) = share_out([project / "data" / name for name in SEEDS])
    assert "was handed to every site and is still there" in told
    assert "list.txt" not in told


@pytest.fixture
def lacking(loaded) -> Iterator[None]:
    """The last day of one site is not there."""
    home, _ = loaded
    there = home / "data" / "syd" / "lake" / "call_outcomes" / f"date={LAST}"
    there.rename(there.with_name("aside"))
    with warnings.catch_warnings(action="ignore"):
        yield
    there.with_name("aside").rename(there)


@pytest.mark.usefixtures("lacking")
def test_a_part_of_a_frame_knows_what_it_lacks():
    both = hb.read("call_outcomes", FIRST, LAST, level=0)

    def is_mature(frame, **more) -> list[bool]:
        return list(hb.metrics(frame, "answer_rate_per_dial", **more)["is_mature"])

    assert is_mature(both) == [False]
    assert is_mature(both[both["site"] == "syd"]) == [False]
    assert is_mature(both[both["site"] == "nord"]) == [True]
    assert is_mature(both, by="site") == [True, False]
    assert is_mature(hb.read("call_outcomes", FIRST, LAST, level=0, site="nord")) == [True]
    with pytest.raises(hb.NotAddableError, match="lacks site"):
        hb.metrics(both.drop(columns="site"), "answer_rate_per_dial")


@pytest.mark.usefixtures("lacking")
def test_a_span_that_one_site_lacks_is_read_of_the_others():
    with pytest.warns(hb.NotLoadedWarning, match="^syd: call_outcomes is not loaded for 2026-11-05"):
        rows = hb.read("call_outcomes", LAST, LAST, level=0)
    assert set(rows["site"]) == {"nord"}
    assert list(hb.metrics(rows, "answer_rate_per_dial")["is_mature"]) == [False]  # syd's share of it is not known
    with pytest.raises(hb.NotLoadedError, match=r"nord: .* syd: "):
        hb.read("call_outcomes", "2020-01-01", "2020-01-01")


def test_rows_say_whose_they_are_also_where_one_site_alone_has_any(loaded):
    home, _ = loaded
    catalogue = home / "data" / "syd" / "herobase.duckdb"
    catalogue.rename(catalogue.with_name("aside"))
    try:
        with pytest.warns(hb.NotLoadedWarning, match="Nothing is loaded yet of syd"), hb.connect() as con:
            assert {site for (site,) in con.execute("SELECT DISTINCT site FROM calls").fetchall()} == {"nord"}
    finally:
        catalogue.with_name("aside").rename(catalogue)


@pytest.mark.usefixtures("loaded")
def test_columns_come_in_the_order_that_was_asked_for():
    assert list(hb.read("calls", FIRST, FIRST, columns=["call_id", "site"])) == ["call_id", "site"]
    assert list(hb.read("calls", FIRST, FIRST, columns=["site"])) == ["site"]
    assert list(hb.read("calls", FIRST, FIRST, columns=["call_id"])) == ["site", "call_id"]


@pytest.mark.usefixtures("loaded")
def test_frames_of_one_site_each_keep_their_units_apart():
    frames = [hb.read("call_outcomes", FIRST, LAST, level="leaf", site=name) for name in SEEDS]
    frames.append(hb.read("call_outcomes", FIRST, LAST, level="leaf"))
    nord, syd, both = hb.labelled(*frames)
    labels = {name: set(frame.loc[frame["org_level"] > 0, "unit"]) for name, frame in (("nord", nord), ("syd", syd))}
    assert not labels["nord"] & labels["syd"]
    assert set(both.loc[both["org_level"] > 0, "unit"]) == labels["nord"] | labels["syd"]


@pytest.mark.usefixtures("loaded")
def test_a_connection_to_all_has_the_macros_of_one():
    with hb.connect() as con:
        assert con.execute("SELECT wilson(5, 10, 1) > 0.5").fetchall() == [(True,)]


def test_a_frame_that_was_saved_before_there_were_sites_is_remembered(loaded):
    home, _ = loaded
    frame = hb.read("call_outcomes", FIRST, LAST, level=0, site="nord")
    (kept,) = frame.attrs["herobase"].values()
    frame.attrs["herobase"] = kept
    assert list(hb.metrics(frame, "answer_rate_per_dial")["is_mature"]) == [True]
    assert kept["lake"] == str(home / "data" / "nord")


def test_a_copy_below_an_only_accounts_folder_is_no_site(project: Path, loaded):
    home, _ = loaded
    (project / "sites").rmdir()
    (project / "data" / "old").mkdir(parents=True)
    shutil.copy(home / "data" / "nord" / "herobase.duckdb", project / "data" / "old")
    with pytest.raises(hb.NotLoadedError, match="There is no lake"):
        hb.read("calls")
