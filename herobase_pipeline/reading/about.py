"""Which lake is read, whose it is, and up to which day: what a notebook says first."""

from pathlib import Path

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import timezone_of
from herobase_pipeline.lake.completeness import known_in_full
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.lake.layout import Lake
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading.lakes import are_sites, existing, lakes_of
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, LEAD_CONVERSION, SEARCH_LEADS, SIMPLE_LEADS

_SHOWN = {
    CALLS: "calls",
    SIMPLE_LEADS: "leads",
    SEARCH_LEADS: "searched",
    CALL_OUTCOMES: "outcomes",
    LEAD_CONVERSION: "closings",
}


def about(data_dir: str | Path | None = None, *, site: str | None = None) -> str:
    """Return in a few lines where the lake lies, whose it is, and which days of it are known in full; of each site, if several.

    Args:
        data_dir: as for ``connect``.
        site: the one that is meant; all by default.

    Raises:
        NotLoadedError: there is no lake there.

    """
    lakes = existing(lakes_of(data_dir, site))
    return "\n\n".join((f"{name}\n" if are_sites(lakes, site) else "") + _of_one(lake) for name, lake in lakes.items())


def _of_one(lake: Lake) -> str:
    identity = notes.read(lake, "identity") or {}
    lines = [
        f"Lake:     {lake.root.absolute()}",
        f"Of:       {identity.get('account', 'nobody yet; the next run says whose it is')}",
        f"Days of:  {identity.get('timezone') or timezone_of(lake)}",
    ]
    with bare() as con:
        for table, what in _SHOWN.items():
            files = lake.files(table)
            if not files and table is SEARCH_LEADS:  # most accounts do without
                continue
            whole = sorted(known_in_full(con, lake.footers(table)))
            days = lake.days(table) if table.daily else whole
            part = sorted(set(days) - set(whole))
            told = f"whole for {in_words(whole)}" if whole else "no whole day" if files else "not loaded"
            lines.append(f"{what + ':':<10}{told}" + (f"; in part for {in_words(part)}" if part else ""))
    return "\n".join(lines)
