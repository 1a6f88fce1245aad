"""A HeroBase that answers every request for calls with the same bytes, so that nobody is measured by the sandbox's speed."""

import http.server
import json
import sys
from pathlib import Path

from benchmarks.material import CALLS, UNITS

_CHUNK = 1 << 18


class Server(http.server.ThreadingHTTPServer):
    """The bytes to answer with."""

    calls = b""
    units = b""


class Canned(http.server.BaseHTTPRequestHandler):
    """Chunked answers, as HeroBase streams them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the calls, or with the units."""
        assert isinstance(self.server, Server)  # noqa: S101  the handler's own attribute is typed more widely
        body = self.server.calls if "/calls" in self.path else self.server.units
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), _CHUNK):
            chunk = body[start : start + _CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve the folder given as the first argument; print the port."""
    folder = Path(sys.argv[1])
    server = Server(("127.0.0.1", 0), Canned)
    server.calls, server.units = (folder / CALLS).read_bytes(), (folder / UNITS).read_bytes()
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
