"""What a benchmark prints, and keeps of it where ``RESULTS`` in the environment names a file: a table in Markdown."""

import os
import resource
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = "BENCHMARK_RESULTS"


def show(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table, with what each line of it is below; the first column is text, the others are numbers."""
    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    console = Console(width=150)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    if path := os.environ.get(RESULTS):
        lines = [f"## {title}", "", _line(heads), _line([":--", *["--:"] * (len(heads) - 1)]), *map(_line, rows), ""]
        lines += [f"- {note}" for note in notes] + ([""] if notes else [])
        with Path(path).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def peak_mb() -> float:
    """Return the most memory that this process has had, in MB.

    By the kernel's own account of it where there is one: ``getrusage`` begins with what the parent had when it started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    high = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return (high[0] if high else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
