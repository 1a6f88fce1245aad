"""Where a folder is: on the disk, or on an object store."""

from pathlib import Path
from typing import Any, cast

_SAME = {"s3a": "s3", "s3n": "s3"}
"""What Spark calls a protocol."""
_OF_THE_DISK = ("file", "local")
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"default_cache_type": "readahead", "default_block_size": 1 << 13}}
"""DuckDB asks for the bytes that it needs, often for a few after each other: these come with one request."""
_systems: dict[str, Any] = {}


def place(address: str | Path) -> Path:
    """Return where an address means: a path on the disk, or one of an object store (``s3://bucket/prefix``, or as fsspec has)."""
    if is_remote(address) or "://" not in str(address):
        return Path(address) if isinstance(address, str) else address
    if str(address).partition("://")[0] in _OF_THE_DISK:
        return Path(str(address).partition("://")[2])
    from upath import UPath  # takes a while, and most lakes lie on a disk

    protocol, _, rest = str(address).partition("://")
    protocol = _SAME.get(protocol, protocol)
    try:  # other machines write as well, so nothing is listed from memory
        found = UPath(f"{protocol}://{rest.rstrip('/')}", use_listings_cache=False, **_OPTIONS.get(protocol, {}))
        its_system = found.fs  # here the driver is looked for
    except (ValueError, ImportError):
        raise ValueError(f"is no address that can be read here: {protocol}:// needs a driver of fsspec") from None
    _systems.setdefault(protocol, its_system)
    return cast("Path", found)  # it can all that is asked of a path here


def is_remote(path: str | Path) -> bool:
    """Whether a path is of an object store."""
    return not isinstance(path, str | Path)


def system(path: Path) -> Any:
    """Return the filesystem of fsspec that a path of an object store is of; a ``Path`` of the library has none."""
    return cast("Any", path).fs


def systems() -> list[Any]:
    """Return the filesystems that a connection of DuckDB has to know, to read what lies on object stores."""
    return list(_systems.values())
