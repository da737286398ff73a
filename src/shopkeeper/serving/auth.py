"""API keys: made, listed and revoked by the operator, checked on every request; only their hashes are kept.

A key reads ``sk_ID_SECRET``. The secret holds 256 random bits, so one SHA-256 is as safe as a slow hash and costs
nothing per request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from shopkeeper.errors import InputError, NotFoundError, StoreError


class Scope(StrEnum):
    """What a key may do. `ADMIN` includes the others."""

    READ = "read"
    EVENTS = "events"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept about a key.

    Attributes:
        id: Public part, in logs.
        name: What the operator calls it.
        hash: SHA-256 of the secret part, hexadecimal.
        created: ISO time, UTC.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    hash: str
    created: str

    def may(self, scope: Scope) -> bool:
        """Whether this key covers `scope`."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Keys:
    """The keys of a shop, in a file that only its owner may read. Changes by other processes are noticed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._looked = 0.0
        self._keys: dict[str, Key] = {}

    def create(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """Make a key.

        Returns:
            What is kept, and the key itself, which cannot be had again.

        Raises:
            InputError: No scope was given, or one that does not exist.
        """
        wanted = tuple(_scope(scope) for scope in dict.fromkeys(scopes))
        if not wanted:
            raise InputError("A key needs at least one scope.", where="scopes", cure="Choose of read, events, admin.")
        identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        key = Key(id=identifier, name=name, scopes=wanted, hash=_hash(secret), created=created)
        with self._lock:
            self._read()
            self._write({**self._keys, identifier: key})
        return key, f"sk_{identifier}_{secret}"

    def revoke(self, identifier: str) -> Key:
        """Make a key useless at once; takes the id or the whole key.

        Raises:
            NotFoundError: There is no such key.
        """
        identifier = identifier.removeprefix("sk_").partition("_")[0]
        with self._lock:
            self._read()
            if identifier not in self._keys:
                raise NotFoundError(
                    "There is no such key.", where=identifier, cure="`shopkeeper keys list` names them."
                )
            left = dict(self._keys)
            key = left.pop(identifier)
            self._write(left)
        return key

    def list(self) -> tuple[Key, ...]:
        """All keys, oldest first."""
        with self._lock:
            self._read()
            return tuple(sorted(self._keys.values(), key=lambda key: key.created))

    def find(self, identifier: str) -> Key | None:
        """The key with that id, None where there is none or it was revoked."""
        return next((key for key in self.list() if key.id == identifier), None)

    def check(self, text: str) -> Key | None:
        """The key that `text` is, or None. The file is looked at again once a second at most."""
        prefix, _, rest = text.partition("_")
        identifier, _, secret = rest.partition("_")
        if time.monotonic() - self._looked > 1.0 or identifier not in self._keys:
            with self._lock:
                self._read()
        key = self._keys.get(identifier)
        expected = key.hash if key else "0" * 64
        same = hmac.compare_digest(_hash(secret), expected)
        return key if same and key and prefix == "sk" else None

    def _read(self) -> None:
        self._looked = time.monotonic()
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._keys, self._stamp = {}, None
            return
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            keys = [Key(**{**row, "scopes": tuple(_scope(scope) for scope in row["scopes"])}) for row in rows]
        except (ValueError, TypeError, KeyError, InputError) as error:
            raise StoreError(
                f"The file of API keys cannot be read: {error}.",
                where=str(self._path),
                cure="Mend it, or delete it and make new keys.",
            ) from error
        self._keys, self._stamp = {key.id: key for key in keys}, stamp

    def _write(self, keys: dict[str, Key]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{secrets.token_hex(4)}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump([asdict(key) for key in keys.values()], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self._stamp = None
        self._read()


class Limiter:
    """A token bucket per caller: `rate` requests per second, `burst` at once.

    Args:
        rate: Tokens per second; 0 lets everything through.
        burst: Size of a full bucket; twice the rate when not given.
        callers: Buckets kept; the longest silent are forgotten beyond that.
    """

    def __init__(self, rate: float, burst: float | None = None, callers: int = 10_000) -> None:
        self._rate = rate
        self._burst = max(burst if burst is not None else 2 * rate, 1.0)
        self._callers = callers
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str, moment: float | None = None) -> float:
        """Take a token; 0.0 when there was one, else the seconds until there will be."""
        if self._rate <= 0:
            return 0.0
        moment = time.monotonic() if moment is None else moment
        tokens, last = self._buckets.pop(caller, (self._burst, moment))
        tokens = min(self._burst, tokens + (moment - last) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[caller] = (tokens - 1.0 if allowed else tokens, moment)
        if len(self._buckets) > self._callers:
            del self._buckets[next(iter(self._buckets))]  # the caller not heard of for the longest time
        return 0.0 if allowed else (1.0 - tokens) / self._rate


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise InputError(
            f"There is no scope {text!r}.", where="scopes", cure="Choose of read, events, admin."
        ) from None


def signed(secret: str, purpose: str, text: str) -> str:
    """HMAC-SHA256 of a text for one purpose, hexadecimal; what is signed for another is worth nothing here.

    Args:
        secret: Hexadecimal, such as `Key.hash`.
        purpose: What the text is signed for.
        text: Anything.
    """
    return hmac.new(bytes.fromhex(secret), f"{purpose}\n{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
