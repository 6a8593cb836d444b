"""What programs can ask, as a page: made of the OpenAPI document, without a foreign script."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from regulars.app import pages
from regulars.app.house import HouseOf

router = APIRouter(include_in_schema=False)

METHODS = ("get", "put", "post", "delete")


@router.get("/api/v1/docs")
def docs_page(request: Request, house: HouseOf) -> Response:
    """Show every question with its parameters and answers, and every type of an answer."""
    document = request.app.openapi()
    parts: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                parts[methods[method]["tags"][0]].append(_question(method, path, methods[method]))
    types = [
        (name, schema.get("description", ""), _fields(schema))
        for name, schema in sorted(document["components"]["schemas"].items())
        if "properties" in schema
    ]
    return pages.page(
        request, "api_docs.html", parts=parts, types=types, token=house.workspace.own / "token",
        address=str(request.base_url).rstrip("/"),
    )  # fmt: skip


def _question(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "about": operation.get("description", ""),
        "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        "body": "" if body is None else _kind(body[1]["schema"], default=body[0]),
        "answers": [_reply(status, one) for status, one in operation["responses"].items()],
    }


def _parameter(one: dict[str, Any]) -> tuple[str, str, str]:
    kind = _kind(one["schema"]) + (", needed" if one.get("required") else "")
    return one["name"], kind, one.get("description") or one["schema"].get("description", "")


def _reply(status: str, one: dict[str, Any]) -> tuple[str, str, str]:
    content = next(iter(one.get("content", {}).items()), None)
    return (
        status,
        "" if content is None else _kind(content[1].get("schema", {}), default=content[0]),
        one["description"],
    )


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    needed = schema.get("required", ())
    return [
        (name, _kind(one) + ("" if name in needed else ", may be missing"), one.get("description", ""))
        for name, one in schema["properties"].items()
    ]


def _kind(schema: dict[str, Any], *, default: str = "anything") -> str:
    """Name the type of a value in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(one) for one in schema["anyOf"])
        return " or ".join(kinds)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("format") == "binary":
        return default
    return str(schema.get("format") or schema.get("type") or default)
