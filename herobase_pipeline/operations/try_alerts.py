"""``make alert``: sends a test message to each address of ``HEROBASE_ALERT_URLS``, and says which took it.

``herobase-alert`` names an address by its place in the list and its kind, never the address itself: it holds secrets.
"""

import argparse
import sys
from collections.abc import Iterator

from herobase_pipeline.notices import scheme, send
from herobase_pipeline.settings import Settings, SettingsError
from herobase_pipeline.sites import add_option, chosen, headed, named

NOT_SET = "HEROBASE_ALERT_URLS is not set, so nobody is told when something is wrong. docs/operate.md says what to write there.\n"
_TEXT = "This is a test. When something is wrong, a message such as this one says what, since when, and what to do."


def main(arguments: list[str] | None = None) -> int:
    """Send the messages; returns the exit code: 0, 1 where one was not taken, 2 with a sentence where there is no address."""
    options = argparse.ArgumentParser(prog="herobase-alert", description=__doc__)
    add_option(options)
    given = options.parse_args(arguments)
    try:
        sites = chosen(given.site)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not any(settings.alert_urls for settings in sites.values()):
        sys.stderr.write(NOT_SET)
        return 2
    failed = False
    for name, settings in sites.items():
        lines = []
        for is_taken, line in _tried(name, settings):
            failed = failed or not is_taken
            lines.append(line)
        sys.stdout.write(headed(name, "\n".join(lines) or NOT_SET.strip()) + "\n")
    return 1 if failed else 0


def _tried(name: str, settings: Settings) -> Iterator[tuple[bool, str]]:
    """Send a test message to each address of an account; yield whether it was taken, with what is said of it."""
    account = named(name, settings)
    for number, url in enumerate(settings.alert_urls, 1):
        address = url.get_secret_value()
        why_not = send(address, f"A test [{account}]", f"{_TEXT}\n\n{account}", "info")
        yield not why_not, f"{number}. {scheme(address)}: {f'not taken, {why_not}' if why_not else 'taken'}."
