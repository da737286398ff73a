"""The door to pages for the shop's own people: an admin key opens it once, a signed cookie keeps it open for a while.

Nothing is kept on the server. The cookie is signed with the hash of the key that opened it, so revoking the key shuts the
door at once; a second signature of it is the token that every form carries (OWASP's HMAC-based token pattern against
cross-site request forgery).
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from shopkeeper.errors import ForbiddenError
from shopkeeper.serving.auth import Keys, Scope, signed

COOKIE: Final = "shop_staff"
LASTS: Final = 12 * 3600
"""Seconds for which a door stays open."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the shop who came through the door.

    Attributes:
        name: For the records of who did what.
        token: What the forms of this person's pages carry.
    """

    name: str
    token: str


class Door:
    """Lets staff in.

    Args:
        keys: The shop's keys; None where the shop needs none, then the door stands open.
    """

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self._unlocked = secrets.token_hex(32)

    def enter(self, text: str) -> str | None:
        """The cookie for whoever shows an admin key, None for anybody else."""
        key = self._keys.check(text.strip()) if self._keys else None
        if key is None or not key.may(Scope.ADMIN):
            return None
        ticket = f"{key.id}.{int(time.time()) + LASTS}.{secrets.token_hex(8)}"
        return f"{ticket}.{signed(key.hash, 'ticket', ticket)}"

    def known(self, request: Request) -> Staff | None:
        """Who a request comes from, None where its cookie opens nothing."""
        if self._keys is None:
            return Staff("desk", signed(self._unlocked, "form", ""))
        cookie = request.cookies.get(COOKIE, "")
        ticket, _, signature = cookie.rpartition(".")
        name, _, rest = ticket.partition(".")
        until = rest.partition(".")[0]
        key = self._keys.find(name)
        expected = signed(key.hash if key else "0" * 64, "ticket", ticket)
        good = hmac.compare_digest(signature.encode(), expected.encode())
        if not good or key is None or not key.may(Scope.ADMIN) or int(until) < time.time():
            return None
        return Staff(f"{key.name} ({key.id})", signed(key.hash, "form", cookie))


def open_door(response: Response, cookie: str, *, secure: bool) -> None:
    """Set the cookie: for the server only, never sent along from other sites, for the desk's pages."""
    response.set_cookie(COOKIE, cookie, max_age=LASTS, path="/desk", httponly=True, samesite="strict", secure=secure)


def shut_door(response: Response, *, secure: bool) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, path="/desk", httponly=True, samesite="strict", secure=secure)


def check_token(staff: Staff, token: str) -> None:
    """Refuse a form that is not from this person's own pages.

    Raises:
        ForbiddenError: The token is another.
    """
    if not hmac.compare_digest(token.encode("utf-8", "replace"), staff.token.encode()):
        raise ForbiddenError("This form is not from your own page.", where="token", cure="Reload the page.")
