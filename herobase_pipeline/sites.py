"""Sites: several accounts in one instance, each by a file of settings of its own, ``sites/<name>.env``.

A site's file goes before the environment and ``.env``, which say what all sites have in common; a secret may stand in the
environment and be named in the file: ``HEROBASE_PASSWORD=${NORD_PASSWORD}``. Folders that are common are parted by the site's
name: ``<data>/<name>/lake``, ``deliveries/<name>``, ``fields/<name>``; those that its own file names are taken as they are.
"""

import re
from argparse import ArgumentParser
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from herobase_pipeline.addresses import is_remote
from herobase_pipeline.settings import (
    SANDBOX_DELIVERIES,
    SANDBOX_FIELDS,
    Address,
    FromDotEnv,
    Settings,
    SettingsError,
    in_sentences,
    in_the_project,
    project_folder,
    settings_named_in,
)
from herobase_pipeline.spelling import meant

ONLY = ""
"""The name of the account where there are no sites."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAKEN = frozenset(
    {
        "lake",
        "private",
        "reports",
        "erase",
        "main",
        "memory",
        "temp",
        "system",
        "herobase",
        "information_schema",
        "pg_catalog",
    }
)
"""Names that a folder of data, or a database of DuckDB, has already."""


class _Common(FromDotEnv):
    """What is read before any site's settings."""

    model_config = SettingsConfigDict(env_prefix="HEROBASE_", env_ignore_empty=True, extra="ignore", frozen=True)

    sites_dir: Path | None = Field(None, description="where the files of sites lie; unset: sites")
    site: str | None = Field(None, description="whose lake notebooks read, where there are sites; unset: those of all")

    @field_validator("sites_dir")
    @classmethod
    def _of_the_project(cls, value: Path | None) -> Path | None:
        return in_the_project(value)


class _Data(FromDotEnv):
    """The folder in which sites have theirs."""

    model_config = SettingsConfigDict(env_prefix="HEROBASE_", env_ignore_empty=True, extra="ignore", frozen=True)

    data_dir: Address = Path("data")


def site_files() -> dict[str, Path]:
    """Return the files of sites by their names, in order; none where there are none.

    Raises:
        SettingsError: a name is none that a folder, a view and an asset can have, or two sites would be mixed up.

    """
    try:
        given = _Common().sites_dir
    except ValidationError as error:
        raise in_sentences(error) from None
    folder = given or project_folder() / "sites"
    found = {file.stem: file for file in sorted(folder.glob("*.env")) if file.is_file() and file.stem}
    if given and not found:
        raise SettingsError(f"HEROBASE_SITES_DIR: {folder} has no <name>.env, or is not there.")
    seen: dict[str, str] = {}
    for name, file in found.items():
        if not _NAME.fullmatch(name) or name.casefold() in _TAKEN:
            raise SettingsError(
                f"{file}: a site's name is of letters from a to z, digits and _, begins with a letter, and is not "
                f"{', '.join(sorted(_TAKEN))}. Rename the file."
            )
        for other in seen:  # else nord_stop is a job of nord, and a site
            if f"{name.casefold()}_".startswith(f"{other}_") or f"{other}_".startswith(f"{name.casefold()}_"):
                raise SettingsError(
                    f"{file}: the name is that of the site {seen[other]}, but for the case or what follows a _. Rename the file."
                )
        seen[name.casefold()] = name
    return found


def site_of_notebooks() -> str | None:
    """Return the site whose lake a notebook reads that names none; None for all of them."""
    return _Common().site


def site_settings(name: str = ONLY) -> Settings:
    """Return the settings of a site, or those of the only account.

    Raises:
        SettingsError: there is no such site, or its settings are wrong.

    """
    files = site_files()
    if name == ONLY and not files:
        return Settings.load()
    if name not in files:
        there = meant(name, list(files)) if files else "There are no sites: add sites/<name>.env."
        raise SettingsError(f"There is no site {name or 'without a name'}. {there}")
    try:
        settings = Settings.load(files[name])
    except SettingsError as error:
        raise SettingsError(f"{files[name]}: {error}") from None
    own = settings_named_in(files[name])
    parted = {
        "data_dir": settings.data_dir,
        "fields_dir": settings.declared_fields if settings.declared_fields != SANDBOX_FIELDS else None,
        "deliveries_dir": settings.deliveries if settings.deliveries != SANDBOX_DELIVERIES else None,
    }
    return settings.model_copy(update={field: of / name for field, of in parted.items() if of and field not in own})


def all_settings() -> dict[str, Settings]:
    """Return the settings of every site by its name, or those of the only account by ``ONLY``.

    Raises:
        SettingsError: those of a site are wrong, or two sites have one folder.

    """
    found = {name: site_settings(name) for name in site_files() or (ONLY,)}
    for setting in ("data_dir", "deliveries_dir", "fields_dir"):
        folders: dict[str, str] = {}
        for name, settings in found.items():
            folder: Path | None = getattr(settings, setting)
            if folder is None:  # the sandbox's own
                continue
            other = folders.setdefault(str(folder if is_remote(folder) else folder.resolve()), name)
            if other != name:
                raise SettingsError(
                    f"The sites {other} and {name} have the same HEROBASE_{setting.upper()}: give each its own, or none."
                )
    return found


def add_option(options: ArgumentParser) -> None:
    """Let a command be about one site: ``--site nord``."""
    options.add_argument("--site", default=ONLY, metavar="NAME", help="which site; all by default")


def chosen(name: str) -> dict[str, Settings]:
    """Return the settings of the site that a command is about, or of all.

    Raises:
        SettingsError: there is no such site, or its settings are wrong.

    """
    return {name: site_settings(name)} if name else all_settings()


def headed(name: str, text: str) -> str:
    """Return what a command prints of a site, under its name; of an only account the text alone."""
    return f"== {name} ==\n\n{text}" if name else text


def named(name: str, settings: Settings) -> str:
    """Return which account it is, in a few words and without its login: the site, and HeroBase's host or the sandbox's data."""
    return ", ".join(filter(None, (name, settings.host or f"sandbox in {settings.data_dir}")))


def common_data_dir() -> Path:
    """Return the folder in which sites have theirs."""
    return in_the_project(_Data().data_dir) or project_folder() / "data"
