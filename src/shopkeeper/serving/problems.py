"""Every refusal as an RFC 9457 problem: what was wrong, where, and how to mend it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopkeeper.errors import ForbiddenError, InputError, NotFoundError, ShopkeeperError, StoreError
from shopkeeper.tasks.search.paging import StaleCursorError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_CURES = {
    401: "Send a key: 'Authorization: Bearer KEY'. Make one with `shopkeeper keys create`.",
    403: "Use a key with the scope that this needs.",
    404: "See /v1/openapi.json for what exists.",
    405: "See /v1/openapi.json for the methods of this address.",
    410: "Begin at the first page again.",
    413: "Send less at once, or raise serve.body_limit.",
    429: "Wait as long as Retry-After says.",
    500: "Look for the request id in the server's log.",
    503: "Try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal.

    Attributes:
        status: HTTP status.
        what: What was wrong, in one sentence.
        where: The place in the request, e.g. ``body.filters.price_min``.
        cure: What the caller can do about it.
        errors: The single faults when there are several, each with ``what``, ``where`` and ``cure``.
        headers: Further response headers.
    """

    status: int
    what: str
    where: str = ""
    cure: str = ""
    errors: Sequence[Mapping[str, object]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, request_id: str) -> Response:
        """The problem as an HTTP answer."""
        title = HTTPStatus(self.status).phrase
        document: dict[str, Any] = {
            "type": f"urn:shopkeeper:problem:{title.lower().replace(' ', '-')}",
            "title": title,
            "status": self.status,
            "detail": self.what,
            "instance": f"urn:shopkeeper:request:{request_id}",
            "where": self.where,
            "cure": self.cure or _CURES.get(self.status, "See docs/api.md."),
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return Response(orjson.dumps(document), self.status, dict(self.headers), MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """The problem that an exception means; what nobody foresaw says nothing about the inside."""
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        return Problem(error.status_code, str(error.detail), headers=headers)
    if isinstance(error, ShopkeeperError):
        return Problem(_status(error), error.what, error.where, error.cure)
    return Problem(500, "Something went wrong inside the shop.")


def invalid(faults: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem for values that failed pydantic's checks."""
    errors = [fault_of(fault) for fault in faults]
    first = errors[0]
    return Problem(400, str(first["what"]), str(first["where"]), str(first["cure"]), errors)


def fault_of(fault: Mapping[str, Any]) -> dict[str, object]:
    """One pydantic error as what, where and cure; the offending value is not repeated."""
    where = ".".join(str(part) for part in fault.get("loc", ()))
    what = str(fault.get("msg", "This value is not acceptable.")).removeprefix("Value error, ")
    context = fault.get("ctx") or {}
    cure = str(context.get("cure", "")) or "See /v1/openapi.json for the type and the limits of this field."
    return {"what": what, "where": where, "cure": cure}


def request_id_of(request: Request) -> str:
    """The id that the edge gave this request."""
    return str(request.scope.get("request_id", ""))


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status >= 500:
            log.error("request failed", exc_info=error)
        return problem.response(request_id_of(request))

    for kind in (HTTPException, RequestValidationError, ShopkeeperError):
        app.add_exception_handler(kind, handle)


def _status(error: ShopkeeperError) -> int:
    match error:
        case NotFoundError():
            return 404
        case ForbiddenError():
            return 403
        case StaleCursorError():
            return 410
        case InputError():
            return 400
        case StoreError():
            return 503
        case _:
            return 500
