"""What a form sent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request

__all__ = ["FormOf", "form_of"]


async def form_of(request: Request) -> dict[str, str]:
    """Read the fields of a form; of several with one name the last, line ends as on this machine."""
    text = (await request.body()).decode("utf-8", "replace")
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=1000, errors="replace")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


#: A parameter of routes.
FormOf = Annotated[dict[str, str], Depends(form_of)]
