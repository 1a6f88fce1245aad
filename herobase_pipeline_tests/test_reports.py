"""Reports: their numbers are the lake's, their top says what is missing, and where a notebook fails nobody's data is quoted."""

import builtins
import dataclasses
import datetime as dt
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pypdf
import pytest

from herobase_pipeline.addresses import place, system
from herobase_pipeline.assets import reports as report_assets
from herobase_pipeline.assets.reports import report_keys
from herobase_pipeline.definitions import defs
from herobase_pipeline.lake import store
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.reading import reports
from herobase_pipeline.reading.lakes import lakes_of
from herobase_pipeline.reading.reports import NotRenderedError, notebooks, render
from herobase_pipeline_tests.conftest import ASSETS, NOW, ROOT, SITE, WHOLE, Centre, centres, failure, site
from herobase_pipeline_tests.object_store import ask_only, object_store
from herobase_pipeline_tests.test_whole import read_html

pytestmark = pytest.mark.slow
MISSING = "2026-11-11"
TODAY = NOW.date()  # a Friday
PHONE = "+45 20 12 34 56"
PARAMETERS = "org = None\nweeks = 2"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre whose lake has all days of three weeks but one."""
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("reports"), patch) as start:
        centre = start(calls_per_day=400)
        centre.load("calls,simple_leads,call_outcomes", "2026-11-02", "2026-11-10")
        centre.load("calls,simple_leads,call_outcomes", "2026-11-12", "2026-11-19")
        centre.load(f"campaigns,{WHOLE}")
        patch.setattr(report_assets, "utcnow", lambda: centre.now)
        yield centre


def made(here: Centre, assets: Any = ASSETS, name: str = "monday_morning", **config: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        assets,
        selection=[dg.AssetKey(["reports", name])],
        resources={"settings": here.settings},
        run_config={"ops": {f"report_{name}": {"config": config}}} if config else None,
        instance=here.instance,
        raise_on_error=False,
    )


def folder(here: Centre, name: str = "monday_morning") -> Path:
    return here.lake.root / "reports" / name / str(TODAY)


def notebook(above: Path, *cells: str, name: str = "mine", tag: str = "parameters") -> Path:
    """Write a notebook whose first cell is tagged."""
    is_text = {text: text.startswith("# ") and "\n" not in text for text in cells}
    of_cells = [
        {
            "cell_type": "markdown" if is_text[text] else "code", "id": f"c{n}", "source": text,
            "metadata": {"tags": [tag]} if n == 0 else {},
            **({} if is_text[text] else {"outputs": [], "execution_count": None}),
        }
        for n, text in enumerate(cells)
    ]  # fmt: skip
    path = above / f"{name}.ipynb"
    content = {"cells": of_cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def closings_by_team(here: Centre, first: str, last: str) -> dict[str, tuple[int, int]]:
    """Of each team the successes of the days, and all who said yes or no, counted over leads."""
    rows = here.rows(f"""
        SELECT if(len(org_names) = 0, '(no team)', org_names[-1]), closure FROM leads
        WHERE closure IN ('Success', 'NotInterested') AND closed_date BETWEEN DATE '{first}' AND DATE '{last}'
            AND closed_date IN (SELECT day FROM known_days)  -- of other days closings are known by chance
    """)
    teams = {team for team, _ in rows}
    return {
        team: (rows.count((team, "Success")), rows.count((team, "Success")) + rows.count((team, "NotInterested")))
        for team in teams
    }


def test_a_report_has_the_lakes_numbers_and_says_at_its_top_which_day_is_missing(here):
    result = made(here)
    assert result.success, failure(result)
    page = (folder(here) / "monday_morning.html").read_text("utf-8")
    body = page.partition("<body>")[2]
    top = re.sub(r"<[^>]+>", "", body.partition("</p>")[0]).strip()
    assert top == (
        "Not all days are loaded in full: 22 of the 35 from 2026-10-12 to 2026-11-15 are not (2026-10-12 to 2026-11-01, "
        f"{MISSING}). Sums over them are too low, and rates may change."
    )
    assert "Warning" not in body
    conversion = next(frame for html in re.findall(r"<table.*?</table>", body, re.DOTALL) for frame in read_html(html))
    shown = {row["unit"]: row for _, row in conversion.iterrows()}
    before = closings_by_team(here, "2026-10-12", "2026-11-08")
    for team, (won, said) in before.items():
        assert (int(shown[team]["numerator before"]), int(shown[team]["denominator before"])) == (won, said), team
        if said:
            assert shown[team]["rate before"] == f"{won / said:.1%}"
    assert body.count("data:image/png;base64,") == 3
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page
    told = here.told("reports/monday_morning")
    assert list(told)[:2] == ["days", "is_whole"]
    assert (told["days"], told["is_whole"], told["made_on"], told["weeks"]) == (
        top,
        False,
        str(TODAY),
        "as the notebook says",
    )
    assert Path(told["html"]) == folder(here) / "monday_morning.html"
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(told["pdf"]).pages)
    assert "Monday morning" in text
    assert MISSING in text
    assert all(team in text for team in before)


def test_for_one_team_and_other_weeks_it_has_them_in_its_name(here):
    team = next(team for team in closings_by_team(here, "2026-11-02", "2026-11-08") if team != "(no team)")
    result = made(here, org=team, weeks=1)
    assert result.success, failure(result)
    name = f"monday_morning_{re.sub(r'[^0-9a-zA-ZæøåÆØÅ_]+', '-', team)}_1-weeks"
    page = (folder(here) / f"{name}.html").read_text("utf-8")
    assert "1 of the 14 from 2026-11-02 to 2026-11-15 are not" in page
    assert f"about {team}, weeks: 1." in page
    frames = [frame for html in re.findall(r"<table.*?</table>", page, re.DOTALL) for frame in read_html(html)]
    assert set(frames[0]["unit"]) == {team}
    assert int(frames[0]["denominator before"][0]) == closings_by_team(here, "2026-11-02", "2026-11-08")[team][1]
    of_all = ("monday_morning.html", "monday_morning.pdf")
    assert {path.name for path in folder(here).iterdir()} - {*of_all} == {f"{name}.html", f"{name}.pdf"}
    assert here.told("reports/monday_morning")["org"] == team


def test_the_other_notebooks_are_reports_of_a_team_too(here):
    team = next(team for team in closings_by_team(here, "2026-11-02", "2026-11-08") if team != "(no team)")
    for name in ("better_or_younger", "dialler_quality"):
        result = made(here, name=name, org=team, weeks=2)
        assert result.success, failure(result)
        assert f"about {team}, weeks: 2." in Path(here.told(f"reports/{name}")["html"]).read_text("utf-8")


def test_without_pango_there_is_the_page_alone_and_the_reason(here, tmp_path, monkeypatch):
    path = notebook(tmp_path, PARAMETERS, "import herobase_pipeline as hb\nhb.last_weeks(1)", "print('π = 3.14')")
    whole = render(path, here.lake, "", TODAY)
    assert "π = 3.14" in "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(whole.pdf or b"")).pages)
    with_pdf = reports.keep(here.lake, "mine", TODAY, whole)
    load = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("weasyprint"):
            raise OSError("cannot load library 'libpango-1.0-0'")
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    alone = render(path, here.lake, "", TODAY)
    assert alone.pdf is None
    assert "WeasyPrint finds no Pango on this machine" in alone.why_no_pdf
    assert list(reports.keep(here.lake, "mine", TODAY, alone)) == ["html"]
    assert not with_pdf["pdf"].exists()


def test_days_that_should_be_there_by_now_are_told_of_also_where_nobody_pulled_them(here, tmp_path):
    path = notebook(tmp_path, PARAMETERS, "import herobase_pipeline as hb\nhb.last_weeks(1)")
    monday = dt.date(2026, 11, 23)
    report = render(path, here.lake, "", monday)
    assert (report.first, report.last) == (dt.date(2026, 11, 9), dt.date(2026, 11, 22))
    assert [day.day for day in report.not_whole] == [11, 20, 21, 22]
    without_days = notebook(tmp_path, PARAMETERS, "1 + 1", name="other")
    assert render(without_days, here.lake, "", dt.date(2026, 11, 20)).says_of_days.startswith(
        "Not all days are loaded in full: 1 of the 18 from 2026-11-02 to 2026-11-19"
    )


def test_a_notebook_that_fails_says_where_and_quotes_nobody(here, tmp_path, monkeypatch):
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "notebooks").mkdir()
    cells = (PARAMETERS, "# Numbers", f"# who was called\nprint(weeks)\nraise ValueError('{PHONE}')")
    notebook(tmp_path / "notebooks", *cells)
    monkeypatch.chdir(tmp_path)
    result = made(here, report_assets.reports(SITE), "mine", weeks=3)
    assert not result.success
    assert failure(result) == (
        "mine.ipynb failed in its cell 3 (Numbers, who was called) with ValueError, whose text may quote data and is not "
        "repeated here."
    )
    assert PHONE not in "\n".join(str(event) for event in result.all_events)


def test_what_this_project_says_of_itself_is_repeated(here, tmp_path):
    text = "import herobase_pipeline as hb\nhb.read('calls', '2020-01-01', '2020-01-02')"
    with pytest.raises(NotRenderedError, match=r"cell 2 with NotLoadedError: calls is not loaded for 2020-01-01 to"):
        render(notebook(tmp_path, PARAMETERS, text), here.lake, "", TODAY)
    with pytest.raises(NotRenderedError, match="the process that ran it died"):
        render(notebook(tmp_path, PARAMETERS, "import os\nos._exit(3)"), here.lake, "", TODAY)


def test_a_report_is_what_has_a_cell_of_parameters_and_a_plain_name(tmp_path):
    notebook(tmp_path, PARAMETERS, "hb.read('calls'); hb.read(\n    \"leads\"); hb.read('no_table')", name="mine")
    notebook(tmp_path, PARAMETERS, name="not this one")
    notebook(tmp_path, PARAMETERS, name="draft", tag="other")
    (tmp_path / "half.ipynb").write_text('{"cells": [', encoding="utf-8")
    (found,) = notebooks(tmp_path)
    assert (found.name, [table.name for table in found.tables]) == ("mine", ["calls", "leads"])
    assert [key.path[-1] for key in report_keys(SITE)] == ["better_or_younger", "dialler_quality", "monday_morning"]


def test_definitions_load_nothing_that_a_report_is_made_with():
    code = (
        "import sys, herobase_pipeline.definitions\n"
        "print([name for name in ('nbformat', 'nbconvert', 'papermill', 'weasyprint', 'jupyter_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_a_site_it_reads_that_sites_lake_alone_and_leaves_nothing_at_home(here, project, monkeypatch):
    site(project, "nord", f"HEROBASE_DATA_DIR={here.lake.root}")
    site(project, "syd", f"HEROBASE_DATA_DIR={project / 'nowhere'}")
    (project / "notebooks").mkdir()
    (project / "home").mkdir()
    monkeypatch.setenv("HOME", str(project / "home"))
    path = notebook(project / "notebooks", PARAMETERS, "import herobase_pipeline as hb\nprint(hb.about())")
    page = render(path, here.lake, "nord", TODAY).html.decode()
    assert f"Lake:     {here.lake.root}" in page
    assert "for nord, about all org units" in page
    assert "syd" not in page
    assert list((project / "home").rglob("*")) == []
    monkeypatch.setenv("HEROBASE_SITE", "nord")
    assert list(lakes_of(None)) == ["nord"]
    assert set(lakes_of(None, "nord")) == {"nord"}


def test_on_mondays_reports_are_made_unless_nothing_is_loaded(here, monkeypatch, tmp_path):
    schedule = defs.resolve_schedule_def("report")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1", "Europe/Copenhagen")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    for data_dir, why in ((tmp_path, "Of no week that is over is a day loaded"), (here.lake.root, None)):
        monkeypatch.setenv("HEROBASE_DATA_DIR", str(data_dir))
        ticked = schedule.evaluate_tick(
            dg.build_schedule_context(
                scheduled_execution_time=dt.datetime(2026, 11, 23, 5, 30, tzinfo=dt.UTC),
                repository_def=defs.get_repository_def(),
            )
        )
        if why:
            assert ticked.run_requests == []
            assert why in str(ticked.skip_message)
        else:
            assert len(ticked.run_requests or []) == 1


def test_a_killed_run_leaves_no_kernel_behind(here, tmp_path):
    told = tmp_path / "pid"
    path = notebook(
        tmp_path, PARAMETERS, f"import os, time\nopen({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    code = (
        "import datetime as dt, sys\nfrom pathlib import Path\nfrom herobase_pipeline.lake.layout import Lake\n"
        "from herobase_pipeline.reading.reports import render\n"
        "render(Path(sys.argv[1]), Lake(Path(sys.argv[2])), '', dt.date(2026, 11, 20))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(here.lake.root)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    assert waited(lambda: told.exists() and told.read_text() != "", 60)
    kernel = int(told.read_text())
    assert kernel != run.pid
    assert is_alive(kernel)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert waited(lambda: not is_alive(kernel), 30)


def waited(is_so: Any, seconds: float) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.2)
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_report_is_kept_on_an_object_store_too(monkeypatch):
    report = reports.Report(b"<p>1</p>", b"%PDF", "", TODAY, TODAY, (), None)
    with object_store() as environment:
        ask_only(environment, monkeypatch)
        root = place("s3://reports/lake")
        system(root).mkdir("reports")
        files = reports.keep(Lake(root), "mine", TODAY, report)
        assert str(files["html"]) == f"s3://reports/lake/reports/mine/{TODAY}/mine.html"
        assert {kind: store.read_bytes(file) for kind, file in files.items()} == {
            "html": report.html,
            "pdf": report.pdf,
        }
        reports.keep(Lake(root), "mine", TODAY, dataclasses.replace(report, pdf=None))
        assert store.mark(files["pdf"]) is None
