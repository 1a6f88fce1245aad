"""How a table is declared: its columns once, from which come the file's schema, the UI's, the catalogue's comments."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from importlib.resources import files

_Enum = type[IntEnum]  # by a name of its own, as a column has a ``type``


class Type(StrEnum):
    """What a column can be, by DuckDB's name. TIMESTAMPTZ is an instant in UTC, DOUBLE a length in seconds."""

    TEXT = "VARCHAR"
    TEXTS = "VARCHAR[]"
    INSTANT = "TIMESTAMPTZ"
    DAY = "DATE"
    DAYS = "DATE[]"
    SECONDS = "DOUBLE"
    NUMBER = "DOUBLE"
    SHARE = "DOUBLE"
    COUNT = "BIGINT"
    FLAG = "BOOLEAN"


class Holds(StrEnum):
    """What of a customer a column holds: by it a person is found, and erased (docs/privacy.md)."""

    LEAD = "HeroBase's id of the lead"
    NUMBER = "the keyed hash of a phone number"
    TEXT = "what a customer, or a field of HeroBase, may have said"


def of(table: str, columns: str) -> tuple[str, ...]:
    """Return some columns of a table, given as words, for ``made_from``.

    To it belong the columns that decide a value: conditions, and what is the first or the last; a key that rows are only
    grouped or joined by does not. A count of rows is made from what decides which rows there are.
    """
    return tuple(f"{table}.{column}" for column in columns.split())


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: its name in the file, the catalogue and the docs.
        type: its type; unit and zone follow from it (see ``Type``).
        description: what it means, in a sentence without a full stop.
        field: the JSON field of HeroBase it is read from, ``object.member`` for a member of a nested object. Of a list, of
            which no name is documented, those that it may have, with ``|`` between them.
        enum: the documented values, for a field that is an enumeration.
        read_by: the SQL macro that reads the field, where its type does not say it. It gets the text as it came;
            without a reader an empty text is none.
        required: a record without it cannot be kept, and is set aside.
        additive: a count or a length that may be summed over rows, within one level of the hierarchy.
        made_from: the columns of other tables, as ``table.column``, that its value is computed from (see ``of``).
        holds: what of a customer is in it; None for nothing.
        in_file: whether it stands in the table's files; what changes each day for all rows is looked up as they are read.
        length: of a keyed hash, its hexadecimal digits. Older files have twice as many; the first ones are the same.

    """

    name: str
    type: Type
    description: str
    field: str | None = None
    enum: _Enum | None = None
    read_by: str | None = None
    required: bool = False
    additive: bool = False
    made_from: tuple[str, ...] = ()
    holds: Holds | None = None
    in_file: bool = True
    length: int | None = None

    @property
    def in_short(self) -> str | None:
        """The SQL that cuts the value of an older file to the length of now; None for what always had it."""
        return f"left({self.name}, {self.length})" if self.length else None


_ID = "campaign_id"
HASH = 32
"""Hexadecimal digits of a keyed hash: HMAC-SHA256 cut to 128 bits (RFC 2104, section 5), as it does not compress."""
LOOKED_UP = (
    Column("campaign_code", Type.TEXT, "the campaign's code, on the latest list that has it"),
    Column("campaign_name", Type.TEXT, "the campaign's name, on the latest list that has it; NULL if none has"),
    Column("project", Type.TEXT, "name of the campaign's project, on the latest list that has it; NULL if none has"),
)
"""What is shown beside a ``campaign_id``. A name kept in files would make two campaigns of one that was renamed."""


@dataclass(frozen=True)
class Table:
    """One table: asset key, folder and view carry its name.

    Attributes:
        name: the name.
        description: one sentence for the UI and the catalogue.
        grain: what one row is.
        columns: in the order of the file.
        daily: one file a day (``date=YYYY-MM-DD``) rather than one file.
        monthly: one file a month (``month=YYYY-MM``), so that what changes costs the months it is in.
        snapshot: its daily file is what HeroBase listed on the day of the pull, so a day without one is no gap.
        private: identifies customers, so lies under ``data/private`` and is in no catalogue.
        order: the order of the rows in its file, so that the same rows make the same file; by all columns if nothing less does.
        row_group: the rows of its file that are read or skipped together; small enough that several threads write it, large
            enough to compress well.
        view: the SELECT over other tables that it is; None for a table with files of its own.

    """

    name: str
    description: str
    grain: str
    columns: tuple[Column, ...]
    daily: bool = False
    monthly: bool = False
    snapshot: bool = False
    private: bool = False
    order: str = "ALL"
    row_group: int = 20_480
    view: str | None = None

    def __iter__(self) -> Iterator[Column]:
        """Its columns."""
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]

    @cached_property
    def in_file(self) -> tuple[Column, ...]:
        """The columns of its files."""
        return tuple(column for column in self.columns if column.in_file)

    @cached_property
    def identifies(self) -> bool:
        """Whether a column holds something of a customer."""
        return any(column.holds for column in self.columns)

    def holding(self, what: Holds) -> list[str]:
        """Return the names of its columns that hold this of a customer."""
        return [column.name for column in self.columns if column.holds is what]

    def columns_made_from(self, other: "Table") -> set[str]:
        """Return the columns of another table that decide a value of this one."""
        of = (each.partition(".") for column in self for each in column.made_from)
        return {column for name, _, column in of if name == other.name}

    @cached_property
    def campaigns(self) -> dict[str, tuple[str, dict[str, Column]]]:
        """What is looked up for the ids of campaigns, by the column that it stands behind.

        The id's column, and what of the list's code, name and project it has not itself, as a column here.
        """
        if self.private or self.snapshot:
            return {}
        found = {}
        for name in (name for name in self.names if name.endswith(_ID)):
            both = {of.name: replace(of, name=name.removesuffix(_ID) + of.name) for of in LOOKED_UP}
            own = [column.name for column in both.values() if column.name in self.names]
            found[own[-1] if own else name] = (name, {of: c for of, c in both.items() if c.name not in own})
        return found

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """Its columns as people read them, with what is looked up for a campaign's id beside it."""
        columns: list[Column] = []
        for column in self:
            _, looked_up = self.campaigns.get(column.name, ("", {}))
            columns += [column, *looked_up.values()]
        return tuple(columns)

    @property
    def key(self) -> list[str]:
        """Its Dagster asset key, which is also its path below the data directory's zones."""
        return ["private", self.name] if self.private else [self.name]

    @cached_property
    def query(self) -> str:
        """The SQL beside this module that makes it."""
        return files("herobase_pipeline.tables").joinpath(f"{self.name}.sql").read_text(encoding="utf-8")
