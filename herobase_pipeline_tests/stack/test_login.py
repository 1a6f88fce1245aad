"""The login before the UI that SECURITY.md shows: nginx with the file as it is in deploy/, but for names and ports."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from herobase_pipeline_tests.conftest import ROOT
from herobase_pipeline_tests.stack.stack import Stack

NGINX, OPENSSL = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"), str(shutil.which("openssl"))
pytestmark = [
    pytest.mark.slow,
    # no package of Python brings a nginx; .ci/run installs it, as it does the browser
    pytest.mark.skipif(not NGINX, reason="needs nginx: apt-get install nginx-light"),
]
LOGIN, HOST = ("anna", "a password: of hers"), "herobase.example"
_MAIN = """
    daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
    events {{}}
    http {{
        access_log {folder}/access.log;
        {paths}
        include {folder}/herobase.conf;
    }}
"""


class Door:
    """The UI behind nginx."""

    def __init__(self, folder: Path, plain: int, tls: int) -> None:
        self.folder, self.plain, self.tls = folder, plain, tls

    def ask(self, path: str = "/", *, login=None, tls=True, **more) -> requests.Response:
        url = f"https://127.0.0.1:{self.tls}{path}" if tls else f"http://127.0.0.1:{self.plain}{path}"
        more["headers"] = {"Host": HOST, **more.get("headers", {})}
        ask = requests.post if "json" in more else requests.get
        cert = str(self.folder / "cert.pem")
        return ask(url, auth=login, verify=cert, allow_redirects=False, timeout=30, **more)


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("nginx")
    plain, tls = _free(2)
    certificate = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    certificate += ["-subj", f"/CN={HOST}", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([OPENSSL, *certificate, *files], check=True, capture_output=True)
    hashed = subprocess.run(
        [OPENSSL, "passwd", "-6", "-stdin"], input=LOGIN[1], check=True, capture_output=True, text=True
    )
    (folder / "users").write_text(f"{LOGIN[0]}:{hashed.stdout}")
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
        "127.0.0.1:3000;": f"127.0.0.1:{stack.port};",
        "/etc/ssl/certs/herobase.pem": str(folder / "cert.pem"),
        "/etc/ssl/private/herobase.key": str(folder / "key.pem"),
        "/etc/nginx/herobase.users;": f"{folder}/users;",
        "/srv/herobase/app/data/reports/board/;": f"{folder}/board/;",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "herobase.conf").write_text(text)
    (folder / "board").mkdir()
    (folder / "board" / "index.html").write_text("<!DOCTYPE html><title>Today</title>")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    is_root = (folder.stat().st_uid, "user root;") if folder.stat().st_uid == 0 else (1, "")
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, paths=paths, user=is_root[1]))
    running = subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]
    )
    try:
        _wait_for(tls)
        yield Door(folder, plain, tls)
    finally:
        running.terminate()
        running.wait()


def _free(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("nginx does not listen")


def test_nobody_sees_the_ui_without_a_login_and_no_password_goes_in_clear(door):
    moved = door.ask("/runs", tls=False, login=LOGIN)
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{HOST}/runs")
    asked = {"query": "{ version }"}
    for login in (None, ("anna", "another"), ("bo", LOGIN[1]), ("anna", "")):
        assert door.ask(login=login).status_code == 401
        assert door.ask("/graphql", login=login, json=asked).status_code == 401
    page = door.ask(login=LOGIN)
    assert page.status_code == 200
    assert "Dagster" in page.text
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "version" in door.ask("/graphql", login=LOGIN, json=asked).json()["data"]


def test_the_live_board_is_behind_the_same_login_and_is_only_read(door):
    for login in (None, ("anna", "another")):
        assert door.ask("/board/", login=login).status_code == 401
    page = door.ask("/board/", login=LOGIN)
    assert (page.status_code, page.text) == (200, "<!DOCTYPE html><title>Today</title>")
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Cache-Control"] == "no-cache"
    assert page.headers["Content-Type"].startswith("text/html")
    assert door.ask("/board/", login=LOGIN, json={}).status_code == 403
    assert door.ask("/board", login=LOGIN).headers["Location"] == f"https://{HOST}/board/"
    assert door.ask("/board/../users", login=LOGIN).text != (door.folder / "users").read_text()
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert door.ask("/board/", login=LOGIN, headers=elsewhere).status_code == 403
    again = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert (
        door.ask("/board/", login=LOGIN, headers=again).status_code == 200
    )  # the page asks whether there is a newer one


def test_another_sites_page_in_the_same_browser_starts_nothing(door):
    """A browser sends the login along, whoever made the page; Dagster takes orders by GET too, as an image's address."""
    asked = {"query": "{ version }"}
    for origin, status in (
        ("https://evil.example", 403),
        (f"https://{HOST}.evil.example", 403),
        (f"https://{HOST}", 200),
    ):
        assert door.ask("/graphql", login=LOGIN, json=asked, headers={"Origin": origin}).status_code == status
    by_get = "/graphql?query=mutation{terminateRun(runId:%22x%22){__typename}}"
    for path in (by_get, by_get.replace("graphql", "graphql/"), by_get.replace("graphql", "%67raphql")):
        assert door.ask(path, login=LOGIN).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert door.ask("/runs", login=LOGIN, headers=elsewhere).status_code == 403
    assert door.ask("/graphql", login=LOGIN, json=asked, headers=elsewhere).status_code == 403
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert door.ask("/runs", login=LOGIN, headers=followed).status_code == 200


def test_the_ui_hears_events_through_it(door):
    """The UI opens a WebSocket: without the upgrade it would show nothing until it is loaded again."""
    context = ssl.create_default_context(cafile=door.folder / "cert.pem")
    token = requests.auth._basic_auth_str(*LOGIN)
    with (
        socket.create_connection(("127.0.0.1", door.tls), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(
            f"GET /graphql HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-ws\r\n\r\n".encode()
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 101 ")


def test_the_webserver_itself_listens_to_this_machine_only(stack):
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {local for _, local, _, state, *_ in listening if state == "0A" and local.endswith(f":{stack.port:04X}")}
    assert ours == {f"0100007F:{stack.port:04X}"}
    assert "--host 127.0.0.1" in (ROOT / "Makefile").read_text()


def test_no_process_of_it_shows_a_secret_to_who_lists_them(stack):
    secrets = [stack.environment[name] for name in ("HEROBASE_PASSWORD", "HEROBASE_PII_KEY")]
    assert len(stack.processes()) > 2
    assert not [process for process in stack.processes() if any(secret in process.command for secret in secrets)]
