"""The switch that stops all deliveries at once, also in the middle of a run: between one request and the next."""

from pathlib import Path

from herobase_pipeline.lake.layout import Lake, make_folder
from herobase_pipeline.lake.store import exists, look_again, put_bytes, remove


def stop(lake: Lake) -> None:
    """Let nothing be sent until ``resume``."""
    make_folder(_switch(lake).parent, private=True)
    put_bytes(_switch(lake), b"")


def resume(lake: Lake) -> None:
    """Let deliveries be sent again."""
    remove(_switch(lake))


def is_stopped(lake: Lake) -> bool:
    """Whether nothing is to be sent."""
    look_again(_switch(lake))
    return exists(_switch(lake))


def _switch(lake: Lake) -> Path:
    return lake.under_way("delivering") / "stopped"
