"""Days one after the other: while the files of one are made and written, the next one is asked for already.

All is asked by the thread that wants the days, so never two requests at once, and one other thread writes. A day goes as far
ahead as its first pause, one day and no more, so two pulls share the machine: each has a connection of its own with the memory
of one (``lake.engine``). What a day leaves in the lake is there before the next one goes on.
"""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor

from herobase_pipeline.pulling.day import Asked, Pulled, Pulling


def finish(pull: Pulling) -> Pulled:
    """Do what is left of a pull, without a pause."""
    while True:
        try:
            next(pull)
        except StopIteration as end:
            pulled: Pulled = end.value
            return pulled


def overlapped(pulls: Iterable[Pulling]) -> Generator[Pulled]:
    """Yield what pulls brought, in their order, each once its files are written and the next one has gone ahead.

    Where one fails, those before it are yielded and what the next one has asked for is dropped. The last one is written by
    the caller's own thread, so that a day alone takes no other. An interruption waits for the files that are being written.

    Args:
        pulls: of a day each, not begun; nothing but its own steps may fail.

    Raises:
        Exception: what the first pull that failed raises.

    """
    before: Pulling | None = None
    with ThreadPoolExecutor(1, "writing") as writer:
        for pull in pulls:
            written = writer.submit(finish, before) if before else None
            try:
                try:
                    asked = next(pull)
                finally:  # whatever became of this one, the one before comes first
                    if written:
                        yield written.result()
                while asked is not Asked.ALL:
                    asked = next(pull)
            except BaseException:
                pull.close()
                raise
            before = pull
        if before:
            yield finish(before)
