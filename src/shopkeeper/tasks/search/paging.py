"""Deep paging that never mixes two rankings: a cursor is where a page begins, of which search, over which index.

A cursor is no secret and needs none: it holds an offset and two fingerprints, so whatever is done to it gives a page of
the same ranking or a refusal. It grants nothing that the search itself does not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import replace

from shopkeeper.errors import InputError
from shopkeeper.records import Request

_OFFSET, _PRINT, _SUM = 5, 6, 4
"""Bytes of a cursor: the offset, each of two fingerprints (version, request), and a check sum."""
_CURSOR = re.compile(r"[A-Za-z0-9_-]+")
_DEEPEST = 256**_OFFSET - 1


class StaleCursorError(InputError):
    """The ranking that a cursor pages through is gone; to HTTP this is 410."""


def next_cursor(request: Request, total: int, version: str) -> str:
    """The cursor of the page behind the one that `request` asks for; empty when there is none.

    Args:
        request: As it was answered.
        total: How many hits its ranking has in all.
        version: Names everything that the ranking depends on: models, catalogue, behaviour.
    """
    behind = request.offset + request.limit
    return cursor(replace(request, offset=behind), version) if request.limit > 0 and behind < total else ""


def cursor(request: Request, version: str) -> str:
    """The cursor of the page that begins at `request.offset`: 28 letters, digits, ``-`` and ``_``."""
    body = min(request.offset, _DEEPEST).to_bytes(_OFFSET) + _print(version) + _print(ranking_of(request))
    return base64.urlsafe_b64encode(body + _sum(body)).decode()


def turned(request: Request, token: str, version: str) -> Request:
    """The request at the page of a cursor; its limit may be another than before.

    Raises:
        StaleCursorError: The index has changed since, so that the next page would be one of another ranking.
        InputError: This is no cursor, or it belongs to another search.
    """
    body = _body(token)
    offset, of_version, of_request = body[:_OFFSET], body[_OFFSET : _OFFSET + _PRINT], body[_OFFSET + _PRINT :]
    if of_request != _print(ranking_of(request)):
        raise InputError(
            "This cursor belongs to another search.",
            where="cursor",
            cure="Send it with the query, filters and order that it came with, or leave it out.",
        )
    if of_version != _print(version):
        raise StaleCursorError(
            "The shop has changed since this cursor was made, and its ranking is gone.",
            where="cursor",
            cure="Leave it out to begin at the first page.",
        )
    return replace(request, offset=int.from_bytes(offset))


def _body(token: str) -> bytes:
    try:
        if not _CURSOR.fullmatch(token):  # the decoder reads "+" and "/" as well
            raise ValueError(token)
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    body = raw[:-_SUM]
    if len(body) != _OFFSET + 2 * _PRINT or raw[-_SUM:] != _sum(body):
        raise InputError("This is no cursor.", where="cursor", cure="Send `cursor` of the last answer as it came.")
    return body


def ranking_of(request: Request) -> str:
    """Everything of a request that decides which items come in which order."""
    filters = request.filters
    return repr(
        (
            request.query,
            request.looks,
            request.customer,
            request.session,
            request.items,
            sorted(filters.brands),
            sorted(filters.categories),
            filters.price_min,
            filters.price_max,
            sorted((name, sorted(values)) for name, values in filters.attributes.items()),
            sorted(filters.languages),
            filters.sellable,
            sorted(filters.exclude),
            request.sort,
            request.language,
            request.stars,
            sorted(request.ignore),
        )
    )


def _print(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_PRINT).digest()


def _sum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SUM, person=b"cursor").digest()
