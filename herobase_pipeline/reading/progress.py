"""How far a long read is, for whoever waits for it: on a terminal or in a notebook, and nowhere else."""

import sys

import duckdb


def show_progress(con: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB show how far a query is that takes more than two seconds, where a person is looking."""
    shell = sys.modules.get("IPython")
    is_notebook = shell is not None and hasattr(shell.get_ipython(), "kernel")
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    con.execute(f"SET enable_progress_bar = {is_notebook or is_terminal}")
