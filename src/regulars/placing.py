"""Files take their place as a whole or not at all, and what the system says against it is told in plain words."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from regulars.errors import OutputError

__all__ = ["explained", "whole_files"]

_HINT = "Choose a folder that you may write to with -o."


@contextmanager
def explained(target: Path, *, hint: str = _HINT) -> Iterator[None]:
    """Turn errors of the system and of the engine into one that says what to do.

    Parameters
    ----------
    target
        What is being written.
    hint
        What to do where the place cannot be written.

    Raises
    ------
    OutputError
        The place cannot be written, or the disk is full.
    """
    try:
        yield
    except (OSError, duckdb.Error) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        if full:
            raise OutputError(
                f"The disk is full: cannot write {target}. Nothing was changed.",
                hint="Make room, or choose another place with -o.",
            ) from error
        if isinstance(error, duckdb.Error):
            raise
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.", hint=hint) from error


@contextmanager
def whole_files(*targets: Path, hint: str = _HINT) -> Iterator[tuple[Path, ...]]:
    """Give drafts of files, and put them in place at the end, in the order of the targets; on any error nothing has changed.

    Parameters
    ----------
    *targets
        The files, in one folder, which is made where it is missing; earlier files are replaced.
    hint
        What to do where the place cannot be written.

    Raises
    ------
    OutputError
        The place cannot be written, or the disk is full.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_files(Path(folder, "a.txt"), Path(folder, "b.txt")) as drafts:
    ...         written = [draft.write_text("new") for draft in drafts]
    ...     sorted(entry.name for entry in Path(folder).iterdir())
    ['a.txt', 'b.txt']
    """
    main = targets[0]
    with explained(main, hint=hint):
        main.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{main.name}.partial-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=main.parent, ignore_cleanup_errors=True) as place:
            drafts = tuple(Path(place, target.name) for target in targets)
            yield drafts
            _take_places(drafts, targets)


def _take_places(drafts: tuple[Path, ...], targets: tuple[Path, ...]) -> None:
    """Put each draft in place; where one of several cannot be, those before it are undone."""
    if len(targets) == 1:
        drafts[0].replace(targets[0])
        return
    earlier = [draft.with_name(f"{draft.name}.earlier") for draft in drafts]
    for old, target in zip(earlier, targets, strict=True):
        if target.exists():
            shutil.copy2(target, old)
    done: list[tuple[Path, Path]] = []
    try:
        for draft, old, target in zip(drafts, earlier, targets, strict=True):
            draft.replace(target)
            done.append((old, target))
    except OSError:
        for old, target in done:
            if old.exists():
                old.replace(target)
            else:
                target.unlink()
        raise
