"""Days of calls and leads from HeroBase, kept as Parquet by the org hierarchy captured on each call.

For notebooks: ``about`` says which lake it is and ``last_weeks`` which weeks are over, ``tables`` and ``describe`` say what there
is, ``connect`` and ``read`` give it, ``labelled`` names units, campaigns and agents, ``metrics`` makes rates, ``ranking`` ranks
them, ``charts`` draws them, ``to_excel`` hands them to who has a spreadsheet.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from herobase_pipeline.lake.damage import DamagedError
    from herobase_pipeline.reading import charts
    from herobase_pipeline.reading.about import about
    from herobase_pipeline.reading.errors import (
        NoRowsWarning,
        NoSuchNameError,
        NotAllUnitsWarning,
        NotLoadedError,
        NotLoadedWarning,
    )
    from herobase_pipeline.reading.guide import describe, tables
    from herobase_pipeline.reading.labels import labelled
    from herobase_pipeline.reading.ranking import ranking
    from herobase_pipeline.reading.rates import NotAddableError, NotAMetricError, metrics
    from herobase_pipeline.reading.reader import connect, read
    from herobase_pipeline.reading.weeks import last_weeks, week
    from herobase_pipeline.reading.whole import ReplacedError
    from herobase_pipeline.reading.workbook import TooManyRowsError, to_csv, to_excel

__all__ = [
    "DamagedError",
    "NoRowsWarning",
    "NoSuchNameError",
    "NotAMetricError",
    "NotAddableError",
    "NotAllUnitsWarning",
    "NotLoadedError",
    "NotLoadedWarning",
    "ReplacedError",
    "TooManyRowsError",
    "__version__",
    "about",
    "charts",
    "connect",
    "describe",
    "labelled",
    "last_weeks",
    "metrics",
    "ranking",
    "read",
    "tables",
    "to_csv",
    "to_excel",
    "week",
]
_MODULES = dict.fromkeys(("NotAMetricError", "NotAddableError", "metrics"), "rates") | {
    "labelled": "labels",
    "about": "about",
    "ranking": "ranking",
    "describe": "guide",
    "ReplacedError": "whole",
    **dict.fromkeys(("TooManyRowsError", "to_csv", "to_excel"), "workbook"),
    **dict.fromkeys(("last_weeks", "week"), "weeks"),
    **dict.fromkeys(
        ("NoRowsWarning", "NoSuchNameError", "NotAllUnitsWarning", "NotLoadedError", "NotLoadedWarning"), "errors"
    ),
}


def __getattr__(name: str) -> Any:
    """Load what notebooks use when it is used: whoever reads a setting or runs the sandbox needs no DuckDB."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        return version("herobase-pipeline")
    if name == "charts":
        return import_module("herobase_pipeline.reading.charts")
    if name == "tables":  # a package, which lists the tables when it is called
        return import_module("herobase_pipeline.tables")
    return getattr(import_module(f"herobase_pipeline.reading.{_MODULES.get(name, 'reader')}"), name)


def __dir__() -> list[str]:
    return __all__
