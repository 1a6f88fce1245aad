"""What can happen to an answer between HeroBase and us. Each spoil is of a kind that says what may become of the day.

``harmless``: the day has to land as if nothing were. ``broken``: the answer is useless, so it is asked again or the day fails.
``unreadable``: some records cannot be read, and these alone are set aside and counted.
"""

import gzip
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from herobase_pipeline_tests.hostile import Reply, on_the_wire

Record = dict[str, Any]
SERVICES = ("/calls", "/simpleleads", "/organizationalunits")
_ID = re.compile(r'"uniqueId":\s*"([^"]*)"', re.IGNORECASE)
_ENUMS = ("endcause", "leadstatus", "leadclosure", "status", "closure")


# -- records that stay what they are ---------------------------------------------------------------------------------------


def _shuffled(records: list[Record], chance: random.Random) -> list[Record]:
    return chance.sample(records, len(records))


def _doubled(records: list[Record], chance: random.Random) -> list[Record]:
    return records + chance.sample(records, len(records) // 5)


def _cased(records: list[Record], chance: random.Random) -> list[Record]:
    change = chance.choice([str.upper, str.lower, str.capitalize])
    return [{change(name[0]) + name[1:]: value for name, value in record.items()} for record in records]


def _enums_cased(records: list[Record], chance: random.Random) -> list[Record]:
    change = chance.choice([str.upper, str.lower])
    return [
        {
            name: change(value) if name.lower() in _ENUMS and isinstance(value, str) else value
            for name, value in record.items()
        }
        for record in records
    ]


def _long_member(records: list[Record], chance: random.Random) -> list[Record]:
    at = chance.randrange(len(records))
    return [record | {"aMillion": "x" * 1_000_000} if n == at else record for n, record in enumerate(records)]


def _deep_member(records: list[Record], chance: random.Random) -> list[Record]:
    deep: Any = "x"
    for _ in range(chance.randrange(2, 60)):
        deep = chance.choice([[deep], {"in": deep}])
    at = chance.randrange(len(records))
    return [record | {"nested": deep} if n == at else record for n, record in enumerate(records)]


def _blanks(records: list[Record], _: random.Random) -> list[Record]:
    return [
        {
            name: f" {value} " if name.lower() in ("uniqueid", "uniqueleadid") and value else value
            for name, value in record.items()
        }
        for record in records
    ]


RECORDS: dict[str, Callable[[list[Record], random.Random], list[Record]]] = {
    "shuffled": _shuffled,
    "doubled": _doubled,
    "other case": _cased,
    "other case of values": _enums_cased,
    "a million letters": _long_member,
    "nested": _deep_member,
    "blanks": _blanks,
}
BODIES: dict[str, Callable[[Reply, random.Random], None]] = {
    "gzip": lambda reply, _: _encoded(reply, "gzip", gzip.compress(reply.body)),
    "deflate": lambda reply, _: _encoded(reply, "deflate", zlib.compress(reply.body)),
    "BOM": lambda reply, _: _with(reply, body=b"\xef\xbb\xbf" + reply.body),
    "blank lines": lambda reply, _: _with(reply, body=b"\r\n \n" + reply.body + b"\n\n"),
    "text/plain": lambda reply, _: reply.headers.update({"Content-Type": "text/plain"}),
    "no content type": lambda reply, _: reply.headers.pop("Content-Type", None),
}
BROKEN: dict[str, Callable[[Reply, random.Random], None]] = {
    "cut": lambda reply, chance: _with(reply, sends=_part(reply, chance)),
    "truncated": lambda reply, chance: _with(reply, body=reply.body[: _part(reply, chance)]),
    "empty": lambda reply, _: _with(reply, body=b""),
    "HTML": lambda reply, _: _with(reply, body=b"<html><body>Log in</body></html>"),
    "garbage": lambda reply, chance: _with(reply, body=chance.randbytes(500)),
    "null": lambda reply, _: _with(reply, body=b"null"),
    "an object": lambda reply, _: _with(reply, body=b'{"responseStatus":{"message":"no"}}'),
    "a second list": lambda reply, _: _with(reply, body=reply.body + b"[]"),
    "half gzip": lambda reply, _: _encoded(reply, "gzip", gzip.compress(reply.body)[: len(reply.body) // 20 + 8]),
    "a hole": lambda reply, chance: _with(reply, body=_without_some(reply.body, chance)),
    **{
        str(status): lambda reply, _, status=status: _with(reply, status=status, body=b'{"responseStatus":{}}')
        for status in (204, 301, 302, 400, 408, 429, 500, 502, 503, 504)
    },
}
UNREADABLE: dict[str, Callable[[str], str]] = {
    "NaN": lambda text: _with_member(text, '"odd":NaN'),
    "half a character": lambda text: _with_member(text, '"odd":"\\ud83d"'),
    "an unescaped quote": lambda text: _with_member(text, '"odd":"12" wide"'),
    "no id": lambda text: _ID.sub('"uniqueId":null', text),
    "an unreadable time": lambda text: re.sub(
        r'("(?:starttime|lastmodifiedtime)":\s*")[^"]*', r"\g<1>18-11-26 quarter past", text, flags=re.IGNORECASE
    ),
    "a line's end": lambda text: _with_member(text, '"odd":"x\ny"'),
    "a member twice": lambda text: _with_member(text, '"odd":1,"odd":2'),
    "null": lambda _: "null",
}
"""What makes a record of no use. ``null`` cannot be told from any other, so it stands for one that was there."""


def _with(reply: Reply, *, status: int | None = None, body: bytes | None = None, sends: int | None = None) -> None:
    reply.status = status or reply.status
    reply.body = reply.body if body is None else body
    reply.sends = sends


def _encoded(reply: Reply, name: str, body: bytes) -> None:
    reply.headers["Content-Encoding"] = name
    reply.body = body


def _part(reply: Reply, chance: random.Random) -> int:
    """Return a place in the body, at any percent of it."""
    return len(reply.body) * chance.randrange(100) // 100


def _without_some(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body)) if body else 0
    # not the end of one record and the beginning of another: nobody could tell what is left from a record
    return body[:at] + b"\x00\xff" + body[at + 2 :]


def _with_member(text: str, member: str) -> str:
    return f"{text[:-1].rstrip()},{member}}}"


# -- the wire ----------------------------------------------------------------------------------------------------------------


@dataclass
class Spoil:
    """Something that happens to the answers of a service.

    Attributes:
        name: what, of one of the four tables.
        service: to whose answers.
        seed: by which it chooses.
        skips: how many answers pass before it.
        times: to how many it happens.

    """

    name: str
    service: str
    seed: int
    skips: int = 0
    times: int = 1

    def __str__(self) -> str:
        return f"{self.service} {self.name} (from answer {self.skips + 1}, {self.times} times)"


@dataclass
class Wire:
    """The wire.

    Attributes:
        spoils: what happens on it.
        hits: how often each did.
        unreadable: the ids of the records that were made unreadable, by service.

    """

    spoils: list[Spoil] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, set[str]] = field(default_factory=dict)
    _seen: Counter[int] = field(default_factory=Counter)

    def spoil(self, path: str, reply: Reply) -> Reply:
        """Spoil an answer."""
        for n, each in enumerate(self.spoils):
            if path != each.service or reply.status != 200:
                continue
            self._seen[n] += 1
            if not each.skips < self._seen[n] <= each.skips + each.times:
                continue
            if self._happens(each, path, reply, random.Random(f"{each.seed} {self._seen[n]}")):
                self.hits[each.name] += 1
        return reply

    def _happens(self, each: Spoil, path: str, reply: Reply, chance: random.Random) -> bool:
        if each.name in BROKEN:
            BROKEN[each.name](reply, chance)
            return True
        if each.name in BODIES:
            if "Content-Encoding" in reply.headers:
                return False
            BODIES[each.name](reply, chance)
            return True
        try:
            records = json.loads(reply.body)
        except ValueError:  # something else happened to it already
            return False
        if not isinstance(records, list) or not records or not all(isinstance(each, dict) for each in records):
            return False
        if each.name in RECORDS:
            reply.body = json.dumps(RECORDS[each.name](records, chance), ensure_ascii=False).encode()
            return True
        texts = [json.dumps(record, ensure_ascii=False) for record in records]
        found = False
        for at, text in enumerate(texts):
            named = _ID.search(text)
            if named and zlib.crc32(f"{each.seed} {named[1].strip()}".encode()) % 150 == 0:
                texts[at], found = UNREADABLE[each.name](text), True
                self.unreadable.setdefault(path, set()).add(named[1].strip())
        reply.body = f"[{','.join(texts)}]".encode(errors="surrogatepass")
        return found

    def heal(self) -> None:
        """Let nothing happen any more."""
        self.spoils.clear()

    @contextmanager
    def before(self, url: str) -> Iterator[str]:
        """Put it before an API; yields the address to ask."""
        with on_the_wire(url, self.spoil) as address:
            yield address
