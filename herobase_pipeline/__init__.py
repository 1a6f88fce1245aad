"""Days of calls and leads from HeroBase, kept as Parquet by the org hierarchy captured on each call.

For notebooks: ``about`` says which lake it is, ``connect`` and ``read`` give what is in it, ``labelled`` names units and
campaigns, ``metrics`` makes rates, ``charts`` draws them; ``last_weeks`` says which weeks are over and loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from herobase_pipeline.reading.labels import labelled
    from herobase_pipeline.reading.rates import NotAddableError, NotAMetricError, metrics
    from herobase_pipeline.reading.reader import connect, read
    from herobase_pipeline.reading.weeks import last_weeks, week
    from herobase_pipeline.reading.whole import ReplacedError

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
    "about",
    "charts",
    "connect",
    "labelled",
    "last_weeks",
    "metrics",
    "read",
    "week",
]
_MODULES = dict.fromkeys(("NotAMetricError", "NotAddableError", "metrics"), "rates") | {
    "labelled": "labels",
    "about": "about",
    "ReplacedError": "whole",
    **dict.fromkeys(("last_weeks", "week"), "weeks"),
    **dict.fromkeys(
        ("NoRowsWarning", "NoSuchNameError", "NotAllUnitsWarning", "NotLoadedError", "NotLoadedWarning"), "errors"
    ),
}


def __getattr__(name: str) -> Any:
    """Load what notebooks use when it is used: whoever reads a setting or runs the sandbox needs no DuckDB."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "charts":
        return import_module("herobase_pipeline.reading.charts")
    return getattr(import_module(f"herobase_pipeline.reading.{_MODULES.get(name, 'reader')}"), name)


def __dir__() -> list[str]:
    return __all__
