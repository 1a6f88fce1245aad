"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Sequence


def meant(name: str, names: Sequence[str]) -> str:
    """Return a sentence with the names that come close, or with all of them where none does."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"Perhaps {' or '.join(close)}?" if close else f"There are: {', '.join(names)}."
