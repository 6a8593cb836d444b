"""The texts of the actions: those of regulars, and what the workspace says instead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from regulars.errors import OptionError
from regulars.placing import explained, whole_files
from regulars.profiling import Action, load_actions

__all__ = ["FIELDS", "own_actions", "write_actions"]

FIELDS = tuple(field.name for field in fields(Action))
LONGEST = 500  # characters of a text
_HINT = "Ask whoever looks after this server: the workspace must be writable."


def own_actions(path: Path) -> dict[tuple[str, str], Action]:
    """Actions of all cells as the workspace has them.

    Raises
    ------
    OptionError
        The file is damaged.
    """
    return load_actions(path if path.is_file() else None)


def write_actions(path: Path, texts: Mapping[str, str]) -> int:
    """Keep what differs from the texts of regulars; without a difference the file goes.

    Parameters
    ----------
    path
        `actions.toml` of the workspace.
    texts
        ``tier.activity.field`` → text; an empty or missing one is that of regulars.

    Returns
    -------
    int
        How many texts are the workspace's own.

    Raises
    ------
    OptionError
        A text is too long.
    OutputError
        The workspace cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "actions.toml")
    ...     write_actions(path, {"high.active.channel": "a call", "high.active.name": "Loyal high-value"})
    ...     print(path.read_text())
    1
    [high.active]
    channel = "a call"
    <BLANKLINE>
    """
    own: dict[str, dict[str, str]] = {}
    for (tier, activity), shipped in load_actions().items():
        for field in FIELDS:
            text = _plain(texts.get(f"{tier}.{activity}.{field}", ""))
            if text and text != getattr(shipped, field):
                own.setdefault(f"{tier}.{activity}", {})[field] = text
    if not own:
        with explained(path, hint=_HINT):
            path.unlink(missing_ok=True)
        return 0
    cells = [
        "\n".join([f"[{cell}]", *(f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in found.items())])
        for cell, found in own.items()
    ]
    with whole_files(path, hint=_HINT) as (draft,):
        draft.write_text("\n\n".join(cells) + "\n", "utf-8")
    return sum(map(len, own.values()))


def _plain(text: str) -> str:
    """One line, without signs that cannot be printed."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()
    if len(line) > LONGEST:
        raise OptionError(f"{line[:40]!r}… is too long.", hint=f"At most {LONGEST} characters are kept.")
    return line
