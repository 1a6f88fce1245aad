"""What SECURITY.md promises and no other test holds."""

import http.server
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from zoneinfo import ZoneInfo

import pytest

from herobase_pipeline.delivering.destinations import answers
from herobase_pipeline.herobase import errors
from herobase_pipeline.herobase.client import HeroBase
from herobase_pipeline_tests.conftest import ROOT

OPENSSL = str(shutil.which("openssl"))
SECRET = "a password that nobody sees"


@pytest.fixture
def stranger(tmp_path):
    """A server whose certificate nobody vouches for; what reaches it is told."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            heard.append(self.rfile.readline().decode(errors="replace"))
            self.close_connection = True

    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([OPENSSL, *request, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running = threading.Thread(target=server.serve_forever, args=(0.05,))
    running.start()
    yield f"https://localhost:{server.server_port}", heard
    server.shutdown()
    running.join()
    server.server_close()


def test_a_host_whose_certificate_is_not_good_hears_no_login(stranger):
    url, heard = stranger
    herobase = HeroBase(f"{url}/api", "somebody", SECRET, ZoneInfo("Europe/Copenhagen"))
    with pytest.raises(errors.HeroBaseError) as raised:
        herobase.account()
    assert SECRET not in str(raised.value)
    hero = answers.Address(url, {"Authorization": SECRET.encode()})
    outcome = answers.ask(hero, "POST", "/hero/api/v1/Projects/create", {"customer": {"email": "a@b.dk"}})
    assert outcome.what in (answers.What.NOT_DONE, answers.What.NOT_LOOKED_AT)
    assert SECRET not in str(outcome)
    assert "".join(heard) == ""


def test_neither_the_ui_nor_the_sandbox_is_reached_from_another_machine():
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"dagster dev (.*)", makefile) == ["--host 127.0.0.1 --port 3000"]
    running = subprocess.Popen(
        [sys.executable, "-u", "-m", "herobase_pipeline.sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        told = running.stdout.readline()
        assert "http://127.0.0.1:" in told
    finally:
        running.terminate()
        running.communicate()


def test_a_secret_is_in_no_process_list():
    """Settings are read from the environment; no command takes a secret as an argument."""
    environment = {**os.environ, "HEROBASE_PASSWORD": SECRET, "HERO_API_KEY": SECRET, "HEROBASE_PII_KEY": SECRET}
    asking = subprocess.run(
        [sys.executable, "-m", "herobase_pipeline.pulling.account_page", "--help"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "password" not in asking.stdout.casefold()
    assert SECRET not in asking.stdout + asking.stderr
    commands = [path for path in (ROOT / "herobase_pipeline").rglob("*.py") if "add_argument" in path.read_text()]
    assert commands
    for path in commands:
        assert not re.search(
            r"add_argument\(\"--[^)]*(password|secret|api.key|pii)", path.read_text(), re.IGNORECASE
        ), path
