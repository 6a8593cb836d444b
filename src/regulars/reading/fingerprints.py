"""sha256 of a source's files, in a thread of its own while the engine works."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def fingerprinting(paths: Sequence[Path]) -> Callable[[], str]:
    """Start to hash files; what comes back waits for the result.

    Returns
    -------
    Callable
        Gives the sha256 of a single file; of several the sha256 of their names and their own.
    """
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fingerprint")
    prints = worker.submit(lambda: [_sha256(path) for path in paths])
    worker.shutdown(wait=False)
    return lambda: _together(paths, prints.result())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _together(paths: Sequence[Path], prints: Sequence[str]) -> str:
    if len(prints) == 1:
        return prints[0]
    lines = sorted(f"{path.name} {found}" for path, found in zip(paths, prints, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
