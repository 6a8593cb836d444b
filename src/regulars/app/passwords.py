"""The password of a workspace, kept as a hash, and a door that opens slowly to those who guess."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

from regulars.app.workspace import Workspace
from regulars.errors import OptionError

__all__ = ["LEAST", "Doorman"]

LEAST = 10  # characters
FREE = 5  # wrong guesses before one has to wait
WAIT = 900.0  # seconds, at most
_COST = {"n": 2**14, "r": 8, "p": 1}  # scrypt; 16 MB and about 50 ms a guess
_FILE = "password.json"


class Doorman:
    """Checks passwords, and makes those who guess wrong wait longer and longer.

    Parameters
    ----------
    workspace
        Its `.regulars/password.json` has the hash.
    clock
        Seconds, for tests.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     doorman = Doorman(Workspace(folder))
    ...     doorman.set_password("correct horse battery")
    ...     doorman.check("correct horse battery", address="10.0.0.7"), doorman.check("wrong", address="10.0.0.7")
    (True, False)
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace, self._clock = workspace, clock
        self._wrong: dict[str, tuple[int, float]] = {}  # address → guesses, when the last was
        self._lock = threading.Lock()

    @property
    def has_password(self) -> bool:
        """Whether one is set."""
        return bool(self._workspace.read(_FILE))

    def set_password(self, password: str) -> None:
        """Keep the hash of a password.

        Raises
        ------
        OptionError
            It is too short.
        """
        if len(password) < LEAST:
            raise OptionError(f"The password has {len(password)} characters.", hint=f"Choose one with {LEAST} or more.")
        salt = secrets.token_bytes(16)
        self._workspace.write(_FILE, {"scrypt": _COST, "salt": _text(salt), "hash": _text(_hash(password, salt))})

    def wait(self, address: str) -> float:
        """Seconds that an address has to wait before its next guess is looked at."""
        with self._lock:
            wrong, last = self._wrong.get(address, (0, 0.0))
        if wrong < FREE:
            return 0.0
        return max(0.0, last + min(WAIT, 2.0 ** (wrong - FREE + 2)) - self._clock())

    def check(self, password: str, *, address: str) -> bool:
        """Whether the password is right; an address that has to wait is never right."""
        if self.wait(address) > 0:
            return False
        kept = self._workspace.read(_FILE)
        right = bool(kept) and hmac.compare_digest(
            _hash(password, base64.b64decode(kept["salt"])), base64.b64decode(kept["hash"])
        )
        with self._lock:
            if right:
                self._wrong.pop(address, None)
            else:
                self._wrong[address] = (self._wrong.get(address, (0, 0.0))[0] + 1, self._clock())
        return right


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_COST)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
