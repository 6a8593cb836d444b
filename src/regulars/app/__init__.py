"""The browser app: from a file to a list for a campaign, over the same functions as the command line.

Names are loaded when they are first used: the processes of jobs need neither the server nor its pages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regulars.app.house import create_app
    from regulars.app.server import serve

__all__ = ["create_app", "serve"]

_HOMES = {"create_app": "house", "serve": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'regulars.app' has no attribute {name!r}")
    return getattr(import_module(f"regulars.app.{_HOMES[name]}"), name)
