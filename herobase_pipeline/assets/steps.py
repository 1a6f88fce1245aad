"""What every step of an account has: its settings, and words for what fails by no fault of HeroBase."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import dagster as dg
import duckdb

from herobase_pipeline.assets.site import Site
from herobase_pipeline.lake.damage import DamagedError
from herobase_pipeline.lake.disk import DiskError, in_words
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.settings import Settings

T = TypeVar("T")


def step_of(site: Site) -> Callable[[Callable[[Any, Settings], T]], Callable[[Any], T]]:
    """Return what makes a step of a function of its context and the settings that the run has of the site.

    Where the disk fails it, as it is full, cannot be written to, or has a damaged file, the step fails in words.
    The step must require the site's resource.

    Raises:
        dagster.Failure: with these words, by what it returns.

    """

    def made(compute: Callable[[Any, Settings], T]) -> Callable[[Any], T]:
        def run(context: Any) -> T:
            settings = getattr(context.resources, site.resource)
            with _told(settings):
                return compute(context, settings)

        def generate(context: Any) -> Iterator[Any]:
            settings = getattr(context.resources, site.resource)
            with _told(settings):
                yield from cast("Iterator[Any]", compute(context, settings))

        step = cast("Callable[[Any], T]", generate if inspect.isgeneratorfunction(compute) else run)
        step.__name__, step.__doc__ = compute.__name__, compute.__doc__  # but not its second argument
        step.__annotations__ = {name: kind for name, kind in compute.__annotations__.items() if name != "settings"}
        return step

    return made


@contextmanager
def _told(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (DiskError, DamagedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except (OSError, duckdb.Error) as error:
        words = in_words(Lake(settings.data_dir), error)
        if words is None:
            raise
        raise dg.Failure(words, allow_retries=False) from None
