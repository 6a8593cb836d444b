"""The routes, one module for each part of the app."""

from fastapi import APIRouter

from regulars.app.routes import api, entering, starting

#: In the order in which they are looked through.
ROUTERS: tuple[APIRouter, ...] = (entering.router, starting.router, api.router)

__all__ = ["ROUTERS"]
