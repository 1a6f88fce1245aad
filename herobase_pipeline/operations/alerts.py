"""The sensor ``alert``: each address is told once when an incident begins, and once when it is over.

What an address has been told is in the sensor's cursor, under a keyed hash of the address, and not in a note of the lake: a disk
that is full, or a lake that cannot be written to, is itself something to tell, once.
"""

import datetime as dt
import hashlib
import hmac
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import dagster as dg
import msgspec

from herobase_pipeline.assets.site import Site
from herobase_pipeline.notices import NO_ANSWER, Kind, scheme, send
from herobase_pipeline.operations import checks
from herobase_pipeline.operations.incidents import Found, Incident, Memory, look_at
from herobase_pipeline.operations.rules import ERROR, Look
from herobase_pipeline.settings import Settings
from herobase_pipeline.sites import named

CALM = dt.timedelta(minutes=3)
"""An incident is over once it was gone for so long: one that comes and goes is told once."""
SENDING_S = 15.0
"""After so long a tick begins no further message; Dagster gives up one that takes a minute, and forgets what it told."""
_LONGEST = 2_000  # signs of what was found: there are addresses that take no more
OFF = "Off: HEROBASE_ALERT_URLS is not set, so nobody is told. docs/operate.md says what to write there."


class Told(msgspec.Struct):
    """What an address was told of an incident that is not over.

    Attributes:
        title: what it is.
        since: when it began.
        gone: since when it is not to be seen any more.

    """

    title: str
    since: dt.datetime
    gone: dt.datetime | None = None


class Cursor(msgspec.Struct):
    """What a tick hands to the next one.

    Attributes:
        memory: what a look must know of those before it.
        told: by the keyed hash of an address what it was told, by the incident's key.

    """

    memory: Memory = msgspec.field(default_factory=Memory)
    told: dict[str, dict[str, Told]] = {}


class Said(NamedTuple):
    """What came of an address in a tick.

    Attributes:
        began: how many incidents it was told of.
        over: of how many it was told that they are over.
        why_not: why it took no more; empty where it took all.

    """

    began: int
    over: int
    why_not: str


def alert(site: Site) -> dg.SensorDefinition:
    """Return what tells people of a site's incidents."""
    is_on = bool(site.settings.alert_urls)
    what = "Tells each address of HEROBASE_ALERT_URLS once when something is wrong, and once when it is over."

    @dg.sensor(
        name=site.called("alert"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=what if is_on else f"{OFF} {what}",
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Compare what is wrong with what each address has been told, and send the difference."""
        settings = site.load()
        if not settings.alert_urls:
            return dg.SkipReason(OFF)
        cursor, forgot = _cursor(context.cursor)
        now = checks.utcnow()
        found = look_at(Look(site, context.instance, settings, now), cursor.memory)
        addresses = list(dict.fromkeys(url.get_secret_value() for url in settings.alert_urls))
        account, until = named(site.name, settings), time.monotonic() + SENDING_S

        def tell_one(address: str) -> Said:
            def say(title: str, text: str, kind: Kind) -> str:
                if time.monotonic() > until:
                    return "there is more to tell than fits into a minute"
                why_not = send(address, f"{title} [{account}]", f"{text}\n\n{account}", kind)
                return "" if why_not == NO_ANSWER else why_not

            return _tell(found, cursor.told.setdefault(_mark(settings, address), {}), now, settings, say)

        with ThreadPoolExecutor(len(addresses)) as each_by_itself:  # so that none waits for another's
            said = dict(zip(addresses, each_by_itself.map(tell_one, addresses), strict=True))
        context.update_cursor(msgspec.json.encode(cursor).decode())
        return dg.SkipReason(" ".join([*forgot, *_in_short(found, settings, said)]))

    return tell


def in_words(settings: Settings) -> str:
    """Return whether alerts go out, and to what kinds of addresses; never an address."""
    if not settings.alert_urls:
        return OFF
    kinds = Counter(scheme(url.get_secret_value()) for url in settings.alert_urls)
    listed = ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in kinds.items())
    many = len(settings.alert_urls)
    return (
        f"On, to {many} {'address' if many == 1 else 'addresses'} ({listed}). make alert sends a test message to each."
    )


def _cursor(kept: str | None) -> tuple[Cursor, list[str]]:
    """Return what the tick before has handed on; where it cannot be read nothing, and a sentence that says so."""
    if not kept:
        return Cursor(), []
    try:
        return msgspec.json.decode(kept, type=Cursor), []
    except msgspec.DecodeError:
        return Cursor(), ["The cursor could not be read, so what is wrong now is told anew."]


def _mark(settings: Settings, address: str) -> str:
    """Return by what an address is known, without telling it."""
    return hmac.new(settings.phone_key, f"alert:{address}".encode(), hashlib.sha256).hexdigest()[:16]


def _tell(
    found: Found, told: dict[str, Told], now: dt.datetime, settings: Settings, say: Callable[[str, str, Kind], str]
) -> Said:
    """Tell an address what it does not know, and note what it took; the first message that it does not take is the last."""
    present = {each.key for each in found.incidents}
    for key, known in told.items():
        is_gone = key not in present and not key.startswith(found.unknown)
        known.gone = (known.gone or now) if is_gone else None
    began = over = 0
    for incident in found.incidents:
        if incident.key not in told:
            kind: Kind = "failure" if incident.severity == ERROR.name else "warning"
            if why_not := say(f"{incident.severity}: {incident.title}", _beginning(incident, settings), kind):
                return Said(began, over, why_not)
            told[incident.key] = Told(incident.title, incident.since)
            began += 1
    for key, known in list(told.items()):
        if known.gone and now - known.gone >= CALM:
            if why_not := say(f"Over: {known.title}", _end(known, known.gone, settings), "success"):
                return Said(began, over, why_not)
            del told[key]
            over += 1
    return Said(began, over, "")


def _beginning(incident: Incident, settings: Settings) -> str:
    what = textwrap.shorten(incident.what, _LONGEST, placeholder=" …")
    return f"{what}\n\nSince {_local(incident.since, settings)}.\n\nWhat to do: {incident.todo}"


def _end(known: Told, gone: dt.datetime, settings: Settings) -> str:
    return f"It began {_local(known.since, settings)} and has been gone since {_local(gone, settings)}. There is nothing to do."


def _local(instant: dt.datetime, settings: Settings) -> str:
    return f"{instant.astimezone(settings.zone):%Y-%m-%d %H:%M} ({settings.timezone})"


def _in_short(found: Found, settings: Settings, said: Mapping[str, Said]) -> list[str]:
    """Return what a tick has done, in sentences; of an address its first place in the list."""
    places = [url.get_secret_value() for url in settings.alert_urls]
    began, over = sum(each.began for each in said.values()), sum(each.over for each in said.values())
    sentences = [f"Incidents now: {len(found.incidents)}. Sent: {began} that began, {over} that are over."]
    for address, each in said.items():
        if each.why_not:
            place = f"Address {places.index(address) + 1} ({scheme(address)})"
            sentences.append(f"{place} waits: {each.why_not}. The next tick tries again.")
    return sentences
