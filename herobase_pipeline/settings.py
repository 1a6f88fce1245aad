"""Every ``HEROBASE_*`` setting: its name, its default and what it means. Read from the environment and from ``.env``."""

import csv
import datetime as dt
import io
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from dotenv.variables import Variable, parse_variables
from pydantic import AliasChoices, Field, PlainValidator, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnparsedError

from herobase_pipeline.addresses import is_remote, place
from herobase_pipeline.notices import is_understood, scheme

SANDBOX_FIELDS = Path(__file__).parent / "sandbox" / "declared"
SANDBOX_DELIVERIES = Path(__file__).parent / "sandbox" / "deliveries"
SANDBOX_HERO_KEY = "key of HERO in the box"
SANDBOX_HERON_KEY = "key of Heron in the box"
SANDBOX_PII_KEY = "demo key of the sandbox, for invented people only"
SANDBOX_SEARCH = "api_import_export"

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
Address = Annotated[Path, PlainValidator(place)]


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which one and what to write, and never repeats a secret."""


def project_folder() -> Path:
    """Return the nearest folder from the current one upwards that holds ``workspace.yaml``; else the current one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "workspace.yaml").is_file()), here)


def _dot_env() -> Path | None:
    """Return the nearest ``.env`` from the current folder up to the project's; None where there is none.

    Raises:
        SettingsError: it cannot be opened, is no UTF-8, or a line of it is no ``NAME=value``.

    """
    here, project = Path.cwd(), project_folder()
    folders = [folder for folder in (here, *here.parents) if folder.is_relative_to(project)]
    found = next((folder / ".env" for folder in folders if (folder / ".env").is_file()), None)
    if found is not None:
        require_readable(found)
    return found


def require_readable(file: Path) -> None:
    """See to it that all lines of a file of settings can be read.

    Raises:
        SettingsError: it cannot be opened, is no UTF-8, or a line of it is no ``NAME=value``.

    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read ({error.strerror}): give the user who runs this the right to read it."
        ) from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without its mark may pass for UTF-8
        raise SettingsError(f"{file} is not UTF-8: save it as UTF-8, without changing what it says.")
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            raise SettingsError(
                f"{file}, line {line.original.line}: no NAME=value can be read there. A value that holds a quote is put "
                "between the other kind of quotes, a list such as HEROBASE_ORG_CODES between single ones."
            )


def _names(value: object) -> object:
    """Return the names of a list as people write it, ``"Salg, Øst",Nord``; what is no text is returned as it is."""
    if not isinstance(value, str):
        return value
    try:
        rows = list(csv.reader([value.strip()], strict=True, skipinitialspace=True))
    except csv.Error:
        raise ValueError(
            'must be names separated by commas; one that holds a comma is written between quotes: "Salg, Øst",Nord'
        ) from None
    return tuple(name.strip() for row in rows for name in row if name.strip())


def in_the_project(value: Path | None) -> Path | None:
    """Return a folder as an absolute path, an address as it is.

    Raises:
        ValueError: it begins with ``~`` and nobody's name.

    """
    try:
        return value if value is None or is_remote(value) else project_folder() / value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a name that is no user of this machine") from None


class FromDotEnv(BaseSettings):
    """Settings that are read from the environment and, where it does not name them, from the project's ``.env``."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # its file would be sought in the current folder
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic calls the hook by these names
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the first wins."""
        dot_env = DotEnvSettingsSource(settings_cls, env_file=_dot_env(), env_file_encoding="utf-8-sig")
        return init_settings, env_settings, dot_env


class SandboxSettings(FromDotEnv):
    """``HEROBASE_SANDBOX_*``: the invented HeroBase that answers when ``HEROBASE_URL`` is unset."""

    model_config = SettingsConfigDict(
        env_prefix="HEROBASE_SANDBOX_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    seed: int = Field(1, description="which of the possible worlds")
    calls_per_day: int = Field(2_000, ge=0, le=5_000_000, description="calls on an ordinary weekday")
    agents: int = Field(0, ge=0, le=50_000, description="chairs in the sales teams; 0: 60, or one for 100 calls a day")
    timezone: str = Field("Europe/Copenhagen", description="zone of the company: its days and its stamps without one")
    now: dt.datetime | None = Field(None, description="ISO instant at which the sandbox's clock stands; unset: it runs")

    username: str = Field("api@nord-salg.example", description="login of the web-service account")
    password: str = Field("sandbox", description="its password; an invented account, so no secret")
    project_rights: CommaSeparated = Field(("*",), description="patterns of project names the account may see")
    resource_rights: CommaSeparated = Field(
        ("Account:Get", "Calls:Get", "Campaigns:Get", "Leads:Get", "Organization:Get"),
        description="Resource:Verb pairs; without one: 403. Unset, leads can be imported too",
    )
    lead_entry_access: Literal["None", "Partner", "Full"] = Field("Full", description="which lead fields come out")

    daily_limit: int = Field(2_980, gt=0, description="requests a service answers in 24 h from the first one")
    service_limits: CommaSeparated = Field((), description="other daily limits, service=number, e.g. /calls=100000")
    naive_cost_outside: Literal[1, 4] = Field(4, description="cost without the fair-use header outside 08-21")

    hierarchy: Literal["objects", "strings", "nested", "nested_user", "columns", "none"] = Field(
        "objects",
        description="org hierarchy on a call: [{orgCode,name}] | [orgCode, ...] | orgUnit{parent{}} | the same under "
        "user | numbered columns | none",
    )
    hierarchy_order: Literal["root_first", "leaf_first"] = Field("root_first", description="order of list and columns")
    hierarchy_field: str = Field(
        "", description="its name; unset: orgHierarchy, orgLevel (columns) or orgUnit (nested)"
    )
    dropped_calls: Literal["no_hierarchy", "campaign_unit"] = Field(
        "no_hierarchy", description="DroppedCall without an org path (only the root finds it), or with the team's"
    )
    closure_on_calls: Literal["historic", "current"] = Field(
        "historic", description="leadClosure of a call: as set by the call, or what the lead has now (T29)"
    )
    key_case: Literal["camel", "pascal"] = Field("camel", description="uniqueId or UniqueId")
    enums: Literal["name", "number"] = Field("name", description="enumerations by name or by number")
    stamps: Literal["decimals7", "seconds", "utc", "offset", "ms_date", "danish"] = Field(
        "decimals7",
        description="2026-03-30T09:04:24.0000000 | ...:24 | ...Z | ...+02:00 | /Date(ms)/ | 30-03-2026 09:04:24",
    )
    durations: Literal["iso", "clock", "seconds"] = Field("iso", description="PT12M42S | 00:12:42 | 762")
    absent: Literal["omit", "null", "empty"] = Field(
        "omit", description="what has no value: left out, null or an empty text"
    )
    user_ref: Literal["object", "string"] = Field(
        "object", description="user on calls and leads: {orgCode} or its code"
    )
    campaign_ref: Literal["object", "string"] = Field("object", description="campaign: {code, uniqueId} or its code")
    unknown_fields: bool = Field(False, description="fields nobody documented, on calls and leads")
    pretty: bool = Field(False, description="JSON in several lines")
    units: Literal["flat", "tree", "missing"] = Field(
        "flat", description="/organizationalunits: a list, a tree of children, or 404 (then only /orgunits)"
    )
    start_time_z: Literal["honoured", "dropped"] = Field("honoured", description="Z or offset in a query's time")
    csv_delimiter: Literal[",", ";", "tab"] = Field(";", description="between the columns of CSV answers")
    csv_line_end: Literal["crlf", "lf"] = Field("crlf", description="at the end of a line of CSV")
    csv_quoted: bool = Field(False, description="every cell of CSV between quotes, not only those that need them")
    csv_header: bool = Field(True, description="whether the first line of CSV names the columns")
    csv_bom: bool = Field(False, description="whether CSV begins with UTF-8's mark")
    lead_pools: bool = Field(False, description="whether leads and campaigns name their lead pools (nobody knows how)")
    duplicates: float = Field(0.0, ge=0, le=1, description="part of calls and leads that come twice")
    faults: str = Field("", description="scripted faults, see herobase_pipeline.sandbox.faults")

    @field_validator("project_rights", "resource_rights", "service_limits", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("resource_rights")
    @classmethod
    def _pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"\w+:\w+", right) for right in value):
            raise ValueError("must be Resource:Verb pairs such as Calls:Get, separated by commas")
        return value

    @field_validator("service_limits")
    @classmethod
    def _numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"/?[\w/{}]+=[1-9]\d*", limit) for limit in value):
            raise ValueError("must be service=number pairs such as /calls=100000, separated by commas")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA name such as Europe/Copenhagen") from None
        return value

    @field_validator("now")
    @classmethod
    def _an_instant(cls, value: dt.datetime | None) -> dt.datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("must say its offset, such as 2026-03-02T12:00:00Z")
        return value


class Settings(FromDotEnv):
    """All settings of the pipeline. ``Settings.load()`` reads them; errors are sentences (``SettingsError``)."""

    model_config = SettingsConfigDict(env_prefix="HEROBASE_", env_ignore_empty=True, extra="ignore", frozen=True)

    url: str | None = Field(None, description="https://{site}.herobase.com, with or without /api; unset: the sandbox")
    username: str = Field("", description="web-service account, Basic auth")
    password: SecretStr = Field(SecretStr(""), description="its password")
    data_dir: Address = Field(
        Path("data"),
        validate_default=True,
        description="where the lake lies: a folder, relative to that of workspace.yaml, or an object store, s3://bucket/prefix",
    )
    start_date: dt.date = Field(dt.date(2026, 1, 1), description="the first partition")
    timezone: str = Field("Europe/Copenhagen", description="zone of business days and of stamps without one")
    projects: CommaSeparated = Field(("*",), description="project name patterns for SimpleLeads, comma-separated")
    saved_searches: CommaSeparated = Field(
        (), description="saved searches of the linked UI user that are exported as JSON; the sandbox: api_import_export"
    )
    saved_searches_csv: CommaSeparated = Field(
        (), description="those that are exported as CSV, with the columns that the search has"
    )
    raw_leads: bool = Field(False, description="whether RawLeads is exported: a row for each field of a lead")
    fields_dir: Path | None = Field(
        None, description="where the files of declared lead fields lie; unset: fields, or for the sandbox its own"
    )
    deliveries_dir: Path | None = Field(
        None, description="where the files of deliveries lie; unset: deliveries, or for the sandbox its own"
    )
    hero_url: str | None = Field(
        None, validation_alias=AliasChoices("HERO_URL", "hero_url"), description="where HERO is; unset: the sandbox's"
    )
    hero_api_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("HERO_API_KEY", "hero_api_key"), description="its API key"
    )
    heron_url: str | None = Field(
        None,
        validation_alias=AliasChoices("HERON_URL", "heron_url"),
        description="where Heron is; unset: the sandbox's",
    )
    heron_api_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("HERON_API_KEY", "heron_api_key"), description="its API key"
    )
    org_codes: CommaSeparated = Field((), description="units whose calls are pulled; empty: the roots of the tree")
    teams: CommaSeparated = Field(
        (),
        description="units whose last week the UI shows beside the four before, on call_outcomes and lead_conversion: codes or "
        "names; unset: none",
    )
    call_org_field: str | None = Field(None, description="the call's hierarchy field, where finding it fails")
    backfill_days: int = Field(7, ge=1, description="days that one run of a backfill pulls")
    refresh_cron: str = Field("*/5 * * * *", description="when today is refreshed, as cron; every minute: * * * * *")
    pii_key: SecretStr | None = Field(None, description="HMAC key for phone tokens; the sandbox has a demo key")
    erasure_mode: Literal["anonymise", "delete_rows"] = Field(
        "anonymise",
        description="what becomes of the calls and leads of an erased person: they lose what the person can be told by, and "
        "counts stay; or they are deleted, and counts are restated",
    )
    quota: str = Field(
        "",
        description="name of a quota that several sites share, as their accounts are of one HeroBase; unset: its own",
    )
    keep_private_days: int | None = Field(
        None, ge=1, description="days after which what identifies customers is deleted; unset: it is kept for ever"
    )
    keep_calls_days: int | None = Field(
        None,
        ge=31,
        description="days after which calls are deleted, and their numbers stay; unset: they are kept for ever",
    )
    alert_urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="where alerts go: addresses of Apprise, such as mailtos://..., comma-separated; unset: nowhere"
    )
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)

    @classmethod
    def load(cls, site: Path | None = None) -> Self:
        """Read the environment and ``.env``.

        Args:
            site: a file of settings that goes before both (see ``sites``).

        Raises:
            SettingsError: one sentence a setting, without its value.

        """
        try:
            if site is None:
                return cls()
            values = _values(site)
            return cls(**_given(cls, values), sandbox=SandboxSettings(**_given(SandboxSettings, values)))
        except ValidationError as error:
            raise in_sentences(error) from None
        except UnparsedError:
            raise SettingsError("HEROBASE_SANDBOX: is no setting; HEROBASE_SANDBOX_SEED and so on are.") from None

    @field_validator("url", "call_org_field", "pii_key", "hero_url", "heron_url", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @model_validator(mode="before")
    @classmethod
    def _search_of_the_sandbox(cls, given: Any) -> Any:
        is_sandbox = isinstance(given, dict) and not str(given.get("url") or "").strip()
        return {"saved_searches": (SANDBOX_SEARCH,), **given} if is_sandbox else given

    @field_validator(
        "projects", "org_codes", "teams", "saved_searches", "saved_searches_csv", "alert_urls", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)

    @field_validator("data_dir", "fields_dir", "deliveries_dir")
    @classmethod
    def _of_the_project(cls, value: Path | None) -> Path | None:
        """Return a folder as an absolute path: ``~`` is the home folder, the rest is relative to the project's."""
        return in_the_project(value)

    @field_validator("url")
    @classmethod
    def _api_root(cls, value: str | None) -> str | None:
        """Repair what people paste ("Web: https://…/", no /api) and refuse what would send the password in clear."""
        if value is None:
            return None
        found = re.search(r"https?://[^\s<>\"']+", value, re.IGNORECASE)
        parts = urlsplit(found.group() if found else f"https://{value.strip()}")
        if not re.fullmatch(r"[\w.-]+(:\d{1,5})?|\[[\da-fA-F:]+\](:\d{1,5})?", parts.netloc) or not parts.hostname:
            raise ValueError("must look like https://yoursite.herobase.com, with the login in its own settings")
        if parts.scheme != "https" and not is_loopback(parts.hostname):
            raise ValueError("must be https: over plain http the password would travel in clear")
        above = re.sub(r"/api(-docs)?(/.*)?$", "", parts.path.rstrip("/"))
        return f"{parts.scheme}://{parts.netloc}{above}/api"

    @field_validator("fields_dir", "deliveries_dir")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("must be a folder that exists")
        return value

    @field_validator("hero_url", "heron_url")
    @classmethod
    def _of_a_destination(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.strip())
        if not parts.hostname or parts.username or (parts.scheme != "https" and not is_loopback(parts.hostname)):
            raise ValueError(
                "must look like https://login.hero-software.de or https://app.herondata.io, with the key in its own setting"
            )
        return value.strip().rstrip("/")

    @field_validator("projects")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name a project at least; * stands for all")
        return value

    @field_validator("username")
    @classmethod
    def _trim(cls, value: str) -> str:
        return value.strip()

    @field_validator("password", "hero_api_key", "heron_api_key")
    @classmethod
    def _trim_secret(cls, value: SecretStr) -> SecretStr:
        return SecretStr(value.get_secret_value().strip())

    @field_validator("alert_urls")
    @classmethod
    def _some_place(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, address in enumerate(value, 1):
            if not is_understood(address.get_secret_value()):
                kind = scheme(address.get_secret_value())
                raise ValueError(
                    f"address {number} ({f'{kind}://' if kind else 'without a scheme'}) is none that Apprise understands; how "
                    "one looks for mail, Teams or Slack is in docs/operate.md, and a comma in one is written %2C"
                )
        return value

    @field_validator("quota")
    @classmethod
    def _a_word(cls, value: str) -> str:
        if re.search(r"\s", value.strip()):
            raise ValueError("must be one word, without blanks")
        return value.strip()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be an IANA name such as Europe/Copenhagen")
        return value

    @model_validator(mode="after")
    def _login_for_a_real_account(self) -> Self:
        if self.url is not None:
            if not self.username or not self.password.get_secret_value():
                raise ValueError(
                    "HEROBASE_URL is set, so HEROBASE_USERNAME and HEROBASE_PASSWORD must be set too "
                    "(order a web-service login from HeroBase); unset HEROBASE_URL to use the sandbox."
                )
            if self.pii_key is None:
                raise ValueError(
                    "HEROBASE_URL is set, so HEROBASE_PII_KEY must be set too: a long random text, kept outside the "
                    "data directory, with which phone numbers are turned into tokens."
                )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    @property
    def host(self) -> str:
        """The host of HeroBase, without a port; empty for the sandbox."""
        return urlsplit(self.url).hostname or "" if self.url else ""

    @property
    def declared_fields(self) -> Path:
        """The folder of declared lead fields; the sandbox's are never those of a real account."""
        return self.fields_dir or (SANDBOX_FIELDS if self.url is None else project_folder() / "fields")

    @property
    def deliveries(self) -> Path:
        """The folder of deliveries; the sandbox's are never those of a real account."""
        return self.deliveries_dir or (SANDBOX_DELIVERIES if self.url is None else project_folder() / "deliveries")

    @property
    def phone_key(self) -> bytes:
        """The HMAC key for phone tokens."""
        return (self.pii_key.get_secret_value() if self.pii_key else SANDBOX_PII_KEY).encode()


def _given(kind: type[BaseSettings], values: Mapping[str, str]) -> dict[str, Any]:
    """Return what the values of a site's file say of some settings; one that is written and empty has its default again."""
    prefix = str(kind.model_config.get("env_prefix", ""))
    found = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        told = str(alias.choices[0]) if isinstance(alias, AliasChoices) else prefix + name
        if (value := values.get(told.upper())) is not None:
            found[name] = value if value.strip() else field.get_default(call_default_factory=True)
    return found


def settings_named_in(file: Path) -> set[str]:
    """Return the names of the settings that a file gives a value."""
    return set(_given(Settings, {name: value for name, value in _values(file).items() if value.strip()}))


def _values(file: Path) -> dict[str, str]:
    """Return what a site's file says, by name: ``${NAME}`` stands for what the environment or ``.env`` has under it.

    Raises:
        SettingsError: there is no such name, so that another account's secret would take its place.

    """
    require_readable(file)
    common = _dot_env()
    known: dict[str, str | None] = {**(dotenv_values(common, encoding="utf-8-sig") if common else {}), **os.environ}
    found = {}
    for name, value in dotenv_values(file, interpolate=False, encoding="utf-8-sig").items():
        atoms = list(parse_variables(value or ""))
        names = [atom.name for atom in atoms if isinstance(atom, Variable) and atom.default is None]
        if lacking := [each for each in names if not known.get(each)]:
            raise SettingsError(
                f"{name} is ${{{lacking[0]}}}, and neither the environment nor .env has {lacking[0]}: set it there."
            )
        found[name.upper()] = "".join(atom.resolve(known) for atom in atoms)
    return found


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_sentences(error: ValidationError) -> SettingsError:
    """Return an error that says what is wrong with each setting, without its value."""
    prefix = "HEROBASE_SANDBOX_" if error.title == SandboxSettings.__name__ else "HEROBASE_"
    details = error.errors(include_input=False, include_url=False)
    return SettingsError(" ".join(_sentence(prefix, e["loc"], e["msg"]) for e in details))


def _sentence(prefix: str, loc: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not loc:
        return message
    name = "_".join(str(part) for part in loc).upper()
    name = name if name.startswith(("HERO_", "HERON_")) else prefix + name
    return f"{name}: {message}." if not message.endswith(".") else f"{name}: {message}"
