"""Asking a saved search, which may not be there: some accounts answer 500 then, as they do for windows that are too large."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from herobase_pipeline.herobase.errors import SearchFailedError, ServerFailedError
from herobase_pipeline.herobase.windows import FLOOR
from herobase_pipeline.partitions import Window

T = TypeVar("T")


def existing(search: str, ask: Callable[[Window], Iterator[T]]) -> Callable[[Window], Iterator[T]]:
    """Return ``ask`` with a look at why it fails: where a moment of the window fails too, no smaller window will help.

    Raises:
        SearchFailedError: by what is returned, where a search that has not answered yet fails whatever the window.

    """
    has_answered = False

    def asking(window: Window) -> Iterator[T]:
        nonlocal has_answered
        try:
            yield from ask(window)
        except ServerFailedError:
            if has_answered:
                raise
            moment = Window(max(window.start, window.end - FLOOR), window.end)
            try:
                for _ in ask(moment):
                    pass
            except ServerFailedError:
                raise SearchFailedError(search, "failed (500)") from None
            has_answered = True
            raise
        has_answered = True

    return asking
