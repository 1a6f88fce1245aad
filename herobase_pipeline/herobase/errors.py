"""What can go wrong with a request. Each message says what was asked, what came back, and what to do next."""

import datetime as dt


class HeroBaseError(Exception):
    """HeroBase could not be asked or could not be believed.

    Attributes:
        worth_retrying: the same request may succeed a moment later.
        worth_halving: a smaller window may succeed where this one did not (API page, "About pagination").

    """

    worth_retrying = False
    worth_halving = False


class LoginRefusedError(HeroBaseError):
    """401: wrong user name or password."""


class RightMissingError(HeroBaseError):
    """403: the account lacks the resource right."""


class NotFoundError(HeroBaseError):
    """404: no such path, unit or lead."""


class RequestRefusedError(HeroBaseError):
    """Any other answer that no repetition will change: another 4xx, a redirect."""


class UnreachableError(HeroBaseError):
    """No connection could be made."""

    worth_retrying = True


class ServerFailedError(HeroBaseError):
    """5xx. Also HeroBase's answer to some wrong parameters, and to windows that are too large."""

    worth_retrying = True
    worth_halving = True


class TimedOutError(HeroBaseError):
    """No byte came for as long as we wait. Smaller windows are the second try: waiting as long again helps nobody."""

    worth_halving = True


class BrokenOffError(HeroBaseError):
    """The body ended before its JSON array did, whether or not the transport noticed."""

    worth_retrying = True
    worth_halving = True


class NotJsonError(HeroBaseError):
    """200, but the body is not a JSON array of records: HTML, nothing at all, an error object (trap T13).

    Attributes:
        what: what it is instead, in words.

    """

    worth_retrying = True

    def __init__(self, message: str, what: str = "something that is not JSON") -> None:
        """Keep what came apart from the sentence, which names what was asked for."""
        super().__init__(message)
        self.what = what


class SearchFailedError(HeroBaseError):
    """A saved search fails for the shortest span of time too: HeroBase answers so where there is none of that name."""

    worth_retrying = True

    def __init__(self, search: str, answered: str) -> None:
        """Say where in HeroBase the search has to be (Plecto's guide; API reference, 1.2.2)."""
        super().__init__(
            f"leads: HeroBase {answered} to the saved search {search}, also for the shortest span of time. It answers so where "
            "the UI user that this web-service account is linked to has saved no search of that name: log in to HeroBase as "
            "that user, open Leads › Lead Admin and save the search there, or correct HEROBASE_SAVED_SEARCHES (for CSV "
            "HEROBASE_SAVED_SEARCHES_CSV). If the search is there, HeroBase is failing: run it again later."
        )


class WrongFormatError(NotJsonError):
    """200, and an answer in another format than was asked for: a page made from records, XML, CSV."""

    worth_retrying = False


class CappedError(HeroBaseError):
    """The smallest window still comes back with a suspiciously round number of rows (trap T14)."""


class QuotaSpentError(HeroBaseError):
    """429 for the day.

    Attributes:
        resets_at: when the quota starts anew, in UTC.

    """

    def __init__(self, service: str, resets_at: dt.datetime) -> None:
        """Say when ``service`` will answer again."""
        super().__init__(
            f"HeroBase answered 429 to {service}: the account's daily quota of requests is spent. It starts anew at "
            f"{resets_at:%Y-%m-%d %H:%M} UTC; run the same again after that."
        )
        self.resets_at = resets_at


class MinuteSpentError(HeroBaseError):
    """429 for the minute: the budget waits until it has passed, then the same request is made again."""

    worth_retrying = True
