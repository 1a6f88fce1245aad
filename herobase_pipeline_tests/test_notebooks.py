"""The notebooks run as they are, on a lake of six weeks, and are stored without what they showed."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from herobase_pipeline_tests.conftest import ROOT, WHOLE
from herobase_pipeline_tests.reading.test_reader import materialize

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = {"better_or_younger": 4, "dialler_quality": 4, "monday_morning": 3}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    materialize(folder, "calls,simple_leads,call_outcomes", str(yesterday - dt.timedelta(days=41)), str(yesterday))
    materialize(folder, WHOLE)
    return folder


def test_they_are_these_three_and_hold_no_output():
    assert [path.stem for path in NOTEBOOKS] == sorted(PICTURES)
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        assert [cell for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run_and_show_their_charts(notebook, lake, tmp_path):
    here = {**os.environ, "HEROBASE_DATA_DIR": str(lake), "IPYTHONDIR": str(tmp_path)}
    out = tmp_path / "executed"
    command = [sys.executable, "-m", "jupyter", "execute", f"--output={out}", str(notebook)]
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (executed,) = tmp_path.glob("executed*")
    outputs = [output for cell in nbformat.read(executed, 4).cells for output in cell.get("outputs", ())]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == PICTURES[notebook.stem]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
