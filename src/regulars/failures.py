"""What goes wrong in the engine, in plain words; and how a run is stopped."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from regulars.errors import MachineError, RegularsError, SourceError

if TYPE_CHECKING:
    from regulars.reading.connecting import Machine

__all__ = ["Stopped", "in_plain_words", "stoppable"]

_SPILL_FULL = ("max_temp_directory_size", "failed to offload")
_SPARK_FULL = ("java.lang.OutOfMemoryError", "SparkOutOfMemoryError", "ExecutorLostFailure")
_SPILL_FILE = "duckdb_temp"  # how the names of the engine's own files in its spill folder begin


class Stopped(BaseException):
    """The process was told to stop, by Ctrl-C or by its parent."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` on Ctrl-C and SIGTERM, so that everything is tidied up on the way out.

    In the middle of a query the engine swallows it and raises a RuntimeError of its own: that becomes `Stopped` here.
    """
    told: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        told.append(number)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:
        if told:
            raise Stopped(told[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def in_plain_words(
    *, memory_limit: str | None = None, temp_dir: str | Path | None = None, inside: bool = False
) -> Iterator[None]:
    """Turn what the engine says about memory and disk into an error that says what to do.

    Parameters
    ----------
    memory_limit, temp_dir
        What our own engine was given.
    inside
        Whether the work is done inside a database of the user's: whatever it says is turned into an error.

    Raises
    ------
    MachineError
        The memory limit is too small, the memory is used up, or the disk for spilling is full.
    SourceError
        A database cannot go on.
    """
    try:
        yield
    except Exception as error:
        match _trouble(error):
            case "disk":
                told = _disk_full
            case "limit":
                told = _limit_too_small
            case "memory":
                told = _memory_used_up
            case "spark":
                raise _spark_memory(error) from error
            case _ if inside and not isinstance(error, RegularsError):
                raise _of_a_database(error) from None
            case _:
                raise
        from regulars.reading.connecting import machine

        raise told(machine(memory_limit=memory_limit, threads=None, temp_dir=temp_dir)) from error


def _trouble(error: BaseException | None) -> str | None:
    """Look for memory and disk among an error and its causes: on its way out it may have been taken for another."""
    import duckdb

    while error is not None:
        text = str(error)
        if any(words in text for words in _SPILL_FULL) or ("No space left" in text and _SPILL_FILE in text):
            return "disk"
        if isinstance(error, duckdb.OutOfMemoryException):
            return "limit"
        if isinstance(error, MemoryError):
            return "memory"
        if any(words in text for words in _SPARK_FULL):
            return "spark"
        error = error.__cause__
    return None


def _of_a_database(error: Exception) -> SourceError:
    lines = str(error).strip().splitlines()
    return SourceError(
        f"The database cannot go on: {lines[0].rstrip('.') if lines else type(error).__name__}. Nothing was changed.",
        hint="Leave '--engine database' out: the rows are then brought over, and what is odd in them is named.",
    )


def _spark_memory(error: BaseException) -> MachineError:
    if "ExecutorLost" in str(error):
        said, setting = (
            "Executors of Spark were lost, again and again: most often their memory is too small",
            "executor",
        )
    else:
        said, setting = "The memory of Spark is used up", "executor.memory, or spark.driver"
    return MachineError(
        f"{said}. Nothing was changed.",
        hint=f"Give more with spark.{setting}.memory in spark-defaults.conf, or work with more and smaller executors.",
    )


def _disk_full(machine: Machine) -> MachineError:
    from regulars.planning import amount

    free = ""
    with suppress(OSError):
        free = f" ({amount(shutil.disk_usage(machine.folder).free)} free now)"
    return MachineError(
        f"The disk is full: {machine.folder}{free} has no room for what does not fit into memory. Nothing was changed.",
        hint="Name a folder on a larger disk with --temp-dir, or give more memory with --memory-limit.",
    )


def _limit_too_small(machine: Machine) -> MachineError:
    from regulars.planning import amount, larger_limit

    larger = larger_limit(machine.memory)
    more = f"Give more with --memory-limit {larger}, or work" if larger else "Work"
    return MachineError(
        f"The memory limit of {amount(machine.memory)} is too small for this file. Nothing was changed.",
        hint=f"{more} with fewer --threads.",
    )


def _memory_used_up(machine: Machine) -> MachineError:
    from regulars.planning import amount

    return MachineError(
        f"The memory of this machine is used up; the engine may use {amount(machine.memory)} of it. Nothing was changed.",
        hint="Close other programs, or give the engine less with --memory-limit: what does not fit goes to disk.",
    )
