"""Files that come in: straight to disk, counted, into a private folder, and gone when nobody needs them any more."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
from starlette.requests import ClientDisconnect

from regulars.app.workspace import Workspace
from regulars.errors import OptionError, OutputError, SourceError
from regulars.planning import amount

__all__ = ["Upload", "Uploads"]

KEPT = 12 * 3600  # seconds
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".xlsx", ".parquet")
PIECE = 1 << 20  # bytes that are written at a time
ROOM = 500_000_000  # bytes that must stay free on the disk
MARK = "coming"  # stands beside a file that is still coming in, and says how it is called


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came in.

    Parameters
    ----------
    id
        A random name.
    session
        Whose it is.
    path
        Where it is.
    name
        As it was called.
    bytes
        Its size.
    """

    id: str
    session: str
    path: Path
    name: str
    bytes: int
    made: float


class Uploads:
    """The files of all sessions, in `.regulars/uploads` of a workspace.

    Parameters
    ----------
    workspace
        Where.
    limit
        Bytes of a file.

    Attributes
    ----------
    interrupted
        Names of the files that were coming in when the server before this one ended.
    """

    def __init__(self, workspace: Workspace, *, limit: int) -> None:
        self.limit = limit
        self._folder = workspace.own / "uploads"
        self.interrupted = [_read(mark) for mark in sorted(self._folder.glob(f"*/{MARK}"))]
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        self._known: dict[str, Upload] = {}
        self._coming: dict[Path, int] = {}  # bytes that are announced
        self._lock = threading.Lock()

    async def take(self, stream: AsyncIterator[bytes], *, name: str, length: int | None, session: str) -> Upload:
        """Write what comes in to disk; nothing stays where it breaks off, is too big or the disk is full.

        Parameters
        ----------
        stream
            The body, piece by piece.
        name
            What the file is called; its ending says what it is.
        length
            Bytes that were announced.
        session
            Whose it is.

        Raises
        ------
        OptionError
            The size is not announced or too big, what came is not what was announced, or the ending is not known.
        OutputError
            The disk has no room.
        """
        self._drop_old()
        path = self._place(name, length)
        self._coming[path] = length or 0
        try:
            (path.parent / MARK).write_text(_shown(name), "utf-8")
            got = await self._write(stream, path)
            if got != length:
                raise OptionError("The upload broke off.", hint="Drop the file again.")
        except BaseException as error:
            shutil.rmtree(path.parent, ignore_errors=True)
            if isinstance(error, ClientDisconnect):
                raise OptionError("The upload broke off.", hint="Drop the file again.") from error
            if isinstance(error, OSError):
                raise OutputError(
                    "The disk of the server is full: the file could not be kept.", hint="Make room, and try again."
                ) from error
            raise
        finally:
            del self._coming[path]
        (path.parent / MARK).unlink()
        upload = Upload(
            id=path.parent.name, session=session, path=path, name=_shown(name), bytes=got, made=time.monotonic()
        )
        with self._lock:
            self._known[upload.id] = upload
        return upload

    def get(self, upload_id: str, *, session: str) -> Upload:
        """Find a file of a session.

        Raises
        ------
        SourceError
            There is none, or it is another session's.
        """
        with self._lock:
            found = self._known.get(upload_id)
        if found is None or found.session != session or not found.path.is_file():
            raise SourceError(
                "The file is not here any more: it is deleted after 12 hours and when the server stops.",
                hint="Drop it again on the start page.",
            )
        return found

    def of(self, session: str) -> list[Upload]:
        """Files of a session, newest first."""
        with self._lock:
            own = [upload for upload in self._known.values() if upload.session == session and upload.path.is_file()]
        return sorted(own, key=lambda upload: -upload.made)

    def drop(self, upload: Upload) -> None:
        """Delete a file."""
        with self._lock:
            self._known.pop(upload.id, None)
        shutil.rmtree(upload.path.parent, ignore_errors=True)

    def close(self) -> None:
        """Delete all files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _place(self, name: str, length: int | None) -> Path:
        if length is None:
            raise OptionError("The size of the file is not announced.", hint="Send the header Content-Length.")
        if length > self.limit:
            raise OptionError(
                f"The file has {amount(length)}; at most {amount(self.limit)} are taken.",
                hint="Put it where 'regulars segment' can read it: the command line has no limit.",
            )
        ending = next((end for end in sorted(ENDINGS, key=len)[::-1] if name.lower().endswith(end)), None)
        if ending is None:
            raise OptionError(
                f"A file called {_shown(name)!r} cannot be read.",
                hint="Open it in Excel, and save it as .xlsx."
                if name.lower().endswith(".xls")
                else "Drop a CSV, Excel (.xlsx) or Parquet file.",
            )
        promised = sum(self._coming.values())
        if shutil.disk_usage(self._folder).free < promised + length + ROOM:
            raise OutputError(
                "The disk of the server has no room for this file.", hint="Make room, or choose another workspace."
            )
        stem = re.sub(r"[^\w.-]+", "_", Path(_shown(name)).name)[: -len(ending)].strip("._")[:60] or "orders"
        folder = self._folder / secrets.token_hex(12)
        folder.mkdir(mode=0o700)
        return folder / f"{stem}{ending}"

    async def _write(self, stream: AsyncIterator[bytes], path: Path) -> int:
        got = 0
        async with await anyio.open_file(path, "xb") as file:
            waiting = bytearray()
            async for piece in stream:
                got += len(piece)
                if got > self.limit:
                    raise OptionError(f"More than {amount(self.limit)} came.", hint="Choose a smaller file.")
                waiting += piece
                if len(waiting) >= PIECE:
                    await file.write(bytes(waiting))
                    waiting.clear()
            await file.write(bytes(waiting))
        return got

    def _drop_old(self) -> None:
        for upload in list(self._known.values()):
            if time.monotonic() - upload.made > KEPT:
                self.drop(upload)


def _read(mark: Path) -> str:
    try:
        return mark.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return "a file"


def _shown(name: str) -> str:
    """Name of a file without its folders and without what is not printed."""
    return "".join(c for c in re.split(r"[/\\]", name)[-1] if c.isprintable())[:200]
