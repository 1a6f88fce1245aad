"""An account that is not the sandbox: a server between the client and the sandbox that changes its answers.

The sandbox answers as the documentation says. Here a test says what another account does otherwise: fields of its own,
records that cannot be read, answers that are cut, units that are gone.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

Record = dict[str, Any]
Change = Callable[[str, dict[str, list[str]], list[Record]], list[Record | str]]
"""From path, parameters and records to what is answered: records, or texts that stand for one as they are."""

_PASSED_ON = ("authorization", "accept", "x-rate-limit-fair-use-policy")


@contextmanager
def hostile(url: str, change: Change) -> Iterator[str]:
    """Serve what ``url`` (ending in ``/api``) answers, with every list changed by ``change``; yields its own address."""
    session = requests.Session()
    session.trust_env = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # a connection a request, so that none is left open

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
            answer = session.get(f"{url}{asked.path.removeprefix('/api')}?{asked.query}", headers=headers, timeout=60)
            body = answer.content
            if answer.ok and isinstance(records := json.loads(body), list):
                changed = change(asked.path.removeprefix("/api"), parse_qs(asked.query), records)
                texts = (text if isinstance(text, str) else json.dumps(text, ensure_ascii=False) for text in changed)
                body = f"[{','.join(texts)}]".encode(errors="surrogatepass")
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower().startswith("x-rate-limit") or name.lower() == "content-type":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _running(Handler) as address, session:
        yield address


@dataclass
class Reply:
    """An answer on its way: ``sends`` is how many of its bytes arrive before the connection breaks; None: all."""

    status: int
    headers: dict[str, str]
    body: bytes
    sends: int | None = None


@contextmanager
def on_the_wire(url: str, spoil: Callable[[str, Reply], Reply]) -> Iterator[str]:
    """Serve what ``url`` (ending in ``/api``) answers, with each answer spoiled on its way; yields its own address."""
    session = requests.Session()
    session.trust_env = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/api")
            headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
            try:
                answer = session.get(f"{url}{path}", headers=headers, timeout=60)
            except requests.RequestException:  # the sandbox broke it off itself
                self._reset()
                return
            kept = ("content-type", "x-rate-limit", "retry-after")
            of_answer = {name: value for name, value in answer.headers.items() if name.lower().startswith(kept)}
            reply = spoil(urlsplit(path).path, Reply(answer.status_code, of_answer, answer.content))
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.sends])
            if reply.sends is not None:
                self.wfile.flush()
                self._reset()

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _running(Handler) as address, session:
        yield address


Answer = Callable[[str, str, dict[str, str]], tuple[int, str, bytes]]
"""From path below the API's root, query and headers to status, media type and body."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve whatever ``answer`` says; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
            status, media_type, body = answer(asked.path.removeprefix("/api"), asked.query, headers)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _running(Handler) as url:
        yield url


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
