"""The outermost layer: request ids, the size of bodies, security headers, timing, and a last net for errors."""

from __future__ import annotations

import logging
import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopkeeper.serving.problems import Problem, problem_of
from shopkeeper.serving.telemetry import Metrics

log = logging.getLogger(__name__)

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; media-src 'self' https:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Edge:
    """ASGI middleware around everything.

    Args:
        body_limit: Largest request body, bytes.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, body_limit: int) -> None:
        self._app = app
        self._metrics = metrics
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        request_id = scope["request_id"] = asked if _SANE.fullmatch(asked) else uuid.uuid4().hex
        began = time.perf_counter()
        status = 0

        async def decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    out.setdefault(name, value)
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            if self._too_large(headers):
                problem = Problem(413, f"The body is larger than {self._limit} bytes.", headers={"Connection": "close"})
                await problem.response(request_id)(scope, receive, decorated)
            else:
                await self._app(scope, self._counted(receive), decorated)
        except Exception as error:
            log.exception("request failed")
            if status == 0:
                await problem_of(error).response(request_id)(scope, receive, decorated)
        finally:
            self._report(scope, status, time.perf_counter() - began)
            structlog.contextvars.unbind_contextvars("request_id")

    def _too_large(self, headers: Headers) -> bool:
        length = headers.get("content-length", "0")
        return length.isdigit() and int(length) > self._limit

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self._limit:
                    raise HTTPException(413, f"The body is larger than {self._limit} bytes.")
            return message

        return counting

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "unknown"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        log.info(
            "request",
            extra={"method": method, "path": scope["path"], "status": status, "ms": round(seconds * 1000, 2)},
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
