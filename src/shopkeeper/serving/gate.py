"""Who may do what: each endpoint names its scope, and the gate checks the key and its rate."""

from __future__ import annotations

import math

from fastapi import Depends, Request, params
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from shopkeeper.serving.auth import Key, Keys, Limiter, Scope
from shopkeeper.serving.telemetry import Metrics

_documented = HTTPBearer(auto_error=False, description="An API key: `shopkeeper keys create`")


class Gate:
    """Checks the key of a request.

    Args:
        keys: The shop's keys; None lets everybody in.
    """

    def __init__(self, keys: Keys | None, rate: float, metrics: Metrics) -> None:
        self._keys = keys
        self._limiter = Limiter(rate)
        self._metrics = metrics

    def check(self, request: Request, scope: Scope) -> None:
        """Let the request through, or refuse it with 401, 403 or 429."""
        if self._keys is None:
            return
        key = self._keys.check(_sent(request))
        if key is None:
            self._metrics.refused.labels("key").inc()
            raise HTTPException(401, "This needs a valid API key.", {"WWW-Authenticate": "Bearer"})
        if not key.may(scope):
            self._metrics.refused.labels("scope").inc()
            raise HTTPException(403, f"The key {key.id} lacks the scope '{scope}'.")
        wait = self._limiter.wait(key.id)
        if wait > 0:
            self._metrics.refused.labels("rate").inc()
            raise HTTPException(429, "Too many requests with this key.", {"Retry-After": str(math.ceil(wait))})
        request.state.key = key
        request.state.actor = f"{key.name} ({key.id})"


def needs(scope: Scope) -> list[params.Depends]:
    """Dependencies of an endpoint that needs `scope`."""

    async def check(request: Request) -> None:
        gate: Gate = request.app.state.gate
        gate.check(request, scope)

    return [Depends(check), Depends(_documented)]


def covers(request: Request, scope: Scope) -> bool:
    """Does the key that a request came with cover a further scope? Where no keys are needed, everybody's does."""
    key: Key | None = getattr(request.state, "key", None)
    return key is None or key.may(scope)


def require(request: Request, scope: Scope) -> None:
    """Refuse a request with 403 whose content needs a further scope than its address."""
    if not covers(request, scope):
        raise HTTPException(403, f"This needs a key with the scope '{scope}'.")


def actor_of(request: Request) -> str:
    """Name and id of the key that a request came with, for records of who did what; empty where none is needed."""
    return str(getattr(request.state, "actor", ""))


def _sent(request: Request) -> str:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")
