"""The browser app: from a file to a list for a campaign, over the same functions as the command line."""

from regulars.app.house import create_app
from regulars.app.server import serve

__all__ = ["create_app", "serve"]
