"""The routes, one module for each part of the app."""

from fastapi import APIRouter

from regulars.app.routes import (
    api,
    api_docs,
    api_lists,
    api_work,
    checking,
    comparing,
    customers,
    entering,
    measuring,
    method,
    overview,
    running,
    segments,
    settings,
    starting,
    uploading,
)

#: In the order in which they are looked through.
ROUTERS: tuple[APIRouter, ...] = (
    entering.router,
    starting.router,
    uploading.router,
    checking.router,
    running.router,
    api.router,
    api_work.router,
    api_lists.router,
    api_docs.router,
    comparing.router,
    method.router,
    settings.router,
    overview.router,
    measuring.router,  # before the files of a list
    segments.router,
    customers.router,
)

__all__ = ["ROUTERS"]
