"""How far a long read is, for whoever waits for it: in a notebook or on a terminal, and nowhere else."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

PATIENCE = 2.0
"""Seconds after which somebody wants to know."""
_EVERY = 0.2


@contextmanager
def progress(con: duckdb.DuckDBPyConnection, what: str) -> Iterator[None]:
    """Show how far the queries of a connection are while the block runs, once it has taken two seconds.

    Args:
        con: the connection.
        what: what is read.

    """
    if not _is_watched():
        yield
        return
    con.execute("SET enable_progress_bar = true")
    con.execute("SET enable_progress_bar_print = false")
    done = threading.Event()
    thread = threading.Thread(target=_show, args=(con, what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _is_watched() -> bool:
    """Whether a person is looking: at a terminal, or at a notebook whose kernel this is."""
    shell = sys.modules.get("IPython")
    kernel = getattr(shell.get_ipython(), "kernel", None) if shell else None
    return kernel is not None or sys.stderr.isatty()


def _show(con: duckdb.DuckDBPyConnection, what: str, done: threading.Event) -> None:
    if done.wait(PATIENCE):
        return
    from tqdm import tqdm  # most reads are over by now

    shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
    with tqdm(total=100, desc=f"Reading {what}", bar_format=shape, leave=False) as bar:
        while not done.wait(_EVERY):
            bar.n = max(bar.n, con.query_progress())  # -1 between two queries
            bar.refresh()
