"""Rule packs and layouts as texts: those that come with regulars, and the workspace's own beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from regulars.errors import OptionError, SourceError, listed
from regulars.placing import explained, whole_files

__all__ = ["Shelf"]

NAME = re.compile(r"[\w][\w .-]{0,59}")
_HINT = "Ask whoever looks after this server: the workspace must be writable."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Texts of one kind, by name; the own ones are files ``NAME.toml`` of a folder.

    Parameters
    ----------
    kind
        What they are, in words.
    folder
        Of the own ones; made when the first is written.
    package
        Folder inside regulars of those that come with it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shelf = Shelf(kind="rule pack", folder=Path(folder, "packs"), package="packs")
    ...     shelf.write("two", 'levels = 2')
    ...     shelf.shipped, shelf.own, shelf.read("two")
    (('eleven', 'klaviyo', 'shopify'), ('two',), 'levels = 2')
    """

    kind: str
    folder: Path
    package: str

    @property
    def shipped(self) -> tuple[str, ...]:
        """Names of those that come with regulars."""
        place = files("regulars") / self.package
        return tuple(sorted(entry.name[:-5] for entry in place.iterdir() if entry.name.endswith(".toml")))

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the workspace's own."""
        known = (path.stem for path in self.folder.glob("*.toml") if path.is_file())
        return tuple(sorted(name for name in known if NAME.fullmatch(name) and name not in self.shipped))

    def read(self, name: str) -> str:
        """Give the text of one.

        Raises
        ------
        SourceError
            There is none of this name, or it cannot be read.
        """
        if name in self.shipped:
            return (files("regulars") / self.package / f"{name}.toml").read_text("utf-8")
        self._known(name)
        try:
            return (self.folder / f"{name}.toml").read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(
                f"The {self.kind} {name!r} cannot be read.", hint="It must be a text in UTF-8."
            ) from error

    def write(self, name: str, text: str) -> None:
        """Keep a text under a name, in one step; an earlier one of this name is replaced.

        Raises
        ------
        OptionError
            The name cannot be one, or belongs to regulars.
        OutputError
            The workspace cannot be written.
        """
        if not NAME.fullmatch(name):
            raise OptionError(
                f"{name[:80]!r} cannot be the name of a {self.kind}.",
                hint="Use up to 60 letters, digits, blanks, dots and hyphens; begin with a letter or digit.",
            )
        if name in self.shipped:
            raise OptionError(
                f"The {self.kind} {name!r} comes with regulars and stays as it is.", hint="Save it under another name."
            )
        with whole_files(self.folder / f"{name}.toml", hint=_HINT) as (draft,):
            draft.write_text(text, "utf-8")

    def remove(self, name: str) -> None:
        """Delete an own one.

        Raises
        ------
        SourceError
            There is none of this name among the own ones.
        """
        self._known(name)
        path = self.folder / f"{name}.toml"
        with explained(path, hint=_HINT):
            path.unlink(missing_ok=True)

    def _known(self, name: str) -> None:
        if name not in self.own:
            raise SourceError(
                f"There is no {self.kind} {name[:80]!r} of your own.",
                hint=f"There are {listed((*self.shipped, *self.own), most=30)}.",
            )
