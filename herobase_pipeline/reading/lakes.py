"""Which lakes are read: the one of the only account, or those of sites, side by side."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from herobase_pipeline.addresses import is_remote, place
from herobase_pipeline.lake.layout import Lake, exists
from herobase_pipeline.reading.days import SITE
from herobase_pipeline.reading.errors import NoSuchNameError, NotLoadedError, NotLoadedWarning
from herobase_pipeline.settings import Settings
from herobase_pipeline.sites import ONLY, site_files, site_of_notebooks, site_settings
from herobase_pipeline.spelling import meant

if TYPE_CHECKING:
    import pyarrow as pa


def lakes_of(data_dir: str | Path | None, site: str | None = None) -> dict[str, Lake]:
    """Return the lakes that are meant, by the names of their sites; of an only account by ``ONLY``.

    Args:
        data_dir: the folder of a lake, or that in which sites have theirs; a relative path is looked for in this folder, then
            in those above, as notebooks lie below it. By default as the settings say.
        site: the one that is meant; by default that of ``HEROBASE_SITE``, and without it all.

    Raises:
        NoSuchNameError: there is no such site.
        NotLoadedError: there is no lake. Where there are several sites, some may still have none.

    """
    files = site_files() if data_dir is None else {}
    if not files:
        return _chosen(_beside(data_dir), site)
    site = site or site_of_notebooks()
    if site is not None and site not in files:
        raise NoSuchNameError(f"There is no site {site}. {meant(site, list(files))}")
    lakes = {name: Lake(site_settings(name).data_dir) for name in ([site] if site else files)}
    if not any(exists(lake.catalogue) for lake in lakes.values()):
        raise NotLoadedError(f"Nothing is loaded yet of {' and '.join(lakes)}: load something first, in the UI.")
    return lakes


def are_sites(lakes: Mapping[str, Lake], site: str | None) -> bool:
    """Whether rows say whose they are: those of sites, of which none was chosen."""
    return site is None and ONLY not in lakes


def existing(lakes: Mapping[str, Lake]) -> dict[str, Lake]:
    """Return the lakes that have something.

    Warns:
        NotLoadedWarning: nothing is loaded yet of some sites.

    """
    found = {name: lake for name, lake in lakes.items() if exists(lake.catalogue)}
    if lacking := sorted(lakes.keys() - found.keys()):
        warnings.warn(
            f"Nothing is loaded yet of {' and '.join(lacking)}: sums are too low.", NotLoadedWarning, stacklevel=3
        )
    return found


def _beside(data_dir: str | Path | None) -> dict[str, Lake]:
    """Return the lake in a folder, or those of the sites in it."""
    path, here = place(data_dir) if data_dir else Settings.load().data_dir, Path.cwd()
    for folder in (path,) if is_remote(path) else (here / path, *(above / path for above in here.parents)):
        if exists(Lake(folder).catalogue):
            return {ONLY: Lake(folder)}
        below = sorted(folder.glob(f"*/{Lake(folder).catalogue.name}")) if data_dir else []
        if below:
            return {file.parent.name: Lake(file.parent) for file in below}
    raise NotLoadedError(
        f"There is no lake in {path if is_remote(path) else here / path}. Set HEROBASE_DATA_DIR to where the pipeline "
        "writes, or load something first: make demo, or any asset in the UI."
    )


def _chosen(lakes: dict[str, Lake], site: str | None) -> dict[str, Lake]:
    if site is None:
        return lakes
    if site not in lakes:
        there = "There are no sites." if ONLY in lakes else meant(site, list(lakes))
        raise NoSuchNameError(f"There is no site {site}. {there}")
    return {site: lakes[site]}


def together(parts: "Mapping[str, pa.Table]") -> "pa.Table":
    """Return the rows of several sites, whose they are in front; instants are in UTC where the sites have several zones."""
    import pyarrow as pa

    zones = {kind.tz for rows in parts.values() for kind in rows.schema.types if pa.types.is_timestamp(kind)}
    return pa.concat_tables(
        [
            (_in_utc(rows) if len(zones) > 1 else rows).add_column(
                0, SITE, pa.array([name], pa.string()).take(pa.nulls(rows.num_rows, pa.int64()).fill_null(0))
            )
            for name, rows in parts.items()
        ],
        promote_options="permissive",
    )


def _in_utc(rows: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    kinds = [
        field.with_type(pa.timestamp(field.type.unit, "UTC")) if pa.types.is_timestamp(field.type) else field
        for field in rows.schema
    ]
    return rows.cast(pa.schema(kinds))
