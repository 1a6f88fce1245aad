"""Reports: notebooks that are run against a lake and kept as HTML and PDF. Knows no Dagster.

A notebook is a report if it has a cell tagged ``parameters``. What it is run with is imported as it is run: whoever asks only
which reports there are waits for none of it.
"""

import base64
import datetime as dt
import html
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herobase_pipeline.lake import reports, store
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.days import BY_NAME
from herobase_pipeline.reading.errors import NotLoadedError
from herobase_pipeline.reading.weeks import DAYS_TOLD, known_in_full, not_among, sunday_before
from herobase_pipeline.tables import Table

_NAME = re.compile(r"[A-Za-z0-9_]+")
_TAG = "parameters"
_CELL_S = 1800  # of a cell: a year of a large centre is read in minutes
_WIDGET = "application/vnd.jupyter.widget-view+json"
_READ = re.compile(r"""\bread\(\s*["'](\w+)["']""")
_TEMPLATE = Path(__file__).parent / "report.html"
_TOLD = frozenset(
    {
        "DamagedError", "NoSuchNameError", "NotAMetricError", "NotAddableError", "NotLoadedError", "ReplacedError",
        "SettingsError",
    }
)  # fmt: skip
"""Errors of this project's own, whose sentences quote no data."""


class NotRenderedError(Exception):
    """A notebook failed, and there is no report; the message says where, and quotes no data."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that is a report.

    Attributes:
        name: that of its file.
        path: the file.
        tables: what it reads, as far as its text says.

    """

    name: str
    path: Path
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Report:
    """A report as it was made.

    Attributes:
        html: the page, which needs nothing else.
        pdf: the same on paper; None where the machine cannot make any.
        why_no_pdf: why; empty where there is one.
        first: the first day that it is about.
        last: the last.
        not_whole: the days among them that are not loaded in full.
        picture: its first picture, as PNG; None where it has none.

    """

    html: bytes
    pdf: bytes | None
    why_no_pdf: str
    first: dt.date
    last: dt.date
    not_whole: tuple[dt.date, ...]
    picture: bytes | None

    @property
    def says_of_days(self) -> str:
        """Whether the days it is about are loaded, in a sentence."""
        days = (self.last - self.first).days + 1
        if not self.not_whole:
            return f"All {days} days from {self.first} to {self.last} are loaded in full."
        return (
            f"Not all days are loaded in full: {len(self.not_whole)} of the {days} from {self.first} to {self.last} are not "
            f"({in_words(self.not_whole)}). Sums over them are too low, and rates may change."
        )


def notebooks(folder: Path) -> list[Notebook]:
    """Return the notebooks of a folder that are reports, in order of their names.

    Those are named with letters, digits and _, can be read, and have a cell tagged ``parameters``: a draft is none yet.
    """
    found = []
    for path in sorted(folder.glob("*.ipynb")):
        cells = _cells(path) if _NAME.fullmatch(path.stem) else []
        if any(_TAG in cell.get("metadata", {}).get("tags", ()) for cell in cells):
            text = "\n".join("".join(cell.get("source", ())) for cell in cells if cell.get("cell_type") == "code")
            names = dict.fromkeys(name for name in _READ.findall(text) if name in BY_NAME)
            found.append(Notebook(path.stem, path, tuple(BY_NAME[name] for name in names)))
    return found


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, OSError):  # half saved, or no notebook at all
        return []
    cells = content.get("cells") if isinstance(content, dict) else None
    return [cell for cell in cells if _is_cell(cell)] if isinstance(cells, list) else []


def _is_cell(cell: Any) -> bool:
    """Whether a cell is as notebooks have them, so far as is looked at here."""
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata", {}), dict):
        return False
    tags, source = cell.get("metadata", {}).get("tags", []), cell.get("source", "")
    return isinstance(tags, list) and (
        isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))
    )


def render(
    notebook: Path, lake: Lake, site: str, day: dt.date, *, org: str | None = None, weeks: int | None = None
) -> Report:
    """Return the report of a notebook.

    Args:
        notebook: its file.
        lake: what it reads.
        site: whose lake that is; empty for an only account.
        day: the local day it is made on.
        org: its parameter of that name; None for that of the notebook.
        weeks: the same.

    Raises:
        NotRenderedError: the notebook failed.

    """
    given = {name: value for name, value in (("org", org), ("weeks", weeks)) if value is not None}
    whose = {"HEROBASE_SITE": site} if site else {"HEROBASE_DATA_DIR": str(lake.root)}
    executed = _executed(notebook, given, whose)
    first, last, not_whole = _days(executed, lake, day)
    pictures = [base64.b64decode(data["image/png"]) for data in _shown(executed) if "image/png" in data]
    picture = pictures[0] if pictures else None
    report = Report(b"", None, "", first, last, not_whole, picture)
    page = _page(executed, notebook.stem, site, day, given, report)
    pdf, why = _printed(page)
    return Report(page.encode(), pdf, why, first, last, not_whole, picture)


def keep(
    lake: Lake, name: str, day: dt.date, report: Report, *, org: str | None = None, weeks: int | None = None
) -> dict[str, Path]:
    """Write a report to ``reports/<name>/<day>``, in the place of an earlier one of that day; returns its files by their kind.

    One of a unit, or of other weeks, has these in its name: it does not take the place of the one for all.
    """
    asked = [*([re.sub(r"\W+", "-", org).strip("-") or "unit"] if org else []), *([f"{weeks}-weeks"] if weeks else [])]
    page, pdf = (reports.file(lake, name, str(day), f"{'_'.join([name, *asked])}.{kind}") for kind in ("html", "pdf"))
    reports.put(page, report.html)
    if report.pdf is None:
        store.remove(pdf)  # of an earlier one
        return {"html": page}
    reports.put(pdf, report.pdf)
    return {"html": page, "pdf": pdf}


def _executed(path: Path, given: Mapping[str, Any], whose: Mapping[str, str]) -> Any:
    """Return a notebook with what it shows, run by this interpreter in a process of its own, which dies with this one."""
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    source: Any = nbformat.read(path, as_version=4)
    logging.getLogger("papermill").setLevel(logging.WARNING)
    with store.own_folder(store.on_this_machine()) as folder:
        try:
            return papermill.execute_notebook(
                source,
                None,
                dict(given),
                kernel_name=_KERNEL,
                language="python",
                progress_bar=False,
                execution_timeout=_CELL_S,
                kernel_manager_class=_kernel(folder, whose),
                resources={"metadata": {"path": str(path.parent)}},
            )
        except PapermillExecutionError as error:
            raise NotRenderedError(_told(path.stem, source, error, given)) from None
        except CellTimeoutError:
            raise NotRenderedError(
                f"{path.name} was given up: one of its cells took more than {_CELL_S // 60} minutes."
            ) from None
        except (DeadKernelError, RuntimeError):  # the second as it starts
            raise NotRenderedError(
                f"{path.name} was given up: the process that ran it died, perhaps as the machine has too little memory."
            ) from None


_KERNEL = "python3"


def _kernel(folder: Path, whose: Mapping[str, str]) -> type:
    """Return what starts this interpreter for a notebook; its sockets, its history and all else lie in a folder that goes."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"), str(folder))
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": _KERNEL,
        "language": "python",
        "env": {**own, **whose},
    }
    (folder / "kernels" / _KERNEL).mkdir(parents=True)
    (folder / "kernels" / _KERNEL / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    class Kernel(AsyncKernelManager):
        def __init__(self, **arguments: Any) -> None:
            specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
            super().__init__(
                kernel_spec_manager=specs,
                transport="ipc",  # a port of the machine could be spoken to by others
                ip=str(folder / "k"),
                connection_file=str(folder / "kernel.json"),
                **arguments,
            )

    return Kernel


def _told(name: str, source: Any, error: Any, given: Mapping[str, Any]) -> str:
    """Return in words where a notebook failed and by what, but nothing that an error of others may quote."""
    tagged = next(n for n, cell in enumerate(source.cells) if _TAG in cell["metadata"].get("tags", ()))
    at = error.cell_index - (
        1 if given and error.cell_index > tagged else 0
    )  # what is given stands in a cell of its own
    headings = [
        line.lstrip("# ")
        for cell in source.cells[:at]
        if cell["cell_type"] == "markdown"
        for line in cell["source"].splitlines()
        if line.startswith("#")
    ]
    comments = [line.lstrip("# ") for line in source.cells[at]["source"].splitlines()[:1] if line.startswith("#")]
    where = ", ".join([*headings[-1:], *comments])
    is_ours = error.ename in _TOLD and any("herobase_pipeline" in line for line in error.traceback[-2:])
    told = f": {error.evalue}" if is_ours else ", whose text may quote data and is not repeated here."
    return f"{name}.ipynb failed in its cell {at + 1}{f' ({where})' if where else ''} with {error.ename}{told}"


def _shown(executed: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what the cells of a notebook show, each by its kind."""
    for cell in executed.cells:
        yield from (output["data"] for output in cell.get("outputs", ()) if "data" in output)


def _days(executed: Any, lake: Lake, day: dt.date) -> tuple[dt.date, dt.date, tuple[dt.date, ...]]:
    """Return the days a report is about, up to the last that should be there by now, and which are not loaded in full."""
    try:
        known = known_in_full(with_leads=True, data_dir=lake.root)
    except NotLoadedError:
        known = []
    told = [data[DAYS_TOLD] for data in _shown(executed) if DAYS_TOLD in data]
    are_over = bool(told) and all(span["are_over"] for span in told)
    due = sunday_before(day) if are_over else day - dt.timedelta(days=1)
    edges = [dt.date.fromisoformat(span[edge]) for span in told for edge in ("first", "last")]
    first = min(edges or known[:1] or [due])
    last = max([*edges, due, first])
    return first, last, not_among(known, first, last)


def _page(executed: Any, name: str, site: str, day: dt.date, given: Mapping[str, Any], report: Report) -> str:
    """Return a notebook as a page: text, tables and pictures, without code, and at its top whether its days are loaded."""
    from jinja2 import Environment
    from nbconvert import HTMLExporter

    for cell in executed.cells:  # how far a read was is nothing to keep
        cell.outputs = [of for of in cell.get("outputs", ()) if _WIDGET not in of.get("data", ())]
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(executed)
    template = Environment(autoescape=True).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=_title(executed, name),
        body=body,
        made=day,
        site=site,
        org=given.get("org"),
        weeks=given.get("weeks"),
        days=report.says_of_days,
        is_whole=not report.not_whole,
    )


def _title(executed: Any, name: str) -> str:
    headings = (
        line.lstrip("# ")
        for cell in executed.cells
        if cell["cell_type"] == "markdown"
        for line in cell["source"].splitlines()
        if line.startswith("# ")
    )
    return html.unescape(next(headings, name))


def _printed(page: str) -> tuple[bytes | None, str]:
    """Return a page as PDF, or why there is none."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError:  # it loads Pango as it is imported
        return None, (
            "WeasyPrint finds no Pango on this machine, which it draws with. Install it (Debian: libpango-1.0-0, "
            "libpangoft2-1.0-0, libharfbuzz-subset0), and the next report has a PDF."
        )
    fetched = URLFetcher(allowed_protocols=["data"])  # nothing else is asked for, by no page
    return HTML(string=page, url_fetcher=fetched).write_pdf(), ""
