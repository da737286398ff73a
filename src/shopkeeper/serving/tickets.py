"""How a customer comes to be known to the storefront: the shop's own login vouches for them with a ticket.

A server that holds an API key asks for a ticket and sends the customer's browser to the storefront with it. The storefront
takes it once, within a minute, and gives a cookie for it. Nothing is kept but the tickets that were taken: both are signed
with the hash of the key that asked, so revoking the key signs out everybody whom it vouched for.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Final, Literal

from shopkeeper.serving.auth import Key, Keys, signed

MINUTE: Final = 60
LASTS: Final = 30 * 24 * 3600
"""Seconds for which a customer stays signed in."""
_LONGEST: Final = 2_000

Purpose = Literal["ticket", "customer"]


@dataclass(frozen=True, slots=True)
class _Pass:
    customer: str
    key: str
    until: int
    nonce: str


class Tickets:
    """Signs tickets and cookies, and reads them.

    Args:
        keys: The shop's keys; None where the shop needs none, then a secret of this process signs.
    """

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self._own = secrets.token_hex(32)
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def issue(self, customer: str, key: Key | None) -> str:
        """A ticket for a customer, good once and for a minute.

        Args:
            customer: Whom the shop's login has let in.
            key: The key that vouches; None where the shop needs none.
        """
        return self._signed("ticket", customer, key.id if key else "", MINUTE)

    def redeem(self, ticket: str) -> str:
        """The cookie for a ticket; empty where it is none, too old or was taken before."""
        found = self._read("ticket", ticket)
        if found is None:
            return ""
        now = time.time()
        with self._lock:
            self._taken = {nonce: until for nonce, until in self._taken.items() if until >= now}
            if found.nonce in self._taken:
                return ""
            self._taken[found.nonce] = found.until
        return self._signed("customer", found.customer, found.key, LASTS)

    def customer(self, cookie: str) -> str:
        """Whom a cookie is of; empty for nobody."""
        found = self._read("customer", cookie) if cookie else None
        return found.customer if found else ""

    def _signed(self, purpose: Purpose, customer: str, key: str, seconds: int) -> str:
        name = base64.urlsafe_b64encode(customer.encode("utf-8")).decode().rstrip("=")
        text = f"{name}.{key}.{int(time.time()) + seconds}.{secrets.token_hex(8)}"
        return f"{text}.{self._signature(purpose, key, text)}"

    def _read(self, purpose: Purpose, signed: str) -> _Pass | None:
        text, _, signature = signed[:_LONGEST].rpartition(".")
        parts = text.split(".")
        if len(parts) != 4:
            return None
        name, key, until, nonce = parts
        expected = self._signature(purpose, key, text)
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
            return None
        if int(until) < time.time():
            return None
        customer = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode("utf-8")
        return _Pass(customer, key, int(until), nonce)

    def _signature(self, purpose: Purpose, key: str, text: str) -> str:
        return signed(self._secret(key), f"customer's {purpose}", text)

    def _secret(self, key: str) -> str:
        if self._keys is None:
            return self._own
        known = self._keys.find(key)
        return known.hash if known else secrets.token_hex(32)  # of a revoked key nothing fits any more
