"""HTTP: authentication, rights, limits, faults and streaming around the services, and a server that runs them."""

import asyncio
import base64
import binascii
import datetime as dt
import hmac
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from herobase_pipeline.sandbox import answers
from herobase_pipeline.sandbox.answers import ApiError, Body, Records, Table, Value
from herobase_pipeline.sandbox.destinations import HERO, HERON, Destinations
from herobase_pipeline.sandbox.faults import Fault, Script
from herobase_pipeline.sandbox.limits import FAIR_USE_HEADER, FAIR_USE_VALUE, Limits, Verdict
from herobase_pipeline.sandbox.query import BadQueryError, Query
from herobase_pipeline.sandbox.services import Asked, Service, Services, window_of
from herobase_pipeline.sandbox.shapes import Shapes
from herobase_pipeline.sandbox.world.world import World
from herobase_pipeline.settings import SandboxSettings

PREFIX = "/api"
_JSON, _HTML, _CSV = "application/json; charset=utf-8", "text/html; charset=utf-8", "text/csv; charset=utf-8"
_KEPT_REQUESTS = 100_000
_READS = ("GET", "HEAD")
_GRACE_S = 1.0


@dataclass(frozen=True)
class Served:
    """An answered request: path without ``/api``, parameters by lower-case name, what its service counted, and when."""

    method: str
    path: str
    params: dict[str, list[str]]
    status: int
    cost: int
    at: dt.datetime


@dataclass
class _Reply:
    body: Body
    fault: Fault | None


class Application:
    """The ASGI application. ``counting_clock`` gives the time for rate limits; the world's clock may stand still."""

    def __init__(self, world: World, counting_clock: Callable[[], dt.datetime]) -> None:
        self.world, self.settings = world, world.settings
        self.shapes = Shapes(world)
        limits = dict(_limit(text) for text in self.settings.service_limits)
        self.limits = Limits(
            self.settings.daily_limit,
            limits,
            lambda: counting_clock().timestamp(),
            lambda t: dt.datetime.fromtimestamp(t, world.zone).hour,
            self.settings.naive_cost_outside,
        )
        self.services = Services(world, self.shapes, self.limits)
        self.script = Script(self.settings.faults)
        self.destinations = Destinations()
        self.requests: list[Served] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        given = b"" if request.method in _READS else await request.body()
        is_handed_on = scope["path"].lower().startswith((f"{HERO}/", f"{HERON}/"))
        reply = await run_in_threadpool(self._handed_on if is_handed_on else self._reply, request, given)
        await self._send(request, reply, send)

    # -- making the answer -----------------------------------------------------------------------------------

    def _reply(self, request: Request, given: bytes) -> _Reply:
        path = request.scope["path"].rstrip("/") or "/"
        inner = path[len(PREFIX) :] if path.lower().startswith(PREFIX + "/") else ""
        query = Query(
            request.scope["query_string"], self.world.zone, honour_offsets=self.settings.start_time_z == "honoured"
        )
        now = self.world.now()
        found = self.services.find(inner)
        name = found[0].name if found else "unknown"
        fair = request.headers.get(FAIR_USE_HEADER, "").strip().lower() == FAIR_USE_VALUE
        fault: Fault | None = None
        verdict: Verdict | None = None
        try:
            self._authenticate(request)
            verdict = self.limits.take(name, fair=fair)
            fault = self.script.pick(inner.lower(), query.params, window_of(name, query, now))
            self._admit(request, name, verdict, fault)
            if request.method in _READS:
                body = self._body(request, found, Asked(query, found[1] if found else "", now), fault)
            else:
                body = self._imported(given, fault or Fault())
        except ApiError as error:
            body = Body(error.status, _JSON, iter([answers.error_body(error, self.shapes)]), list(error.headers))
        except BadQueryError as error:
            body = Body(
                400, _JSON, iter([answers.error_body(ApiError(400, "ArgumentException", str(error)), self.shapes)])
            )
        if verdict is None:
            verdict = self.limits.take(name, fair=fair, count=False)
        headers = verdict.headers()
        if fault is not None:
            if fault.reset is not None:
                headers = [
                    (n, str(fault.reset) if n.endswith("Reset") else "0" if n.endswith("Remaining") else v)
                    for n, v in headers
                ]
            if fault.no_headers:
                headers = []
        body.headers += headers
        if len(self.requests) < _KEPT_REQUESTS:
            self.requests.append(Served(request.method, inner or path, query.params, body.status, verdict.cost, now))
        return _Reply(body, fault)

    def _handed_on(self, request: Request, given: bytes) -> _Reply:
        path = request.scope["path"].rstrip("/")
        fault = self.script.pick(path.lower(), {}, None) or Fault()
        status, told = self.destinations.answer(request.method, path, request.headers, given, fault)
        headers = [("Retry-After", str(fault.reset))] if fault.reset is not None else []
        if len(self.requests) < _KEPT_REQUESTS:
            self.requests.append(Served(request.method, path, {}, status, 0, self.world.now()))
        return _Reply(Body(status, _JSON, iter([json.dumps(told).encode()]), headers), fault)

    def _authenticate(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            login = base64.b64decode(token.strip(), validate=True).decode() if kind.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            login = ""
        user, _, password = login.partition(":")
        good_user = hmac.compare_digest(user.lower().encode(), self.settings.username.lower().encode())
        good_password = hmac.compare_digest(password.encode(), self.settings.password.encode())
        if not (good_user and good_password):
            raise ApiError(
                401, "Unauthorized", "Invalid user name or password.", (("WWW-Authenticate", 'Basic realm="/api"'),)
            )

    def _imported(self, given: bytes, fault: Fault) -> Body:
        if "resource_rights" in self.settings.model_fields_set:
            self._may("Leads", "Post")
        told = self.destinations.import_lead(given, self.services.importable(self.world.now()), refuses=fault.error)
        if fault.status is not None:
            raise ApiError(fault.status, "InternalServerError", "Scripted fault.")
        return Body(200, _JSON, iter([self.shapes.dump(self.shapes.members(**told)).encode()]))

    def _may(self, resource: str, verb: str) -> None:
        if f"{resource}:{verb}".lower() not in {r.replace(" ", "").lower() for r in self.settings.resource_rights}:
            raise ApiError(403, "Forbidden", f"The account has no {resource} {verb} right.")

    @staticmethod
    def _admit(request: Request, service: str, verdict: Verdict, fault: Fault | None) -> None:
        if not verdict.allowed:
            raise ApiError(429, "TooManyRequests", "Rate limit exceeded.")
        imports = request.method == "POST" and service == "/leads"
        if request.method not in _READS and not imports:
            raise ApiError(
                405, "MethodNotAllowed", "The sandbox answers GET, and POST to /leads.", (("Allow", "GET, HEAD"),)
            )
        if fault is not None and not (imports and fault.commits):
            status = fault.status or (500 if fault.max_window is not None else None)
            if fault.deny:
                status = 403
            if status is not None:
                code, message = _CODES.get(status, "InternalServerError"), _MESSAGES.get(status, "Scripted fault.")
                raise ApiError(status, code, message)

    def _body(self, request: Request, found: tuple[Service, str] | None, asked: Asked, fault: Fault | None) -> Body:
        if found is None:
            raise ApiError(404, "NotFound", f"No service answers {request.scope['path']}.")
        service = found[0]
        if fault is not None:
            if fault.html:
                return Body(200, _HTML, iter([answers.LOGIN_PAGE]))
            if fault.empty:
                return Body(200, _JSON, iter([b""]))
        self._may(service.resource, "Get")
        answer = service.answer(asked)
        if isinstance(answer, Table):
            return Body(200, _CSV, answers.csv_text(answer, self.settings))
        if isinstance(answer, Records):
            if fault is not None and fault.max_rows is not None:
                answer = answers.capped(answer, fault.max_rows)
            if fault is not None and fault.duplicates:
                answer = answers.repeated(answer, fault.duplicates)
            return Body(200, _JSON, answers.json_array(answer, pretty=self.settings.pretty))
        return self._plain(request, service, answer, fault)

    def _plain(self, request: Request, service: Service, answer: Value, fault: Fault | None) -> Body:
        value = answer.value
        if isinstance(value, list) and fault is not None:
            value = value if fault.max_rows is None else value[: fault.max_rows]
            value = value + value[: round(len(value) * fault.duplicates)]
        headers = [("X-Sandbox-Note", "invented shape: the real one was never published")] if answer.invented else []
        accept = request.headers.get("accept", "").lower()
        if "text/html" in accept and "json" not in accept:
            return Body(200, _HTML, iter([answers.page(service.name, value)]), headers)
        return Body(200, _JSON, iter([self.shapes.dump(value).encode()]), headers)

    # -- sending ---------------------------------------------------------------------------------------------

    async def _send(self, request: Request, reply: _Reply, send: Send) -> None:
        body, fault = reply.body, reply.fault or Fault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        pieces = body.pieces
        ready: bytes | None = None
        if request.method == "HEAD":
            await self._start(body, None, send)
            await send({"type": "http.response.body", "body": b""})
            return
        if fault.truncate is not None or fault.cut is not None or fault.chunk_delay:
            ready = await run_in_threadpool(lambda: b"".join(pieces))
        else:
            first_two = await run_in_threadpool(lambda: list(itertools.islice(pieces, 2)))
            if len(first_two) < 2:
                ready = b"".join(first_two)
            else:
                pieces = itertools.chain(first_two, pieces)
        if ready is not None:
            await self._send_ready(body, ready, fault, send)
            return
        await self._start(body, None, send)
        while True:
            piece = await run_in_threadpool(next, pieces, None)
            if piece is None or await request.is_disconnected():
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _send_ready(self, body: Body, ready: bytes, fault: Fault, send: Send) -> None:
        if fault.truncate is not None:
            ready = ready[: int(len(ready) * fault.truncate)]
        await self._start(body, len(ready), send)
        if fault.cut is not None:
            # announced longer than sent, then no end: the server closes the connection
            await send({"type": "http.response.body", "body": ready[: int(len(ready) * fault.cut)], "more_body": True})
            return
        if fault.chunk_delay and ready:
            step = max(1, -(-len(ready) // 8))
            for start in range(0, len(ready), step):
                await send({"type": "http.response.body", "body": ready[start : start + step], "more_body": True})
                await asyncio.sleep(fault.chunk_delay)
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.body", "body": ready})

    @staticmethod
    async def _start(body: Body, length: int | None, send: Send) -> None:
        headers = [("Content-Type", body.media_type), *body.headers]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": body.status, "headers": raw})


_CODES = {
    400: "ArgumentException",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}
_MESSAGES = {403: "Forbidden.", 404: "Not found.", 429: "Rate limit exceeded."}


def _limit(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    service = service.strip().lower()
    return (service if service.startswith("/") else f"/{service}"), int(number)


class Sandbox:
    """HeroBase in a box, on a loopback port, in a daemon thread of this process.

    Args:
        settings: shapes, size, rights, limits and faults; unset: read from the environment.
        port: 0 takes a free one.
        now: an aware UTC clock for the world *and* for the rate limits. Unset: the world's clock is the settings'
            (standing or running) and limits count in real time.

    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        port: int = 0,
        now: Callable[[], dt.datetime] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.settings = settings if settings is not None else SandboxSettings()
        self.world = World(self.settings, now)
        self.application = Application(self.world, now or (lambda: dt.datetime.now(dt.UTC)))
        self._host, self._port = host, port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where the API is: ``http://127.0.0.1:PORT/api``."""
        return f"http://{self._host}:{self._port}{PREFIX}"

    @property
    def hero_url(self) -> str:
        """Where HERO is: ``http://127.0.0.1:PORT/hero``."""
        return f"http://{self._host}:{self._port}{HERO}"

    @property
    def heron_url(self) -> str:
        """Where Heron is: ``http://127.0.0.1:PORT/heron``."""
        return f"http://{self._host}:{self._port}{HERON}"

    @property
    def destinations(self) -> Destinations:
        """What was handed on to other systems."""
        return self.application.destinations

    @property
    def username(self) -> str:
        """Login of the web-service account."""
        return self.settings.username

    @property
    def password(self) -> str:
        """Password of the web-service account."""
        return self.settings.password

    @property
    def requests(self) -> list[Served]:
        """Requests answered so far, in order (the first 100,000)."""
        return self.application.requests

    def script(self, *rules: str | Fault, **words: Any) -> list[Fault]:
        """Add faults, see ``faults``: ``script("/calls status=500")`` or ``script(path="/calls", status=500)``."""
        return self.application.script.add(*rules, **words)

    def heal(self) -> None:
        """Take all faults away."""
        self.application.script.clear()

    def start(self) -> Self:
        """Serve, and come back once requests are answered.

        Raises:
            OSError: the port is taken.

        """
        # with its protocol named, asyncio switches Nagle's delay off for every connection
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self._host, self._port))
        except OSError:
            self._socket.close()
            raise
        self._port = int(self._socket.getsockname()[1])
        self._server = make_server(self.application)
        self._thread = threading.Thread(target=self._run, name="herobase-sandbox", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError("The sandbox could not be started.")
            time.sleep(0.002)
        return self

    def _run(self) -> None:
        server, listening = self._server, self._socket
        if server is not None and listening is not None:
            asyncio.run(server.serve(sockets=[listening]))

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """Ends within milliseconds, or after ``_GRACE_S`` where an answer is still on its way; tests need not wait."""

    async def main_loop(self) -> None:
        for tick in itertools.count():
            if await self.on_tick(tick):
                return
            await asyncio.sleep(0.02)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(state.connections):
            connection.shutdown()
        deadline = time.monotonic() + _GRACE_S
        while (state.connections or state.tasks) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        for task in state.tasks:
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


def make_server(application: Application) -> uvicorn.Server:
    """Make a quiet server."""
    config = uvicorn.Config(
        application,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=75,
        backlog=1024,
        loop="asyncio",
    )
    config.load()  # here, not in the thread: it imports, and the caller may be in the middle of an import
    return _Server(config)
