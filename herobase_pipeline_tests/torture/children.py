"""Processes that do what a run's worker does, ready in a moment, so that they can be killed at any."""

import ctypes
import datetime as dt
import multiprocessing as mp
import os
import resource
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from herobase_pipeline.settings import Settings
from herobase_pipeline_tests.conftest import ASSETS, at_one_time, failure

_SERVER = mp.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Work:
    """What a worker does.

    Attributes:
        select: the assets, by their keys.
        settings: of the pipeline.
        now: the time, which stands still but for waiting.
        aside: a folder for what a killed worker leaves beside the lake.
        first: the day, or the first of several.
        last: the last of several.
        tags: of the run.
        largest: bytes that a file may have, as on a disk that is full; None: any.
        closed: whether it is kept to what the folders allow, as root is not.

    """

    select: str
    settings: dict[str, Any]
    now: dt.datetime
    aside: Path
    first: str | None = None
    last: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    largest: int | None = None
    closed: bool = False

    def start(self, told: Any = None) -> BaseProcess:
        """Start it; ``told`` is a queue that gets the failure's sentence, or nothing."""
        process = _SERVER.Process(target=_do, args=(self, told))
        process.start()
        return process

    def finish(self) -> str:
        """Do it to its end; returns why it failed, empty if it did not."""
        told = _SERVER.Queue()
        process = self.start(told)
        sentence = str(told.get(timeout=300))
        process.join()
        return sentence

    def kill_after(self, seconds: float) -> bool:
        """Kill it with -9 after some seconds; returns whether it was still at work."""
        process = self.start()
        process.join(seconds)
        was_alive = process.is_alive()
        if was_alive and process.pid:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        return was_alive


def _do(work: Work, told: Any) -> None:
    work.aside.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(work.aside)
    clock = [work.now]

    def sleep(seconds: float) -> None:
        clock[0] += dt.timedelta(seconds=seconds)

    if work.closed:
        _give_up_root()
    if work.largest is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (work.largest, resource.RLIM_INFINITY))
    span = (
        {"dagster/asset_partition_range_start": work.first, "dagster/asset_partition_range_end": work.last}
        if work.last
        else {}
    )
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        at_one_time(patch, clock, sleep)
        result = dg.materialize(
            ASSETS,
            selection=work.select.split(","),
            resources={"settings": Settings(**work.settings)},
            partition_key=None if work.last else work.first,
            tags={**span, **dict(work.tags)},
            instance=instance,
            raise_on_error=False,
        )
    if told is not None:
        told.put("" if result.success else failure(result) or "it failed without a word")


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _give_up_root() -> None:
    """Keep this process to what files allow their owner: root may write where nobody may (capset(2), version 3)."""
    if os.geteuid() == 0 and ctypes.CDLL(None).capset(ctypes.byref(_Header(0x20080522, 0)), (_Capabilities * 2)()):
        raise AssertionError("the rights of root could not be given up")


def busy(processes: list[BaseProcess], seconds: float) -> bool:
    """Wait until some processes are done; returns whether one is not after some seconds."""
    end = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
    return any(process.is_alive() for process in processes)
