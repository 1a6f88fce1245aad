"""A spreadsheet that cannot be mis-added: counts of some weeks by team, and rates that its formulas make of the counts."""

import csv
import datetime as dt
import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from herobase_pipeline.addresses import is_remote, place
from herobase_pipeline.cells import harmless
from herobase_pipeline.enums import CallEndCause, LeadClosure
from herobase_pipeline.lake import notes, reports
from herobase_pipeline.lake.catalogue import timezone_of
from herobase_pipeline.partitions import in_words
from herobase_pipeline.reading import formulas
from herobase_pipeline.reading.days import SITE
from herobase_pipeline.reading.formulas import OTHER, Count
from herobase_pipeline.reading.reader import Day, Level
from herobase_pipeline.reading.weekly import NOT_LOADED, WHOLE, Key, Weeks, weeks
from herobase_pipeline.tables import CALL_OUTCOMES, LEAD_CONVERSION, Table
from herobase_pipeline.tables.metrics import CALLS, METRICS, Metric, Unit

SHEETS = ("outcomes", "conversion", "counts", "notes")
MOST_ROWS = 1_048_575
"""So many a sheet holds below its heading."""
_LONGEST = 32_767  # characters of a cell
_CAUSES = [cause.name for cause in CallEndCause if cause is not CallEndCause.NotApplicable]
_CLOSURES = [closure.name for closure in (*list(LeadClosure)[1:], LeadClosure.NotSet)]
_ALSO = {"NormalDisconnect": " (contacts)", "DroppedCall": " (drops)", "NotSet": " (by the system)"}
_NOT_SETTLED, _BY_SYSTEM = "(not settled yet)", ", closed by the system"
_COUNTS = ("day", SITE, "team_code", "team", "campaign", "table", "category", "count")


class TooManyRowsError(ValueError):
    """There are more rows than a sheet holds; the message says how to choose fewer."""


@dataclass
class Sheet:
    """A sheet of counts and rates by week and team.

    Attributes:
        name: what it is called.
        table: whose counts they are.
        by: the column of the end cause or closure.
        counts: its columns of counts.
        metrics: the rates.
        rows: the counts of each row, in the order of the columns; None where the week is not loaded.

    """

    name: str
    table: Table
    by: str
    counts: Sequence[Count]
    metrics: Sequence[Metric]
    rows: Mapping[Key, Sequence[int] | None] = field(default_factory=dict)


def to_excel(
    path: str | Path,
    start: Day | None = None,
    end: Day | None = None,
    *,
    level: Level = "leaf",
    org: str | None = None,
    data_dir: str | Path | None = None,
    site: str | None = None,
) -> Path:
    """Write a spreadsheet of call outcomes and conversion by week and team, and return where it lies.

    Its sheets: ``outcomes`` and ``conversion`` (a row a week and team: counts, and rates as formulas of the counts in the same
    row; the last row adds the counts up and divides these), ``counts`` (a row a day, team, campaign and end cause or closure,
    to pivot), ``notes`` (which lake, which days are missing, what each rate is). A week that is not whole says so in its rows.

    Args:
        path: the file, an ``.xlsx``; one that is there is replaced.
        start: the first day; by default the Monday four weeks before that of ``end``.
        end: the last day; by default the last Sunday.
        level: as for ``read``: a depth of the hierarchy, or ``leaf`` for the unit that each call was made in.
        org: as for ``read``: an org unit; only what lies under it.
        data_dir: as for ``read``.
        site: as for ``read``.

    Raises:
        NotLoadedError: none of the days is loaded.
        TooManyRowsError: there are more counts than a sheet holds.
        NoSuchNameError: there is no such org unit or site.
        ValueError: what was given is no day, no level, or no ``.xlsx``.

    Warns:
        NotLoadedWarning: some of the days are not loaded; the sheets say so too.
        NotAllUnitsWarning: some calls or leads are in no unit at that level.

    """
    return _kept(path, ".xlsx", xlsx, start, end, level=level, org=org, data_dir=data_dir, site=site)


def to_csv(
    path: str | Path,
    start: Day | None = None,
    end: Day | None = None,
    *,
    level: Level = "leaf",
    org: str | None = None,
    data_dir: str | Path | None = None,
    site: str | None = None,
) -> Path:
    """Write what the sheet ``counts`` of ``to_excel`` has as one CSV file, and return where it lies.

    UTF-8 with its mark, semicolons, lines that end with CR LF, days as 2026-03-29: a Danish Excel opens it at a click. It has
    counts alone, as there are no formulas in a CSV: a rate in it would be added up. A name that a spreadsheet would run as a
    formula has an apostrophe in front.

    Args, errors and warnings are those of ``to_excel``, but that a file of any length may be written.
    """
    return _kept(path, ".csv", as_csv, start, end, level=level, org=org, data_dir=data_dir, site=site)


def _kept(path: str | Path, ending: str, made: Any, *days: Day | None, **chosen: Any) -> Path:
    """Write what is made of some weeks to a file."""
    target = place(path)
    if target.suffix.lower() != ending:
        raise ValueError(f"{target.name} must end with {ending}, by which a spreadsheet is known.")
    read = weeks(*days, **chosen)
    for each in read.told:
        warnings.warn(str(each.message), each.category, stacklevel=3)
    reports.put(target if is_remote(target) else target.absolute(), made(read))
    return target


def xlsx(read: Weeks) -> bytes:
    """Return the spreadsheet of some weeks.

    Raises:
        TooManyRowsError: there are more counts than a sheet holds.

    """
    rows = list(counted(read))
    if len(rows) > MOST_ROWS:
        raise TooManyRowsError(
            f"There are {len(rows):,} rows of counts, and a sheet holds {MOST_ROWS:,}: choose fewer days (start, end), one unit "
            "(org), or a level further up (level=1); or take to_csv, whose file may be as long as it likes."
        )
    file = io.BytesIO()
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, {"in_memory": True, **safe}) as book:
        book.set_calc_mode("auto")
        book.define_name(formulas.Z, f"={formulas.Z_IS}")
        looks = _Looks(book)
        sheets = [outcomes(read), conversion(read)]
        for sheet in sheets:
            _write_weeks(book.add_worksheet(sheet.name), sheet, read, looks)
        _write_counts(book.add_worksheet("counts"), rows, read, looks)
        _write_notes(book.add_worksheet("notes"), read, sheets, looks)
    return file.getvalue()


def as_csv(read: Weeks) -> bytes:
    """Return the counts of some weeks as CSV."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, delimiter=";", lineterminator="\r\n")
    shown = [name for name in _COUNTS if read.has_sites or name != SITE]
    lines.writerow(shown)
    for row in counted(read):
        lines.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in map(row.__getitem__, shown)])
    return f"\ufeff{text.getvalue()}".encode()


# -- what is counted -----------------------------------------------------------------------------------------------------


def outcomes(read: Weeks) -> Sheet:
    """Return the sheet of calls by end cause."""
    counts = [Count("dials", "", "dials")]
    counts += [Count("settled_dials", cause, cause + _ALSO.get(cause, "")) for cause in _CAUSES]
    counts.append(Count("settled_dials", OTHER, "any other end cause"))
    metrics = [
        metric for metric in METRICS if metric.basis is CALLS and metric.unit is Unit.SHARE and not metric.shares
    ]
    return _filled(Sheet("outcomes", CALL_OUTCOMES, "end_cause", counts, metrics), read)


def conversion(read: Weeks) -> Sheet:
    """Return the sheet of closed leads by closure."""
    counts = [Count("leads", closure, closure + _ALSO.get(closure, "")) for closure in _CLOSURES]
    counts.append(Count("leads", OTHER, "any other closure"))
    counts += [Count("by_system", each.category, f"of these {each.category}{_BY_SYSTEM}") for each in counts]
    metrics = [metric for metric in METRICS if metric.name in ("conversion_net", "conversion_per_lead_closed")]
    sheet = _filled(Sheet("conversion", LEAD_CONVERSION, "closure", counts, metrics), read)
    there = [
        number
        for number, count in enumerate(counts)
        if count.measure == "leads" or any(row[number] for row in sheet.rows.values() if row)
    ]
    shown = {key: row and [row[number] for number in there] for key, row in sheet.rows.items()}
    return Sheet(sheet.name, sheet.table, sheet.by, [counts[number] for number in there], metrics, shown)


def _filled(sheet: Sheet, read: Weeks) -> Sheet:
    """Return a sheet with the counts of its rows: none of a week that is not loaded, zeros of one that was quiet."""
    weekly = read.tables[sheet.table].rows
    sums: dict[Key, dict[tuple[str, str], int]] = {}
    if weekly is not None and not weekly.empty:
        documented = {count.category for count in sheet.counts}
        category = weekly[sheet.by].where(weekly[sheet.by].isin(documented), OTHER)
        for measure in dict.fromkeys(count.measure for count in sheet.counts):
            added = weekly.groupby(["week", SITE, "unit", category], as_index=False)[measure].sum()
            for week, site, unit, of, number in added.itertuples(index=False, name=None):
                its = sums.setdefault(Key(week, site, unit), {})
                for name in (of, ""):
                    its[measure, name] = its.get((measure, name), 0) + int(number)
    rows: dict[Key, Sequence[int] | None] = {}
    for key in read.keys(sheet.table):
        its = sums.get(key, {})
        unknown = read.state(sheet.table, key) == NOT_LOADED
        rows[key] = None if unknown else [its.get((count.measure, count.category), 0) for count in sheet.counts]
    return Sheet(sheet.name, sheet.table, sheet.by, sheet.counts, sheet.metrics, rows)


def counted(read: Weeks) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``counts``: each dial and each closed lead is in one of them."""
    for table, by, whole, part in (
        (CALL_OUTCOMES, "end_cause", "dials", "settled_dials"),
        (LEAD_CONVERSION, "closure", "leads", "by_system"),
    ):
        rows = read.tables[table].rows
        if rows is None or rows.empty:
            continue
        found = rows.assign(org_code=rows["org_code"].fillna(""), category=rows[by].fillna("(none)"))
        keys = ["day", SITE, "org_code", "unit", "campaign", "category"]
        added = found.groupby(keys, as_index=False)[[whole, part]].sum().sort_values(keys)
        for *key, of_all, of_part in added[[*keys, whole, part]].itertuples(index=False, name=None):
            *which, category = key
            named = (category, _NOT_SETTLED) if table is CALL_OUTCOMES else (category + _BY_SYSTEM, category)
            for number, name in zip((of_part, of_all - of_part), named, strict=True):
                if number:
                    yield dict(zip(_COUNTS, (*which, table.name, name, int(number)), strict=True))


# -- how it looks --------------------------------------------------------------------------------------------------------


class _Looks:
    """The formats of a workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book, self._made = book, dict[tuple[tuple[str, Any], ...], Format]()

    def of(self, kind: str = "text", *, doubtful: bool = False, last: bool = False) -> Format:
        """Return the format of a kind of cell: in a row that is not whole, and in the last row."""
        kinds: dict[str, dict[str, Any]] = {
            "heading": {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1},
            "text": {"quote_prefix": True},
            "long": {"quote_prefix": True, "text_wrap": True, "valign": "top"},
            "day": {"num_format": "yyyy-mm-dd", "align": "left"},
            "count": {"num_format": "#,##0"},
            "rate": {"num_format": "0.0%"},
            "end": {"num_format": "0.0%", "font_color": "#666666"},
        }
        its = kinds[kind] | ({"bg_color": "#FBE3C0"} if doubtful else {}) | ({"bold": True, "top": 1} if last else {})
        key = tuple(sorted(its.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(its)
        return self._made[key]


def _text(sheet: Worksheet, row: int, column: int, text: str, look: Format) -> None:
    """Write a text as a text, whatever it begins with."""
    sheet.write_string(row, column, text[:_LONGEST], look)


@dataclass(frozen=True)
class _Column:
    """A column that is made of others in its row: a sum, a rate, or an end of a rate's interval."""

    title: str
    kind: str
    parts: formulas.Parts = field(default_factory=dict)
    numerator: int = 0
    denominator: int = 0
    sign: str = ""

    def formula(self, row: int) -> str:
        """Return its formula."""
        if self.kind == "count":
            return formulas.total(self.parts, row)
        if self.sign:
            return formulas.wilson(self.numerator, self.denominator, row, self.sign)
        return formulas.rate(self.numerator, self.denominator, row)

    def value(self, cells: Mapping[int, float | str]) -> float | str:
        """Return what the formula gives, for viewers that compute nothing; ``cells`` are those before it in the row."""
        if self.kind == "count":
            return sum(times * float(cells[column] or 0) for column, times in self.parts.items())
        k, n = float(cells[self.numerator] or 0), float(cells[self.denominator] or 0)
        if n <= 0:
            return ""
        if not self.sign:
            return k / n
        half = formulas.Z_IS * math.sqrt(k * (n - k) / n + formulas.Z_IS**2 / 4)
        return (k + formulas.Z_IS**2 / 2 + (half if self.sign == "+" else -half)) / (n + formulas.Z_IS**2)


def _computed(sheet: Sheet, first: int) -> list[_Column]:
    """Return the columns behind the counts, of which the first is in the column ``first``."""
    behind = first + len(sheet.counts)
    columns: list[_Column] = []
    sums: dict[tuple[tuple[int, int], ...], int] = {}

    def place_of(parts: formulas.Parts, title: str) -> int:
        """Return the column of a sum; a new one, unless it is one count, or was there before."""
        if list(parts.values()) == [1]:
            return next(iter(parts))
        key = tuple(parts.items())
        if key not in sums:
            sums[key] = behind + len(columns)
            columns.append(_Column(title, "count", parts=parts))
        return sums[key]

    for metric in sheet.metrics:
        above, below = formulas.parts_of(metric, sheet.table, sheet.by, sheet.counts, first)
        k, n = place_of(above, metric.numerator_words), place_of(below, metric.denominator_words)
        columns.append(_Column(metric.name, "rate", numerator=k, denominator=n))
        columns.append(_Column("from", "end", numerator=k, denominator=n, sign="-"))
        columns.append(_Column("to", "end", numerator=k, denominator=n, sign="+"))
    return columns


def _write_weeks(sheet: Worksheet, made: Sheet, read: Weeks, looks: _Looks) -> None:
    """Write a row a week and team, and a last one of all of them."""
    heads = ["week from", *([SITE] if read.has_sites else []), "team", "the week is"]
    first = len(heads)
    computed = _computed(made, first)
    titles = [*heads, *(count.title for count in made.counts), *(column.title for column in computed)]
    for column, title in enumerate(titles):
        sheet.write_string(0, column, title, looks.of("heading"))
    doubtful = []
    for row, (key, numbers) in enumerate(made.rows.items(), 1):
        state = read.state(made.table, key)
        doubtful.append(state != WHOLE)
        sheet.write_datetime(row, 0, dt.datetime.combine(key.week, dt.time()), looks.of("day", doubtful=state != WHOLE))
        team = key.team or ("" if numbers is None else "(nothing happened)")
        texts = [*([key.site] if read.has_sites else []), team, state]
        for column, text in enumerate(texts, 1):
            _text(sheet, row, column, text, looks.of("text", doubtful=state != WHOLE))
        look = looks.of("count", doubtful=state != WHOLE)
        for column in range(len(made.counts)):
            if numbers is None:
                sheet.write_blank(row, first + column, None, look)
            else:
                sheet.write_number(row, first + column, numbers[column], look)
        _write_computed(sheet, row, first, numbers or [0] * len(made.counts), computed, looks, doubtful=state != WHOLE)
    _write_last(sheet, made, read, computed, looks, first, doubtful)
    sheet.freeze_panes(1, first)
    sheet.set_row(0, 75)
    sheet.set_column(0, 0, 11)
    sheet.set_column(1, first - 1, 24)
    sheet.set_column(first, len(titles) - 1, 13)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _write_last(
    sheet: Worksheet,
    made: Sheet,
    read: Weeks,
    computed: Sequence[_Column],
    looks: _Looks,
    first: int,
    doubtful: Sequence[bool],
) -> None:
    """Write the row of all: counts added up, and rates made of the sums."""
    row = len(made.rows) + 1
    _text(sheet, row, 0, "all", looks.of(last=True))
    weeks_short = len({key.week for key, is_short in zip(made.rows, doubtful, strict=True) if is_short})
    states = [
        WHOLE if not weeks_short else f"{weeks_short} of {len(read.mondays)} weeks: not whole, or may still change"
    ]
    for column, text in enumerate([""] * (first - 2) + states, 1):
        _text(sheet, row, column, text, looks.of(last=True, doubtful=weeks_short > 0))
    sums = [sum(numbers[n] for numbers in made.rows.values() if numbers) for n in range(len(made.counts))]
    for number, added in enumerate(sums):
        column = first + number
        above = f"{xlsxwriter.utility.xl_col_to_name(column)}2:{xlsxwriter.utility.xl_col_to_name(column)}{row}"
        sheet.write_formula(row, column, f"=SUM({above})", looks.of("count", last=True), added)
    _write_computed(sheet, row, first, sums, computed, looks, last=True)


def _write_computed(
    sheet: Worksheet,
    row: int,
    first: int,
    numbers: Sequence[int],
    computed: Sequence[_Column],
    looks: _Looks,
    *,
    doubtful: bool = False,
    last: bool = False,
) -> None:
    cells: dict[int, float | str] = dict(enumerate(map(float, numbers), first))
    for number, column in enumerate(computed, first + len(numbers)):
        cells[number] = column.value(cells)
        look = looks.of(column.kind, doubtful=doubtful, last=last)
        sheet.write_formula(row, number, column.formula(row), look, cells[number])


def _write_counts(sheet: Worksheet, rows: Sequence[Mapping[str, Any]], read: Weeks, looks: _Looks) -> None:
    """Write the rows to pivot, as a table of the spreadsheet."""
    shown = [name for name in _COUNTS if read.has_sites or name != SITE]
    for number, row in enumerate(rows, 1):
        for column, name in enumerate(shown):
            if name == "day":
                sheet.write_datetime(number, column, dt.datetime.combine(row[name], dt.time()), looks.of("day"))
            elif name == "count":
                sheet.write_number(number, column, row[name], looks.of("count"))
            else:
                _text(sheet, number, column, row[name], looks.of())
    headings = [{"header": name, "header_format": looks.of("heading")} for name in shown]
    options = {"name": "counts", "columns": headings, "style": "Table Style Light 1"}
    sheet.add_table(0, 0, max(len(rows), 1), len(shown) - 1, options)  # a table has at least one row
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, 0, 11)
    sheet.set_column(1, len(shown) - 2, 22)


def _write_notes(sheet: Worksheet, read: Weeks, sheets: Sequence[Sheet], looks: _Looks) -> None:
    row = 0
    for what, told in _notes(read):
        _text(sheet, row, 0, what, looks.of("heading"))
        _text(sheet, row, 1, told, looks.of("long"))
        row += 1
    row += 1
    for column, title in enumerate(
        ("rate", "its numerator", "its denominator", "what to know before you quote it", "version")
    ):
        sheet.write_string(row, column, title, looks.of("heading"))
    for metric in (metric for made in sheets for metric in made.metrics):
        row += 1
        caveat = f"{metric.caveat} By {metric.basis.of_day}."
        texts = (metric.name, metric.numerator_words, metric.denominator_words, caveat.strip(), str(metric.version))
        for column, text in enumerate(texts):
            _text(sheet, row, column, text, looks.of("long"))
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 3, 60)


def _notes(read: Weeks) -> Iterator[tuple[str, str]]:
    """Yield what has to be known of the numbers, a heading and a sentence each."""
    for site, lake in read.lakes.items():
        identity = notes.read(lake, "identity") or {}
        name = f"{site}: " if read.has_sites else ""
        yield f"{name}lake", str(lake.root if is_remote(lake.root) else lake.root.absolute())
        yield f"{name}of", str(identity.get("account", "nobody yet"))
        yield f"{name}days of", str(identity.get("timezone") or timezone_of(lake))
    yield "made", f"{read.made_at:%Y-%m-%d %H:%M} ({read.made_at.tzinfo})"
    yield "days", f"{read.first} to {read.last}, weeks from Monday"
    yield "teams", f"{read.chosen}, under its latest name; (no team) has what no unit is known of"
    days = [day for monday in read.mondays for day in read.days_of(monday)]
    for table in read.tables:
        for site in read.lakes:
            missing = read.missing(table, site, days)
            name = f"{site}: " if read.has_sites else ""
            told = f"{in_words(missing)}: sums over these days are too low" if missing else "no day"
            yield f"{name}not loaded whole, {table.name}", told
            young = sorted(
                {key.week for key, is_ripe in read.tables[table].mature.items() if key.site == site and not is_ripe}
            )
            told = f"the weeks from {', '.join(map(str, young))}" if young else "no week"
            yield f"{name}may still change, {table.name}", told
    yield (
        "what that means",
        "A call counts in rates once it is settled, up to 8 days after it; a closing may be corrected late. Until then a week's "
        "numbers may still change, most of them upwards.",
    )
    yield (
        "how to add up",
        "Counts may be added over weeks and teams, rates may not: the row of all divides the sums. In the sheet counts, each "
        "dial and each closed lead is in one row; add within one table.",
    )
    yield (
        "intervals",
        "From and to are the interval of Wilson (1927) at 95 %: where the share may lie, by chance alone.",
    )
    for each in read.told:
        yield "the reader says", str(each.message)
