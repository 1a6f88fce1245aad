"""The switch that stops all deliveries at once, also in the middle of a run: between one request and the next."""

from pathlib import Path

from herobase_pipeline.lake.layout import Lake, make_folder


def stop(lake: Lake) -> None:
    """Let nothing be sent until ``resume``."""
    make_folder(_switch(lake).parent, private=True)
    _switch(lake).touch()


def resume(lake: Lake) -> None:
    """Let deliveries be sent again."""
    _switch(lake).unlink(missing_ok=True)


def is_stopped(lake: Lake) -> bool:
    """Whether nothing is to be sent."""
    return _switch(lake).exists()


def _switch(lake: Lake) -> Path:
    return lake.under_way("delivering") / "stopped"
