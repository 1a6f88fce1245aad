"""Days of calls and leads from HeroBase, kept as Parquet by the org hierarchy captured on each call.

For notebooks: ``connect`` and ``read`` give what is in the lake, ``metrics`` makes rates of it, ``charts`` draws them.
"""

from herobase_pipeline.reader import (
    NoRowsWarning,
    NoSuchNameError,
    NotLoadedError,
    NotLoadedWarning,
    connect,
    read,
)
from herobase_pipeline.rolling import NotAddableError, NotAMetricError, metrics

__all__ = [
    "NoRowsWarning",
    "NoSuchNameError",
    "NotAMetricError",
    "NotAddableError",
    "NotLoadedError",
    "NotLoadedWarning",
    "connect",
    "metrics",
    "read",
]
