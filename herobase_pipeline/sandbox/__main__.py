"""``python -m herobase_pipeline.sandbox --port 8080``: serve until interrupted."""

import argparse
import datetime as dt
import sys
import threading

from herobase_pipeline.sandbox.server import Sandbox


def main() -> None:
    """Read the command line, say where the sandbox is, and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m herobase_pipeline.sandbox", description="HeroBase in a box. Settings: HEROBASE_SANDBOX_*."
    )
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    sandbox = Sandbox(port=options.port, host=options.host)
    try:
        sandbox.start()
    except OSError as error:
        raise SystemExit(f"Port {options.port} of {options.host} cannot be used ({error}); choose another.") from None
    day = sandbox.world.now().date() - dt.timedelta(days=1)
    login = f"-u '{sandbox.username}:{sandbox.password}'"
    sys.stdout.write(
        f"HeroBase sandbox: {sandbox.url}\n"
        f"Login: {sandbox.username} / {sandbox.password}\n\n"
        f"curl {login} '{sandbox.url}/calls?OrgCode=Salg&StartTime={day}&TimeSpan=P1D'\n"
        f"curl {login} '{sandbox.url}/simpleleads?Projects=*&ModifiedFrom={day}&AllClosedStatuses=true'\n\n"
        "Ctrl-C ends it.\n"
    )
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sandbox.stop()


if __name__ == "__main__":
    main()
