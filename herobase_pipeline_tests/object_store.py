"""An object store that speaks S3 (moto's), in a process of its own."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import pytest
from s3fs import S3FileSystem

from herobase_pipeline import addresses


@contextlib.contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """Start one; hand out the environment with which S3's clients find it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()


def ask_only(environment: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    """Let this process ask the object store of an environment, and none that it met before."""
    for name, value in environment.items():
        patch.setenv(name, value)
    patch.setattr(addresses, "_systems", {})
    S3FileSystem.clear_instance_cache()
