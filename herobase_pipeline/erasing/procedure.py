"""The erasure of persons: registered first, then every file that holds them is rewritten, then the catalogue.

A crash at any point resumes: whoever is in the register and not done in ``erasures`` is looked for again, by the keyed hashes
of the register alone. Private files go first, as what a call is of stands in ``calls``.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from herobase_pipeline.deriving import made
from herobase_pipeline.deriving.session import turn
from herobase_pipeline.erasing import looked
from herobase_pipeline.erasing.requests import Request, anonymized
from herobase_pipeline.lake import arrow, catalogue, handed_out
from herobase_pipeline.lake.catalogue import define_views, view
from herobase_pipeline.lake.damage import DamagedError, damaged, damaged_files, without_damaged
from herobase_pipeline.lake.disk import in_words
from herobase_pipeline.lake.engine import ROOMY, connect, file_literal, literal, number
from herobase_pipeline.lake.erased import register, text_of
from herobase_pipeline.lake.gone import gone_days
from herobase_pipeline.lake.layout import Lake, Mark, Swapped, locked, make_folder, mark
from herobase_pipeline.lake.registering import add
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.lake.store import exists, look_everywhere_again, remove
from herobase_pipeline.lake.writing import rewrite, stored, write
from herobase_pipeline.tables import (
    CALL_PHONES,
    CALLS,
    DELIVERY_PLAN,
    ERASED,
    ERASURES,
    LEAD_FIELDS,
    LEADS,
    TABLES,
    USERS,
    Holds,
    Table,
)

_DERIVED = (LEADS, LEAD_FIELDS, DELIVERY_PLAN)
T = TypeVar("T")
HOLDING = tuple(sorted((table for table in TABLES if table.identifies), key=lambda table: not table.private))
"""The tables in which a person may be, the private ones first."""
_OF_LEADS = tuple(table for table in HOLDING if table.holding(Holds.LEAD))
_FIELDS = tuple(table for table in _OF_LEADS if table.daily and table.private and table.holding(Holds.TEXT))
"""Those that have what leads say."""
_PHONE_NAMES, _MAIL_NAMES = r"(?i)telefon|phone|mobil|tlf|\btel\b|^(nummer|number)$", "(?i)mail"
"""Names of fields that hold a person's number or address. An address of a user is an agent's, and not the person's."""

_FEW = 1_000  # numbers: a pattern of more is too large, so texts are looked through whole then
_FINISHED: dict[Path, tuple[Mark | None, ...]] = {}
"""By lake the register and the record of erasures, as they were when this process last saw that none is unfinished."""


class NotErasedError(Exception):
    """The erasure could not be finished; what is left of it is done by the next run. The message quotes nobody's data."""


class Erased(NamedTuple):
    """What an erasure did.

    Attributes:
        persons: how many persons were finished.
        files: how many files were rewritten.

    """

    persons: int
    files: int


def erase(
    lake: Lake,
    zone: ZoneInfo,
    requests: Sequence[Request] = (),
    days: Sequence[dt.date] | None = None,
    *,
    everyone: bool = False,
) -> Erased:
    """Erase who asked, whom HeroBase calls Anonymized, and who was left over from an erasure that was cut short.

    Args:
        lake: where, opened for writing.
        zone: the business time zone.
        requests: who asked by hand, or was found by asking HeroBase.
        days: where to look for a status; all days by default.
        everyone: look for those too who were done before: they are back in a file that was restored from a backup.

    Raises:
        NotErasedError: a file could not be read or written.

    """
    with errors_in_words(lake, "The erasure could not be finished, and goes on with the next run"):
        return again_if_replaced(lambda: _erase(lake, zone, requests, days, everyone=everyone))


def _erase(
    lake: Lake, zone: ZoneInfo, requests: Sequence[Request], days: Sequence[dt.date] | None, *, everyone: bool
) -> Erased:
    with _turn(lake), spool(lake) as folder, connect(zone, folder, ROOMY) as con:
        erased = _from_tables(lake, con, requests, days, everyone=everyone)
        handed_out.follow(lake, con)
        if erased.persons:
            catalogue.refresh(lake, zone, anew=True)
            _note(lake, con, done=True)
        return erased


def _from_tables(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    requests: Sequence[Request],
    days: Sequence[dt.date] | None,
    *,
    everyone: bool,
) -> Erased:
    register(con, lake)
    seen = without_damaged(lake, looked.TABLES, days)  # once they are pulled anew they are looked at
    looks_at = looked.files(seen, days)
    for table in looked.TABLES:
        con.execute(f'CREATE OR REPLACE TEMP VIEW "{table.name}" AS {view(seen, table, _loaded(seen, table, days))}')
    asked = [*requests, *anonymized(con)]
    if asked or _pending(lake, con, everyone=everyone):
        _delete_damaged(lake)
    _register(lake, con, asked)
    looked.note(lake, looks_at)
    if not _pending(lake, con, everyone=everyone):
        return Erased(0, 0)
    look_everywhere_again()  # a pull on another machine may have written since
    files = _held(lake, con)
    con.execute("DELETE FROM pending WHERE is_done AND person NOT IN (SELECT person FROM held)")
    persons = number(con, "SELECT count(*) FROM pending")
    if not persons:
        return Erased(0, 0)
    _note(lake, con, done=False)
    deletes = lake.deletes_rows
    remove(lake.digests(LEADS))
    swapped: Swapped = {}
    _rewrite_known_fields(lake, con, swapped)
    for table, day in files:
        # where only names change a file stays as old as it is, so that nothing is made anew from it
        rewrite(lake, con, table, day, keeps_age=table.private or not deletes, swapped=swapped)
    if deletes:  # the leads follow what they are made from; of their own files only which these are is noted
        made.rename(lake, LEADS, {path: marks for path, marks in swapped.items() if path in lake.files(LEADS)}, [])
    else:
        aliases = con.execute("SELECT DISTINCT alias_of_key(key_of(lead_id)) FROM ids").fetchall()
        made.rename(lake, LEADS, swapped, [alias for (alias,) in aliases])
    made.rename(lake, LEAD_FIELDS, swapped, [])  # who is erased has no row there, so nothing is made anew
    for table in HOLDING:
        lake.remove_leftovers(table)
    return Erased(persons, len(files))


def _delete_damaged(lake: Lake) -> None:
    """Delete derived tables that are damaged, as whoever is in them could not be found; they are made anew without them.

    Raises:
        DamagedError: one has what was made from calls that are gone since, so a person has to decide.

    """
    for table in _DERIVED:
        if found := damaged(lake, table):
            if gone_days(lake, CALLS):
                raise DamagedError(lake, "Nobody was erased.", {table: found})
            for path in lake.folder(table).glob("**/*"):
                if path.is_file():
                    remove(path)


def again_if_replaced(do: Callable[[], T]) -> T:
    """Do something again, a few times, where a file cannot be read: a pull may have replaced it meanwhile."""
    replaced = retry_if_exception_type((duckdb.Error, FileNotFoundError))
    return Retrying(stop=stop_after_attempt(6), wait=wait_fixed(1), retry=replaced, reraise=True)(do)


@contextmanager
def errors_in_words(lake: Lake, what: str) -> Iterator[None]:
    """Turn what a library raises within the block into a sentence that begins with ``what`` and quotes nobody.

    Raises:
        DamagedError: a file is damaged.
        NotErasedError: by anything else in the block.

    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if words := in_words(lake, error):
            raise NotErasedError(f"{what}. {words}") from None
        if found := damaged_files(lake):
            raise DamagedError(lake, f"{what}.", found) from None
        raise NotErasedError(
            f"{what} ({type(error).__name__}). What the library says is withheld, as it may quote what stands in a file: look "
            "whether every file of the data can be read."
        ) from None


def finish(lake: Lake, zone: ZoneInfo) -> Erased:
    """Finish an erasure that was cut short, if there is one.

    Raises:
        NotErasedError: a file could not be read or written.

    """
    state = tuple(mark(lake.file(table)) for table in (ERASED, ERASURES))
    if state[0] is None or _FINISHED.get(lake.root) == state:
        return Erased(0, 0)
    with spool(lake) as folder, connect(zone, folder) as con:
        pending = _pending(lake, con, everyone=False)
    if pending:
        return erase(lake, zone, days=[])
    _FINISHED[lake.root] = state
    return Erased(0, 0)


def persons(lake: Lake, zone: ZoneInfo) -> tuple[int, int]:
    """Return how many persons the register has, and how many ``erasures`` has."""
    with spool(lake) as folder, connect(zone, folder) as con:
        registered, listed = (
            number(con, f"SELECT count(DISTINCT person) FROM ({stored(lake, table)})") for table in (ERASED, ERASURES)
        )
        return registered, listed


@contextmanager
def _turn(lake: Lake) -> Iterator[None]:
    """Wait until nobody else erases, and nothing is derived that would bring back who is erased meanwhile."""
    erasing = lake.under_way("erasing")
    make_folder(erasing, private=True)
    with locked(erasing), turn(lake, LEADS), turn(lake, LEAD_FIELDS):
        yield


def _loaded(lake: Lake, table: Table, days: Sequence[dt.date] | None) -> list[dt.date]:
    return [day for day in lake.days(table) if days is None or day in days]


# -- who ---------------------------------------------------------------------------------------------------------------


def _register(lake: Lake, con: duckdb.DuckDBPyConnection, requests: Sequence[Request]) -> None:
    """Register who is not registered yet, with every lead, number and address by which rows of the person are found."""
    if not requests:
        return
    fields = ("kind", "value", "source", "asked_at")
    types = [
        ("kind", pa.string()),
        ("value", pa.string()),
        ("source", pa.string()),
        ("asked_at", pa.timestamp("us", "UTC")),
    ]
    asked = pa.table([[getattr(each, name) for each in requests] for name in fields], pa.schema(types))
    con.register("requests", asked)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE asked AS
        SELECT kind, plain_id(any_value(value)) AS value, key AS person, source, min(asked_at) AS asked_at
        FROM (
            SELECT *, CASE kind WHEN 'lead' THEN lead_key(value) ELSE person_of_number(value) END AS key
            FROM requests
        )
        WHERE key IS NOT NULL
            AND key NOT IN (SELECT person FROM erased)
            AND (kind <> 'lead' OR key NOT IN (SELECT identifier FROM erased))
        GROUP BY kind, key, source
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY source) = 1
    """)
    con.unregister("requests")
    if not con.execute("FROM asked").fetchone():
        return
    define_views(con, lake, (*HOLDING, USERS))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE of_person AS SELECT person, value AS lead_id FROM asked WHERE kind = 'lead'"
    )
    con.execute(f"INSERT INTO of_person {_leads_of_numbers(con)}")
    add(
        lake,
        con,
        f"""
        WITH told AS ({_told(lake, con)})
        SELECT person, kind, identifier, bool_or(is_asked) AS is_asked, any_value(source) AS source, min(asked_at) AS asked_at
        FROM (
            SELECT person, 'lead' AS kind, lead_key(lead_id) AS identifier, true AS is_asked FROM of_person
            UNION ALL
            SELECT person, 'phone', unnest(phone_keys(value)), true FROM asked WHERE kind = 'phone'
            UNION ALL
            SELECT person, 'phone', phone_token, false
            FROM calls JOIN of_person ON plain_id(calls.lead_id) = of_person.lead_id
            WHERE phone_token IS NOT NULL
            UNION ALL
            SELECT person, 'phone', unnest(phone_keys(number)), false
            FROM (SELECT person, unnest(numbers_in(text)) AS number FROM told WHERE regexp_matches(name, '{_PHONE_NAMES}'))
            UNION ALL
            SELECT person, 'mail', mail_key(address), false
            FROM (SELECT person, unnest(addresses_in(text)) AS address FROM told WHERE regexp_matches(name, '{_MAIL_NAMES}'))
            WHERE lower(address) NOT IN (SELECT lower(trim(email)) FROM users WHERE email IS NOT NULL)
        )
        JOIN (SELECT person, source, asked_at FROM asked) USING (person)
        GROUP BY person, kind, identifier
        """,
    )


def _leads_of_numbers(con: duckdb.DuckDBPyConnection) -> str:
    """Return a SELECT of the leads that have a number which was asked for: in a call, or anywhere in their fields."""
    numbers = [digits for (digits,) in con.execute(
        "SELECT DISTINCT right(regexp_replace(value, '\\D', '', 'g'), 8) FROM asked WHERE kind = 'phone'"
    ).fetchall()]  # fmt: skip
    if not numbers:
        return "SELECT NULL AS person, NULL AS lead_id WHERE false"
    spaced = "|".join(r"[ ./()-]{0,2}".join(digits) for digits in numbers) if len(numbers) <= _FEW else ""
    told = " UNION ALL ".join(f"SELECT lead_id, {text_of(table)} AS text FROM {table.name}" for table in _FIELDS)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE numbers AS "
        "SELECT person, unnest(phone_keys(value)) AS identifier FROM asked WHERE kind = 'phone'"
    )
    return f"""
        SELECT DISTINCT person, plain_id(lead_id)
        FROM (
            SELECT lead_id, phone_token AS identifier FROM calls WHERE phone_token IS NOT NULL
            UNION ALL
            SELECT lead_id, unnest(flatten(list_transform(numbers_in(text), lambda each: phone_keys(each)))) AS identifier
            FROM ({told})
            WHERE regexp_matches(text, {literal(spaced)})
        )
        JOIN numbers USING (identifier)
        WHERE lead_id IS NOT NULL AND NOT is_alias(lead_id)
    """


def _told(lake: Lake, con: duckdb.DuckDBPyConnection) -> str:
    """Return a SELECT of what the leads ``of_person`` say in their fields: person, the field's name, its text."""
    found = []
    for table in _FIELDS:
        days = con.execute(
            f"SELECT DISTINCT date FROM {table.name} JOIN of_person ON plain_id({table.name}.lead_id) = of_person.lead_id"
        ).fetchall()
        its = f"({view(lake, table, [day for (day,) in days])}) AS it"
        own = f"FROM {its} JOIN of_person ON plain_id(it.lead_id) = of_person.lead_id"
        if "field_name" in table.names:
            found.append(f"SELECT person, field_name AS name, field_value AS text {own}")
            continue
        for column in table.holding(Holds.TEXT):
            members = f"CASE WHEN json_valid({column}) AND json_type({column}) = 'OBJECT' THEN {column} END"
            entries = f"unnest(map_entries(from_json({members}, '\"MAP(VARCHAR, JSON)\"')))"
            found.append(
                f"SELECT person, entry.key AS name, entry.value::VARCHAR AS text FROM (SELECT person, {entries} AS entry {own})"
            )
    return " UNION ALL ".join(found)


def _pending(lake: Lake, con: duckdb.DuckDBPyConnection, *, everyone: bool) -> int:
    """Make ``pending``, the persons of whom something was registered since they were done, or all; returns how many."""
    register(con, lake)
    query = f"""
        CREATE OR REPLACE TEMP TABLE pending AS
        SELECT
            person,
            any_value(source) AS source,
            min(asked_at) AS asked_at,
            min(erased.seen_at) AS seen_at,
            NOT bool_or(done_at IS NULL OR erased.seen_at > done_at) AS is_done
        FROM erased LEFT JOIN (SELECT person, done_at FROM ({stored(lake, ERASURES)})) USING (person)
        GROUP BY person
        HAVING $everyone OR NOT is_done
    """
    con.execute(query, {"everyone": everyone})
    return number(con, "SELECT count(*) FROM pending")


# -- where --------------------------------------------------------------------------------------------------------------


def _held(lake: Lake, con: duckdb.DuckDBPyConnection) -> list[tuple[Table, dt.date | None]]:
    """Make ``held``: which file holds which of the pending persons; returns the files, the private ones first."""
    define_views(con, lake, HOLDING)
    con.execute(f"CREATE OR REPLACE TEMP VIEW leads AS {view(lake, LEADS, with_month=True)}")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE hashes AS SELECT identifier, is_asked, person FROM erased SEMI JOIN pending USING (person)"
    )
    everyone = " UNION ".join(
        f"SELECT {table.holding(Holds.LEAD)[0]} AS lead_id FROM {table.name}" for table in _OF_LEADS
    )
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE ids AS  -- each id once, as to hash it is the dearest part
        SELECT lead_id, person
        FROM ({everyone})
        JOIN hashes ON identifier = key_of(lead_id)
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE forgotten_calls AS
        SELECT date, call_id, person FROM calls JOIN ids USING (lead_id)
        UNION
        SELECT date, call_id, person FROM calls JOIN hashes ON identifier = phone_token AND (is_asked OR lead_id IS NULL)
    """)
    con.execute("CREATE OR REPLACE TEMP TABLE held (table_name VARCHAR, day DATE, person VARCHAR)")
    for table in HOLDING:
        for found in _rows_of_persons(table):
            con.execute(f"INSERT INTO held SELECT DISTINCT {literal(table.name)}, * FROM ({found})")
    by_name = {table.name: table for table in HOLDING}
    files = con.execute("SELECT DISTINCT table_name, day FROM held ORDER BY ALL").fetchall()
    return sorted(((by_name[name], day) for name, day in files), key=lambda file: HOLDING.index(file[0]))


def _rows_of_persons(table: Table) -> Iterator[str]:
    """Yield SELECTs of the day and person of the rows that hold one, for ``held``."""
    day, leads = "date" if table.daily else "month" if table.monthly else "NULL::DATE", table.holding(Holds.LEAD)
    if table is CALL_PHONES:
        yield f"SELECT {day}, person FROM {table.name} JOIN forgotten_calls USING (date, call_id)"
        # and of a call that does not say any more whose it is
        yield f"""
            SELECT day, person
            FROM (
                SELECT {day} AS day, unnest(identifiers_in({text_of(table)})) AS identifier
                FROM {table.name}
                ANTI JOIN (FROM calls WHERE lead_id IS NOT NULL OR phone_token IS NOT NULL) USING (date, call_id)
            )
            JOIN hashes USING (identifier)
        """
        return
    if table is CALLS:
        yield f"""
            SELECT {day}, person FROM calls JOIN forgotten_calls USING (date, call_id)
            WHERE NOT is_alias(lead_id) OR phone_token IS NOT NULL
        """
    elif leads:
        yield f"SELECT {day}, person FROM {table.name} JOIN ids USING (lead_id) WHERE NOT is_alias(lead_id)"
    if table.private and table.holding(Holds.TEXT):
        leadless = f"WHERE {leads[0]} IS NULL" if leads else ""
        yield f"""
            SELECT day, person
            FROM (SELECT {day} AS day, unnest(identifiers_in({text_of(table)})) AS identifier FROM {table.name} {leadless})
            JOIN hashes USING (identifier)
        """


def _rewrite_known_fields(lake: Lake, con: duckdb.DuckDBPyConnection, swapped: Swapped) -> None:
    """Take the erased leads out of what is kept beside ``lead_fields``; where that cannot be read it goes, and is made anew."""
    known = lake.known(LEAD_FIELDS)
    if not exists(known):
        return
    rows = f"FROM read_parquet({file_literal(known)}, hive_partitioning = false) WHERE lead_id NOT IN (SELECT lead_id FROM ids)"
    was = mark(known)
    if damaged(lake, LEAD_FIELDS, [known], thoroughly=[known]):
        remove(known)
        return
    try:
        with lake.replacing_beside(LEAD_FIELDS, known) as aside:
            arrow.write_beside(con, rows, aside)
    except duckdb.Error:
        remove(known)
    else:
        swapped[known] = was, mark(known)


# -- what is done --------------------------------------------------------------------------------------------------------


def _note(lake: Lake, con: duckdb.DuckDBPyConnection, *, done: bool) -> None:
    """Write the pending persons into ``erasures``: how many files hold them, and once these are rewritten, when.

    A person of whom a pull has registered more since the files were looked for is not done.
    """
    register(con, lake)
    write(
        lake,
        con,
        ERASURES,
        """
        SELECT * FROM seen ANTI JOIN pending USING (person)
        UNION ALL BY NAME
        SELECT
            person,
            pending.asked_at,
            pending.source,
            pending.seen_at,
            CASE WHEN $done AND person NOT IN (
                SELECT erased.person FROM erased ANTI JOIN hashes USING (identifier, is_asked)
            ) THEN now() END AS done_at,
            greatest(coalesce(files, 0), coalesce(seen.files_rewritten, 0)) AS files_rewritten,
            NULL AS proof
        FROM pending
        LEFT JOIN (SELECT person, count(DISTINCT (table_name, day)) AS files FROM held GROUP BY person) USING (person)
        LEFT JOIN seen USING (person)
        """,
        params={"done": done},
    )
