"""The API reference as a page, made from the shop's own OpenAPI document: no script from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shopkeeper.serving.desk import Desk
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.view import render
from shopkeeper.web.visits import Visit, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One address and method of the API.

    Attributes:
        parameters: (name, type, meaning) of each.
        example: A body to send, as JSON, or empty.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str, str], ...]
    example: str


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every operation of /v1 with its parameters and an example."""
    return await page(request, lambda desk, visit: _reference(request.app.openapi(), desk, visit))


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """The operations of an OpenAPI document, in its order."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            summary=found.get("summary", ""),
            description=found.get("description", ""),
            parameters=tuple(
                (parameter["name"], _type(parameter.get("schema", {})), parameter.get("description", ""))
                for parameter in found.get("parameters", ())
            ),
            example=_example(found),
        )
        for path, methods in document["paths"].items()
        for method, found in methods.items()
    ]


def _reference(document: Mapping[str, Any], desk: Desk, visit: Visit) -> Response:
    seen, found = trail(desk, visit), operations(document)
    return render("reference.html", desk, visit, seen, here="/docs", operations=found)


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    return str(schema.get("type", ""))


def _example(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = list(content.get("examples", {}).values())
    value = content.get("example") or (examples[-1]["value"] if examples else None)
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""
