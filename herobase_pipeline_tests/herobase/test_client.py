"""The client against a small server of its own: what it sends, and what it makes of every kind of answer."""

import base64
import datetime as dt
import gzip
import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from herobase_pipeline.enums import LeadStatus
from herobase_pipeline.herobase import errors
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline.herobase.quota import Budget
from herobase_pipeline.partitions import Window

PASSWORD = "correct horse ø€ battery"
ZONE = ZoneInfo("Europe/Copenhagen")
WINDOW = Window(dt.datetime(2026, 3, 28, 22, tzinfo=dt.UTC), dt.datetime(2026, 3, 30, 1, 30, tzinfo=dt.UTC))

Answer = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int = 200, body: bytes = b"[]", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{"uniqueId":"1"}')


def cut_chunks(handler: BaseHTTPRequestHandler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'9\r\n[{"id":1}\r\n')


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


class Server:
    """Answers each request with the next of its answers, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((parts.path, parse_qs(parts.query, keep_blank_values=True), headers))
                answers = outer.answers.get(parts.path) or outer.answers[""]
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/api"

    def says(self, *answers: Answer, path: str = "") -> None:
        self.answers[path and f"/api/{path}"] = list(answers)

    def stall(self, _: BaseHTTPRequestHandler) -> None:
        self.release.wait(5)

    def stall_in_the_middle(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'[{"uniqueId":"1"}')
        handler.wfile.flush()
        self.release.wait(5)

    def stop(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


class Sleeper:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    def budget(self) -> Budget:
        return Budget(clock=lambda: sum(self.slept), sleep=self)


@pytest.fixture
def client(server: Server) -> Iterator[HeroBase]:
    client = HeroBase(server.url, "api@nord.example", PASSWORD, ZONE, budget=Sleeper().budget(), read_seconds=0.3)
    yield client
    client._session.close()


def calls(client: HeroBase) -> list[dict[str, object]]:
    return [record for segment in client.calls("Salg / Nord & Øst", WINDOW) for record in json.loads(segment.json)]


def leads(client: HeroBase) -> list[dict[str, object]]:
    projects = ["Nysalg*", "Mødebooking"]
    return [record for segment in client.simple_leads(projects, WINDOW) for record in json.loads(segment.json)]


def test_t16_every_request_carries_login_accept_and_fair_use(client, server):
    server.says(reply())
    server.says(reply(body=b"{}"), path="myaccount")
    calls(client), leads(client)
    for ask in (client.org_units, client.users, client.campaigns, client.projects, client.account):
        ask()
    assert len(server.requests) == 7
    for _, _, headers in server.requests:
        kind, login = headers["authorization"].split()
        assert kind == "Basic"
        assert base64.b64decode(login).decode("utf-8") == f"api@nord.example:{PASSWORD}"
        assert headers["accept"] == "application/json"
        assert headers["x-rate-limit-fair-use-policy"] == "Minute rated"


def test_calls_are_asked_for_by_unit_start_and_span(client, server):
    server.says(reply(body=b'[{"uniqueId":"1"}]'))
    assert calls(client) == [{"uniqueId": "1"}]
    ((path, query, _),) = server.requests
    assert path == "/api/calls"
    assert query == {"OrgCode": ["Salg / Nord & Øst"], "StartTime": ["2026-03-28T22:00:00Z"], "TimeSpan": ["PT27H30M"]}


def test_t30c_leads_are_asked_for_by_local_time_and_all_statuses_and_no_filter_else(client, server):
    server.says(reply())
    assert leads(client) == []
    ((path, query, _),) = server.requests
    assert path == "/api/simpleleads"
    assert query.pop("Statuses") == [",".join(status.name for status in LeadStatus)]
    assert query == {
        "Projects": ["Nysalg*", "Mødebooking"],
        "ModifiedFrom": ["2026-03-28T23:00:00"],
        "ModifiedTo": ["2026-03-30T03:30:00"],
        "AllClosedStatuses": ["true"],
        "AllOpenStatuses": ["true"],
    }


def test_a_comma_in_a_projects_name_is_sent_as_any_sign_as_herobase_would_split_the_name_there(client, server):
    server.says(reply())
    assert [segment.records for segment in client.simple_leads(["Salg, Øst", "Nord"], WINDOW)] == [0]
    ((_, query, _),) = server.requests
    assert query["Projects"] == ["Salg? Øst", "Nord"]


def test_nothing_is_asked_before_the_segments_are_wanted(client, server):
    client.calls("Salg", WINDOW)
    assert server.requests == []


def test_a_compressed_answer_is_read(client, server):
    server.says(reply(body=gzip.compress(b'[{"a":"\xc3\xb8"}]'), Content_Encoding="gzip"))
    assert calls(client) == [{"a": "ø"}]


FAULTS: dict[str, tuple[Answer, type[errors.HeroBaseError], str]] = {
    "401": (reply(401, b"", WWW_Authenticate="Basic"), errors.LoginRefusedError, "HEROBASE_PASSWORD"),
    "403": (reply(403, b"{}"), errors.RightMissingError, "Ask HeroBase's support to grant"),
    "404": (reply(404, b"<html>"), errors.NotFoundError, "Check HEROBASE_URL"),
    "400": (reply(400, b"bad"), errors.RequestRefusedError, "400"),
    "204": (reply(204, b""), errors.RequestRefusedError, "204"),
    "302": (reply(302, b"", Location="http://127.0.0.1:1/login"), errors.RequestRefusedError, "302"),
    "500": (reply(500, b"{}"), errors.ServerFailedError, "HeroBase failed (500)"),
    "503": (reply(503, b""), errors.ServerFailedError, "HeroBase failed (503)"),
    "cut": (cut, errors.BrokenOffError, "broke off in mid-answer"),
    "cut chunks": (cut_chunks, errors.BrokenOffError, "broke off in mid-answer"),
    "half a list": (reply(body=b'[{"a":1},'), errors.BrokenOffError, "broke off in the middle"),
    "no answer at all": (hang_up, errors.BrokenOffError, "broke off"),
    "not gzip": (reply(body=b"[]", Content_Encoding="gzip"), errors.BrokenOffError, "broke off"),
    "html": (reply(body=b"<html>login</html>"), errors.NotJsonError, "web page"),
    "empty": (reply(body=b""), errors.NotJsonError, "empty body"),
    "object": (reply(body=b'{"responseStatus":{}}'), errors.NotJsonError, "object instead of a list"),
    "429": (reply(429, b"", X_Rate_Limit_Reset="5"), errors.MinuteSpentError, "limit per minute"),
    "429 day": (reply(429, b"", X_Rate_Limit_Reset="50000"), errors.QuotaSpentError, "starts anew at"),
}
ONCE = ("401", "403", "404", "400", "204", "302", "429 day")


@pytest.mark.parametrize("ask", [calls, leads])
@pytest.mark.parametrize("fault", FAULTS)
def test_t13_an_answer_that_is_none_is_an_error_that_says_what_was_asked_what_came_and_what_to_do(
    client, server, fault, ask, caplog
):
    caplog.set_level(logging.DEBUG)
    answer, kind, sentence = FAULTS[fault]
    server.says(answer)
    with pytest.raises(errors.HeroBaseError) as raised:
        ask(client)
    assert type(raised.value) is kind
    told = str(raised.value)
    assert sentence in told
    assert ("calls" if ask is calls else "simpleleads") in told
    if not fault.startswith("429"):
        assert "from 2026-03-28 22:00:00 to 2026-03-30 01:30:00 UTC" in told
    assert told.endswith(".")
    login = base64.b64encode(f"api@nord.example:{PASSWORD}".encode()).decode()
    everything = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(client) + caplog.text
    assert "correct horse" not in everything
    assert login not in everything
    assert len(server.requests) == 1
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_that_may_pass_is_asked_again_and_no_other(client, server, fault):
    answer, kind, _ = FAULTS[fault]
    server.says(answer)
    with pytest.raises(kind):
        client.retrying(lambda: calls(client))
    assert len(server.requests) == (1 if fault in ONCE else 3)
    assert kind.worth_retrying == (fault not in ONCE)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ONCE])
def test_a_passing_fault_is_recovered_from(client, server, fault):
    answer, *_ = FAULTS[fault]
    server.says(answer, answer, reply(body=b'[{"a":1}]'))
    assert client.retrying(lambda: calls(client)) == [{"a": 1}]
    assert len(server.requests) == 3


def test_waits_before_another_attempt_go_through_the_budget_and_are_jittered(server):
    sleeper = Sleeper()
    client = HeroBase(server.url, "u", "p", ZONE, budget=sleeper.budget(), attempts=5, wait_seconds=1.0, read_seconds=1)
    server.says(reply(500))
    with pytest.raises(errors.ServerFailedError):
        client.users()
    client._session.close()
    assert len(server.requests) == 5
    assert len(sleeper.slept) == 4
    assert all(0 <= slept <= 2**i for i, slept in enumerate(sleeper.slept))
    assert len(set(sleeper.slept)) == 4


@pytest.mark.parametrize("where", ["stall", "stall_in_the_middle"])
def test_a_server_that_says_nothing_for_too_long_times_out(client, server, where):
    server.says(getattr(server, where))
    with pytest.raises(errors.TimedOutError, match="sent nothing for too long") as raised:
        calls(client)
    assert raised.value.worth_halving


def test_nobody_there_is_unreachable_and_no_smaller_window_is_tried(client, server):
    server.stop()
    with pytest.raises(errors.UnreachableError, match=r"Check HEROBASE_URL and this machine's network") as raised:
        calls(client)
    assert not raised.value.worth_halving
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


def test_a_machine_that_does_not_take_the_connection_is_unreachable_rather_than_slow(client):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # fill the queue, so that nobody takes the next connection
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        slow = HeroBase(f"http://127.0.0.1:{port}/api", "u", "p", ZONE, budget=client.budget)
        slow._timeout = (0.2, 5)
        with pytest.raises(errors.UnreachableError):
            slow.account()
        for other in waiting:
            other.close()


def test_a_redirect_does_not_carry_the_login_away(client, server):
    elsewhere = Server()
    elsewhere.says(reply())
    try:
        for status in (301, 302, 303, 307, 308):
            server.says(reply(status, b"", Location=f"{elsewhere.url}/calls"))
            with pytest.raises(errors.RequestRefusedError):
                calls(client)
    finally:
        elsewhere.stop()
    assert elsewhere.requests == []
    assert len(server.requests) == 5


def test_an_answers_headers_are_learnt_and_bytes_and_requests_counted(client, server):
    server.says(reply(body=b'[{"a":1}]', X_Rate_Limit_Remaining="238", X_Rate_Limit_Reset="44"))
    calls(client)
    calls(client)
    assert client.budget.remaining == {"calls": 238}
    assert client.budget.requests == {"calls": 2}
    assert client.bytes_received == 2 * len(b'[{"a":1}]')


def test_units_are_asked_for_elsewhere_where_the_usual_path_is_not_known(client, server):
    server.says(reply(404), path="organizationalunits")
    server.says(reply(body=b'[{"orgCode":"Salg"}]'), path="orgunits")
    assert client.org_units() == [{"orgCode": "Salg"}]
    assert [path for path, _, _ in server.requests] == ["/api/organizationalunits", "/api/orgunits"]


def test_a_missing_right_to_units_is_not_asked_for_elsewhere(client, server):
    server.says(reply(403))
    with pytest.raises(errors.RightMissingError, match=r"organizationalunits .* GET on Organization\."):
        client.org_units()
    assert len(server.requests) == 1


def test_closed_campaigns_are_asked_for_too(client, server):
    server.says(reply(body=b'[{"code":"X"}]'))
    assert client.campaigns() == [{"code": "X"}]
    assert server.requests[0][1]["Active"] == ["All"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", errors.NotJsonError), (b"<html>", errors.NotJsonError), (b"{}", errors.NotJsonError),
        (b"[1]", errors.NotJsonError), (b"null", errors.NotJsonError), (b'[{"a":1}', errors.BrokenOffError),
        (b'[{"a":NaN 1}]', errors.NotJsonError), (b'[{"a":' + b"[" * 9_000, errors.BrokenOffError),
    ],
)  # fmt: skip
def test_t13_a_small_list_that_is_none_is_an_error(client, server, body, kind):
    server.says(reply(body=body))
    with pytest.raises(kind, match="users"):
        client.users()


@pytest.mark.parametrize(
    ("text", "read"),
    [(b"\xff x", "\ufffd x"), (rb"\ud83d x", "\ufffd x"), (b"a\tb", "a\tb"), (rb"\ud83d\ude00", "\U0001f600")],
)
def test_a_label_in_a_small_list_that_is_half_broken_is_read_as_far_as_it_goes(client, server, text, read):
    server.says(reply(body=b'[{"name":"' + text + b'","orgCode":"x"},{"orgCode":"y"}]'))
    assert client.users() == [{"name": read, "orgCode": "x"}, {"orgCode": "y"}]
    assert client.unreadable == []


def test_a_record_of_a_small_list_that_cannot_be_read_is_left_out_and_kept_as_it_came(client, server):
    server.says(reply(body=b'[{"orgCode":"x"},{"name":"12" wide","orgCode":"z"},{"orgCode":"y"}]'))
    assert client.users() == [{"orgCode": "x"}, {"orgCode": "y"}]
    assert client.unreadable == [("not JSON", '{"name":"12" wide","orgCode":"z"}')]
    server.says(reply(body=b"[]"))
    assert client.users() == []
    assert client.unreadable == []


def test_a_small_list_may_begin_with_a_byte_order_mark(client, server):
    server.says(reply(body=b'\xef\xbb\xbf[{"orgCode":"x"}]'))
    assert client.users() == [{"orgCode": "x"}]


def test_limits_and_counts_are_handed_on_whatever_their_shape(client, server):
    server.says(reply(body=b'{"a":[1]}'), path="myaccount/request/limits")
    server.says(reply(body=b"[1]"), path="myaccount/request/counts")
    assert client.request_limits() == {"a": [1]}
    assert client.request_counts() == [1]
    assert client.budget.requests == {"myaccount": 2}


def test_an_account_that_is_a_list_is_an_error(client, server):
    server.says(reply(body=b"[]"))
    with pytest.raises(errors.NotJsonError, match="myaccount"):
        client.account()


def test_the_login_is_in_no_repr(client):
    assert "correct horse" not in repr(client)
    assert "api@nord.example" not in repr(client)
    assert client.url in repr(client)
