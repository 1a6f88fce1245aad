"""The HTTP client: one method a service, typed errors, one budget, retries with jitter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
import requests
from requests.auth import HTTPBasicAuth
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import ProtocolError

from herobase_pipeline.enums import LeadStatus
from herobase_pipeline.herobase import errors, formats, salvage
from herobase_pipeline.herobase.documents import Segment, segments
from herobase_pipeline.herobase.quota import FAIR_USE, Budget, quota_of
from herobase_pipeline.herobase.records import text
from herobase_pipeline.herobase.salvage import Unreadable
from herobase_pipeline.herobase.windows import iso_duration
from herobase_pipeline.partitions import Window
from herobase_pipeline.settings import is_loopback

Record = dict[str, Any]
T = TypeVar("T")

_CHUNK = 1 << 20
_INCLUDED = (
    *("data", "campaign", "lastModifiedByUser", "firstProcessedByUser"),  # known to have worked (API reference, 1.2.2)
    *("uploadedByUser", "ownerOrgUnit", "closureData", "customData", "leadPool"),  # what /simpleleads gives, or may
)
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_PROXY_ERRORS = (
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidSchema,  # a socks proxy without PySocks
)


class _Asked(NamedTuple):
    """A request: the path below the API's root, the resource whose right it needs, its parameters, and it in words."""

    path: str
    right: str
    params: Mapping[str, str | list[str]]
    words: str

    @property
    def service(self) -> str:
        """The service, as its quota is named."""
        return quota_of(self.path)


class HeroBase:
    """A HeroBase account.

    Args:
        url: the API's root, ending in ``/api``.
        username: web-service account.
        password: its password; in no message and no repr.
        zone: the zone in which HeroBase reads and writes stamps without one.
        session: where requests go; give one with a mounted adapter to answer from elsewhere.
        budget: the requests that may be made; one for the whole process.
        attempts: how often a request is made before its error counts.
        wait_seconds: the longest wait before the second attempt; doubled at each further one, with full jitter.
        read_seconds: how long to wait for the next byte.

    Attributes:
        unreadable: the records of the last small list that could not be read; they were left out of it.

    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        zone: ZoneInfo,
        *,
        session: requests.Session | None = None,
        budget: Budget | None = None,
        attempts: int = 3,
        wait_seconds: float = 1.0,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self.zone = zone
        self.budget = budget or Budget()
        self.bytes_received = 0
        self.unreadable: list[Unreadable] = []
        self._timeout = (_CONNECT_SECONDS, read_seconds)
        self._session = session or requests.Session()
        # this machine is never reached through a proxy; for other hosts those of the environment hold
        host = urlsplit(self.url).hostname or ""
        self._proxies = {"no_proxy": host} if is_loopback(host) else {}
        # with a login of its own, requests looks for none in .netrc
        self._session.auth = HTTPBasicAuth(username.encode(), password.encode())  # text would have to be Latin-1
        self._session.headers.update({"Accept": "application/json", **FAIR_USE})
        self._retrying = Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=wait_seconds, max=30),
            retry=retry_if_exception(lambda e: isinstance(e, errors.HeroBaseError) and e.worth_retrying),
            sleep=self.budget.sleep,
            reraise=True,
        )

    def __repr__(self) -> str:
        """Name the address, never the login."""
        return f"HeroBase({self.url!r})"

    def retrying(self, ask: Callable[[], T]) -> T:
        """Call ``ask`` again, with jittered waits, while it raises an error that is worth retrying."""
        return self._retrying(ask)

    # -- daily data, as segments of whole records ------------------------------------------------------------------

    def calls(self, org_code: str, window: Window) -> Iterator[Segment]:
        """Calls of a unit and its subtree that started in ``window`` (API reference, 1.2.3).

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        params = {
            "OrgCode": org_code,
            "StartTime": f"{window.start:%Y-%m-%dT%H:%M:%SZ}",
            "TimeSpan": iso_duration(window.length),
        }
        return self._segments(_Asked("calls", "Calls", params, f"{_span('calls', window)} of {org_code}"))

    def simple_leads(self, projects: Sequence[str], window: Window) -> Iterator[Segment]:
        """Leads whose last modification lies in ``window``, whatever their status (API reference, 1.2.1).

        Closures and campaigns are never filtered by the server (trap T30c). Projects are sent one a parameter; in a name with
        a comma, where HeroBase would split it, ``?`` stands for the comma, so that a project whose name differs there alone
        comes too.

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        asked = _Asked("simpleleads", "Leads", self._filter(projects, window), _span("simpleleads", window))
        return self._segments(asked)

    def anonymized_leads(self, projects: Sequence[str], window: Window) -> Iterator[Segment]:
        """Leads that were anonymized, by the time of their last modification (API reference, 4.4).

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        params = self._of_projects(projects, window) | {"Statuses": LeadStatus.Anonymized.name}
        return self._segments(
            _Asked("simpleleads", "Leads", params, f"{_span('simpleleads', window)}, anonymized ones")
        )

    def saved_search(self, search: str, window: Window) -> Iterator[Segment]:
        """Leads of a saved search whose last modification lies in ``window`` (API reference, 1.2.2 and 2.3).

        Keys inside ``data`` come in lower case. What is nested comes only where ``Include`` names it.

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        params = self._search(search, window) | {"Include": ",".join(_INCLUDED)}
        return self._segments(_Asked("leads", "Leads", params, _searched(search, window)))

    def saved_search_csv(self, search: str, window: Window) -> Iterator[bytes]:
        """Leads of a saved search, as the bytes of a CSV table with the columns that the search has.

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        return self._table(_Asked("leads/csv", "Leads", self._search(search, window), _searched(search, window)))

    def raw_leads(self, projects: Sequence[str], window: Window) -> Iterator[bytes]:
        """Fields of the leads that ``simple_leads`` would give, as the bytes of a CSV table (API reference, 2.4).

        Raises:
            HeroBaseError: also in the middle of the iteration; then what came before is worth nothing.

        """
        return self._table(
            _Asked("rawleads", "Leads", self._filter(projects, window), _span("the fields of rawleads", window))
        )

    def _modified(self, window: Window) -> dict[str, str | list[str]]:
        """Return a window as local time, the form that is known to have worked."""
        # sorted, as a short window over the end of summer time ends before it starts by the clock
        start, end = sorted(edge.astimezone(self.zone).replace(tzinfo=None) for edge in window)
        return {"ModifiedFrom": start.isoformat(timespec="seconds"), "ModifiedTo": end.isoformat(timespec="seconds")}

    def _of_projects(self, projects: Sequence[str], window: Window) -> dict[str, str | list[str]]:
        return {"Projects": [project.replace(",", "?") for project in projects], **self._modified(window)}

    def _filter(self, projects: Sequence[str], window: Window) -> dict[str, str | list[str]]:
        return {
            **self._of_projects(projects, window),
            "Statuses": ",".join(status.name for status in LeadStatus),
            "AllClosedStatuses": "true",
            "AllOpenStatuses": "true",
        }

    def _search(self, search: str, window: Window) -> dict[str, str | list[str]]:
        return {"SearchName": search, **self._modified(window)}

    def _segments(self, asked: _Asked) -> Iterator[Segment]:
        with self._answer(asked) as answer:
            yield from segments(self._chunks(answer, asked.words), asked.words)

    def _table(self, asked: _Asked) -> Iterator[bytes]:
        with self._answer(asked, formats.CSV) as answer:
            said = answer.headers.get("Content-Type", "")
            yield from formats.table(self._chunks(answer, asked.words), said, asked.words)

    # -- small lists, whole --------------------------------------------------------------------------------------------

    def org_units(self) -> list[Record]:
        """Every org unit the account may see; ``/orgunits`` where HeroBase does not know ``/organizationalunits``."""
        try:
            return self._records("organizationalunits", "Organization", {"include": "parent"})
        except errors.NotFoundError:
            return self._records("orgunits", "Organization", {"include": "parent"})

    def users(self) -> list[Record]:
        """Every user the account may see."""
        return self._records("users", "Organization", {"include": "parent"})

    def campaigns(self, include: Sequence[str] = ()) -> list[Record]:
        """Every campaign, closed ones included; with what is named to be included, as far as HeroBase knows it."""
        named: dict[str, str | list[str]] = {"Include": ",".join(include)} if include else {}
        return self._records("campaigns", "Campaigns", {"Active": "All", **named})

    def projects(self) -> list[Record]:
        """Every project the account may see."""
        return self._records("projects", "Campaigns", {})

    def lead_definitions(self) -> list[Record]:
        """Every lead definition the account may see."""
        return self._records("leaddefinitions", "Campaigns", {})

    def lead_segments(self) -> list[Record]:
        """Every lead segment the account may see."""
        return self._records("leadsegments", "Campaigns", {})

    def lead_pools(self) -> list[Record]:
        """Every lead pool the account may see, where HeroBase knows such a list: the path is a guess."""
        return self._records("leadpools", "Campaigns", {})

    def hooks(self) -> list[Record]:
        """Every webhook the account may see."""
        return self._records("hooks", "Campaigns", {})

    @cached_property
    def project_names(self) -> list[str] | None:
        """The names of the projects that the account may see, asked for once; None where it may not see the list."""
        try:
            return [name for project in self.projects() if (name := text(project, "name"))] or None
        except (errors.RightMissingError, errors.NotFoundError):
            return None

    def account(self) -> Record:
        """What the account is and may do (``/myaccount``)."""
        answer = self._json("myaccount", "Account", {})
        if not isinstance(answer, dict):
            raise errors.NotJsonError("myaccount: HeroBase answered with a list instead of an object. Run it again.")
        return answer

    def request_limits(self) -> Any:
        """The limit of each service, as HeroBase gives it: its shape is not documented."""
        return self._json("myaccount/request/limits", "Account", {})

    def request_counts(self) -> Any:
        """The count of each service, as HeroBase gives it: its shape is not documented."""
        return self._json("myaccount/request/counts", "Account", {})

    def _records(self, path: str, right: str, params: Mapping[str, str | list[str]]) -> list[Record]:
        answer, self.unreadable = self._read(path, right, params, salvage.mended)
        if (
            not isinstance(answer, list)
            or not all(isinstance(record, dict) for record in answer)
            or 0 < len(self.unreadable) >= len(answer)
        ):
            raise errors.NotJsonError(
                f"{path}: HeroBase answered with something other than a list of records. "
                "Run it again; if it stays, ask HeroBase what changed in their API."
            )
        return answer

    def _json(self, path: str, right: str, params: Mapping[str, str | list[str]]) -> Any:
        return self._read(path, right, params, lambda _: None)[0]

    def _read(
        self,
        path: str,
        right: str,
        params: Mapping[str, str | list[str]],
        mend: Callable[[bytes], tuple[list[Record], list[Unreadable]] | None],
    ) -> tuple[Any, list[Unreadable]]:
        """Return an answer; where it is no JSON, what ``mend`` makes of it."""
        asked = _Asked(path, right, params, path)

        def ask() -> tuple[Any, list[Unreadable]]:
            with self._answer(asked) as answer:
                body = b"".join(self._chunks(answer, path)).removeprefix(formats.BOM)
            try:
                return msgspec.json.decode(body), []
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if not body.strip():
                    raise errors.NotJsonError(
                        f"{path}: HeroBase answered 200 with an empty body instead of JSON. Check HEROBASE_URL and run it again."
                    ) from None
                if not body.lstrip().startswith((b"[", b"{")):
                    raise formats.not_a_list(body, path) from None
                if (mended := mend(body)) is None:
                    raise errors.BrokenOffError(f"{path}: HeroBase's answer broke off. Run it again.") from None
                return mended

        return self.retrying(ask)

    # -- one request -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _answer(self, asked: _Asked, accept: str | None = None) -> Iterator[requests.Response]:
        """Make one request within the budget and hand out its answer if it is a 200.

        Raises:
            HeroBaseError: it is not.

        """
        self.budget.spend(asked.service)
        try:
            answer = self._session.get(
                f"{self.url}/{asked.path}",
                params=dict(asked.params),
                headers={"Accept": accept} if accept else None,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
                proxies=self._proxies,
            )
        except requests.exceptions.ReadTimeout:
            raise errors.TimedOutError(_slow(asked.words)) from None
        except requests.exceptions.RequestException as error:
            if error.args and isinstance(error.args[0], ProtocolError):  # a connection there was
                raise errors.BrokenOffError(_broken_off(asked.words)) from None
            by_proxy = isinstance(error, _PROXY_ERRORS)
            what = "the proxy in HTTPS_PROXY or ALL_PROXY" if by_proxy else "HEROBASE_URL and this machine's network"
            raise errors.UnreachableError(
                f"{asked.words}: no connection to {self.url} ({type(error).__name__}). Check {what}, then run it again."
            ) from None
        with answer:
            if answer.status_code == requests.codes.too_many_requests:
                raise self.budget.refused(asked.service, answer.headers)
            self.budget.learn(asked.service, answer.headers)
            if answer.status_code != requests.codes.ok:
                raise _failure(answer.status_code, asked)
            yield answer

    def _chunks(self, answer: requests.Response, asked: str) -> Iterator[bytes]:
        try:
            for chunk in answer.iter_content(_CHUNK):
                self.bytes_received += len(chunk)
                yield chunk
        except requests.exceptions.ConnectionError:  # how requests names a read that timed out
            raise errors.TimedOutError(_slow(asked)) from None
        except requests.exceptions.RequestException:
            raise errors.BrokenOffError(_broken_off(asked)) from None


def _span(service: str, window: Window) -> str:
    return f"{service} from {window.start:%Y-%m-%d %H:%M:%S} to {window.end:%Y-%m-%d %H:%M:%S} UTC"


def _searched(search: str, window: Window) -> str:
    return _span(f"the saved search {search}", window)


def _slow(asked: str) -> str:
    return f"{asked}: HeroBase sent nothing for too long. Run it again later; if it stays, ask HeroBase's support."


def _broken_off(asked: str) -> str:
    return f"{asked}: the connection to HeroBase broke off in mid-answer, so none of it was kept. Run it again."


def _failure(status: int, asked: _Asked) -> errors.HeroBaseError:
    """Return the error for a status, in a sentence that says what to do."""
    if status == requests.codes.unauthorized:
        return errors.LoginRefusedError(
            f"{asked.words}: HeroBase refused the login (401). Check HEROBASE_USERNAME and HEROBASE_PASSWORD."
        )
    if status == requests.codes.forbidden:
        return errors.RightMissingError(
            f"{asked.words}: the account lacks the right to read {asked.service} (403). "
            f"Ask HeroBase's support to grant the web-service account GET on {asked.right}."
        )
    if "SearchName" in asked.params and status in (requests.codes.bad_request, requests.codes.not_found):
        return errors.SearchFailedError(str(asked.params["SearchName"]), f"answered {status}")
    if status == requests.codes.not_found:
        return errors.NotFoundError(
            f"{asked.words}: HeroBase knows no such thing (404). Check HEROBASE_URL and HEROBASE_ORG_CODES."
        )
    if status >= requests.codes.server_error:
        return errors.ServerFailedError(
            f"{asked.words}: HeroBase failed ({status}), also for smaller spans of time. Run it again later; "
            "if it stays, send this sentence to HeroBase's support."
        )
    return errors.RequestRefusedError(
        f"{asked.words}: HeroBase answered {status}, which was not expected. Check HEROBASE_URL; if it is right, report this."
    )
