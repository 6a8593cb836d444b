"""The routes, one module for each part of the app."""

from fastapi import APIRouter

from regulars.app.routes import api, api_work, checking, comparing, entering, method, running, starting, uploading

#: In the order in which they are looked through.
ROUTERS: tuple[APIRouter, ...] = (
    entering.router,
    starting.router,
    uploading.router,
    checking.router,
    running.router,
    api.router,
    api_work.router,
    comparing.router,
    method.router,
)

__all__ = ["ROUTERS"]
