"""Whether a destination can be reached, by its settings; and that nobody invented is sent to a real system."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import SecretStr

from herobase_pipeline.delivering.destinations.answers import Address
from herobase_pipeline.pulling.account import sandbox
from herobase_pipeline.settings import Settings, is_loopback

if TYPE_CHECKING:
    from herobase_pipeline.sandbox import Sandbox

IN_THE_BOX = "the sandbox"
"""The account of a system that the sandbox has in its box."""


class NotReachedError(Exception):
    """Settings do not say where a delivery goes, or must not; the message says which, and what to set."""


def by_key(
    settings: Settings,
    *,
    system: str,
    url: str | None,
    key: SecretStr,
    in_the_box: "Callable[[Sandbox], tuple[str, str]]",
    header: Callable[[str], tuple[str, str]],
    is_live: bool,
) -> tuple[str, Address]:
    """Return the account and the address of a system that has an API key in settings of its own.

    Args:
        settings: whose leads are sent.
        system: what its settings begin with.
        url: its address.
        key: its key.
        in_the_box: where the sandbox has it, and with which key.
        header: the header that a key is sent in.
        is_live: whether anything is sent.

    Raises:
        NotReachedError: it is live, and nothing says where it goes; or invented people would go to a real system.

    """
    plain, account = key.get_secret_value(), (url or "").partition("://")[2].casefold()
    if settings.url is None and url is None:
        (url, plain), account = in_the_box(sandbox(settings)), IN_THE_BOX
    name, value = header(plain)
    to = Address(url or "", {name: value.encode()})
    if settings.url is None and not is_loopback(to.host):
        raise NotReachedError(
            f"{system}_URL is set and HEROBASE_URL is not, so the sandbox's invented people would be sent to a real system. "
            f"Unset {system}_URL, or set HEROBASE_URL."
        )
    if is_live and not (url and plain):
        raise NotReachedError(f"it is live, so {system}_URL and {system}_API_KEY must be set.")
    return account, to
