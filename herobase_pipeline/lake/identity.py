"""Whose lake it is: the account, the zone and the key of phone tokens that it was filled with.

Two accounts in one lake would add up to numbers of nobody; another zone loses or doubles an hour of each day, and with
another key the same number has another token. So the first writer notes who it is, and another one is refused.
"""

import hashlib
import hmac
from dataclasses import asdict, dataclass, fields, replace

import duckdb

from herobase_pipeline.lake import notes
from herobase_pipeline.lake.catalogue import timezone_of
from herobase_pipeline.lake.engine import connect, define_token, file_literal
from herobase_pipeline.lake.layout import Forgetting, Lake, exists
from herobase_pipeline.lake.spool import spool
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import ACCOUNT, CALL_PHONES, CALLS, TABLES
from herobase_pipeline.tables.schema import HASH

_NOTE = "identity"
_SETTINGS = {
    "account": "HEROBASE_URL and HEROBASE_USERNAME",
    "timezone": "HEROBASE_TIMEZONE",
    "pii_key": "HEROBASE_PII_KEY",
}


class ForeignLakeError(Exception):
    """The lake was filled with another account, zone or key; the message names both and says how to start anew."""


@dataclass(frozen=True)
class Identity:
    """Whose lake it is.

    Attributes:
        account: host and user name, or the sandbox and its seed.
        timezone: the zone of its days.
        pii_key: a fingerprint of the key, from which the key cannot be found.

    """

    account: str
    timezone: str
    pii_key: str


def identity_of(settings: Settings) -> Identity:
    """Return who writes with these settings."""
    fingerprint = hmac.new(settings.phone_key, b"herobase_pipeline: whose lake it is", hashlib.sha256).hexdigest()[:16]
    account = f"the sandbox, seed {settings.sandbox.seed}"
    if settings.url is not None:
        account = f"{settings.host} as {settings.username.casefold()}"
    return Identity(account, settings.timezone, fingerprint)


def claim(lake: Lake, settings: Settings) -> Lake:
    """Return the lake to write to, if it is that of the settings; one that has no table yet becomes theirs.

    Raises:
        ForeignLakeError: it is somebody else's; nothing is changed.

    """
    mine = identity_of(settings)
    lake = replace(lake, forgetting=Forgetting(settings.phone_key, settings.erasure_mode == "delete_rows"))
    if notes.read(lake, _NOTE) == asdict(mine):
        return lake
    with notes.updating(lake, _NOTE) as note:
        if any(lake.files(table) for table in TABLES):
            _refuse(lake, note or _as_far_as_it_shows(lake, settings, mine), mine)
        note.clear()
        note.update(asdict(mine))
    return lake


def _refuse(lake: Lake, theirs: notes.Note, mine: Identity) -> None:
    for field in fields(Identity):
        its, ours = theirs.get(field.name), getattr(mine, field.name)
        if its is None or its == ours:
            continue
        both = (
            "with another key than the one that is set now"
            if field.name == "pii_key"
            else f"with {its}, and now it is {ours}"
        )
        raise ForeignLakeError(
            f"The lake in {lake.root.absolute()} was filled {both}, so nothing was asked for and nothing was changed. "
            f"Correct {_SETTINGS[field.name]}, or set HEROBASE_DATA_DIR to another folder to start anew."
        )


def _as_far_as_it_shows(lake: Lake, settings: Settings, mine: Identity) -> notes.Note:
    """Return what a lake without a note shows of whose it is, as those from before there were notes."""
    shown: notes.Note = {"timezone": timezone_of(lake)}
    with spool(lake) as folder, connect(settings.zone, folder) as con:
        if files := lake.files(ACCOUNT):
            query = f"SELECT username FROM read_parquet({file_literal(files[-1])}, hive_partitioning = false) LIMIT 1"
            for (username,) in con.execute(query).fetchall():
                is_mine = username is None or str(username).casefold() == _username(settings).casefold()
                shown["account"] = mine.account if is_mine else str(username)
        define_token(con, settings.phone_key)
        shown["pii_key"] = mine.pii_key if _has_my_tokens(con, lake) else ""
    return shown


def _username(settings: Settings) -> str:
    return settings.username if settings.url is not None else settings.sandbox.username


def _has_my_tokens(con: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Whether a number of the lake has the token that the connection's key gives it; also where it has no number."""
    for day in reversed(lake.days(CALL_PHONES)):
        phones, calls = lake.file(CALL_PHONES, day), lake.file(CALLS, day)
        if exists(calls):
            query = f"""
                SELECT token(phone) = left(phone_token, {HASH})
                FROM read_parquet({file_literal(phones)}, hive_partitioning = false)
                JOIN read_parquet({file_literal(calls)}, hive_partitioning = false) USING (call_id)
                WHERE phone IS NOT NULL AND phone_token IS NOT NULL
                LIMIT 1
            """
            for (is_mine,) in con.execute(query).fetchall():
                return bool(is_mine)
    return True
