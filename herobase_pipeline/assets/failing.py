"""What a step says that fails by no fault of HeroBase: of the disk, or of a file on it."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import dagster as dg
import duckdb

from herobase_pipeline.lake.damage import DamagedError
from herobase_pipeline.lake.disk import DiskError, in_words
from herobase_pipeline.lake.layout import Lake

P = ParamSpec("P")
T = TypeVar("T")


def disk_in_words(compute: Callable[P, T]) -> Callable[P, T]:
    """Return what an asset or check computes, failing in words where the disk fails it.

    That is where it is full, cannot be written to, or has a damaged file.

    It must have the settings as its argument ``settings``.

    Raises:
        dagster.Failure: with these words, by what it returns.

    """

    @wraps(compute)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with _told(kwargs["settings"]):
            return compute(*args, **kwargs)

    @wraps(compute)
    def generate(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        with _told(kwargs["settings"]):
            yield from cast("Iterator[Any]", compute(*args, **kwargs))

    return cast("Callable[P, T]", generate) if inspect.isgeneratorfunction(compute) else run


@contextmanager
def _told(settings: Any) -> Iterator[None]:
    try:
        yield
    except (DiskError, DamagedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except (OSError, duckdb.Error) as error:
        words = in_words(Lake(settings.data_dir), error)
        if words is None:
            raise
        raise dg.Failure(words, allow_retries=False) from None
