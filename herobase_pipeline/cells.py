"""Texts as cells of a spreadsheet that runs nothing of them."""

import re

_SIGNS = "=+\\-@\t\r＝＋－＠"  # the last four of full width
_FORMULA, _WITHIN = re.compile(f"[{_SIGNS}]"), re.compile(rf"([,;\t|]\s*)([{_SIGNS}])")
_NUMBER = re.compile(r"[+-]?\d[\d .,]*")


def harmless(text: str) -> str:
    """Return a text as a cell in one line that no spreadsheet takes for a formula (OWASP, CSV injection).

    Nor where it splits lines at another sign than ours. A number stays one.
    """
    line = _WITHIN.sub(r"\1'\2", " ".join(text.splitlines()))
    runs = any(map(_FORMULA.match, (text, line, line.lstrip())))
    return f"'{line}" if runs and not _NUMBER.fullmatch(line) else line
