"""A HeroBase that answers with bytes made before, so that nobody is measured by the sandbox's speed: a day, or a part of it."""

import argparse
import bisect
import datetime as dt
import http.server
import json
import re
import time
import urllib.parse
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.material import CALLS, LEADS, UNITS

_CHUNK = 1 << 18
_BEGIN = re.compile(rb'\{"uniqueId":"\d+S\d+","(startTime|status)":')  # of a record, and nothing within one
_TIME = {CALLS: re.compile(rb'"startTime":"([^".]*)'), LEADS: re.compile(rb'"lastModifiedTime":"([^".]*)')}
_ZONE = ZoneInfo("Europe/Copenhagen")
_SPAN = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


class Canned(NamedTuple):
    """A day's records as a JSON array, in the order of their time; where each begins, and its local time."""

    body: bytes
    times: list[str]
    begins: list[int]

    @classmethod
    def of(cls, file: Path) -> "Canned":
        """Read what was made."""
        body = file.read_bytes()
        times = [match[1].decode() for match in _TIME[file.name].finditer(body)]
        return cls(body, times, [*(match.start() for match in _BEGIN.finditer(body)), len(body)])

    def between(self, start: str, end: str) -> memoryview:
        """Return the records of a window of local time, without the array's brackets."""
        first, last = (bisect.bisect_left(self.times, edge) for edge in (start, end))
        return memoryview(self.body)[self.begins[first] : self.begins[last] - 1] if first < last else memoryview(b"")


class Server(http.server.ThreadingHTTPServer):
    """What to answer with, and how many bytes a second; 0 for as fast as it goes."""

    calls: Canned
    leads: Canned | None
    units: bytes
    rate = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Chunked answers, as HeroBase streams them."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer with the records of the window that is asked for, or of all, or with the units."""
        server = self.server
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path.endswith("/simpleleads") and server.leads:
            body = server.leads.between(asked["ModifiedFrom"], asked["ModifiedTo"]) if asked else None
            whole = server.leads.body
        elif path.endswith("/calls"):
            body = server.calls.between(*_span(asked["StartTime"], asked["TimeSpan"])) if asked else None
            whole = server.calls.body
        else:
            body, whole = None, server.units
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        parts = (memoryview(whole),) if body is None else (memoryview(b"["), body, memoryview(b"]"))
        sent, start = 0, time.monotonic()
        for chunk in (part[at : at + _CHUNK] for part in parts for at in range(0, len(part), _CHUNK)):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            sent += len(chunk)
            if server.rate:
                time.sleep(max(0, sent / server.rate - (time.monotonic() - start)))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _span(start: str, span: str) -> tuple[str, str]:
    ((hours, minutes, seconds),) = ([int(part or 0) for part in found] for found in _SPAN.findall(span))
    first = dt.datetime.fromisoformat(start).astimezone(_ZONE)
    last = first + dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return f"{first:%Y-%m-%dT%H:%M:%S}", f"{last:%Y-%m-%dT%H:%M:%S}"


def main() -> None:
    """Serve a folder of material; print the port."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.canned", description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--megabytes", type=float, default=0, help="a second; 0 for as fast as it goes")
    asked = options.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.calls, server.units = Canned.of(asked.folder / CALLS), (asked.folder / UNITS).read_bytes()
    server.leads = Canned.of(asked.folder / LEADS) if (asked.folder / LEADS).exists() else None
    server.rate = asked.megabytes * 1e6
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
