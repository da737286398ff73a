"""How values lie in columns: times as UTC microseconds, lists and maps as JSON text, and what is refused at the door.

SQLite and PostgreSQL differ in what they swallow (NUL characters, NaN, naive times, 32 bits); here both get the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shopkeeper.errors import InputError

ID_LIMIT = 200
"""Most characters of an identifier; every index of every engine can hold that."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**63 - 1


def micros(time: datetime) -> int:
    """UTC microseconds since 1970.

    Raises:
        InputError: The time has no zone.
    """
    if time.tzinfo is None:
        raise InputError(
            "A time without a zone is ambiguous.", where=time.isoformat(), cure="Give it a zone, e.g. UTC."
        )
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(value: int) -> datetime:
    """The inverse of `micros`, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def optional_micros(time: datetime | None) -> int | None:
    """`micros`, None for None."""
    return None if time is None else micros(time)


def optional_moment(value: int | None) -> datetime | None:
    """`moment`, None for None."""
    return None if value is None else moment(value)


def packed(value: Sequence[Any] | Mapping[str, Any], where: str) -> str:
    """JSON text of a list or a map.

    Raises:
        InputError: Something in it is not JSON, not finite, or not storable text.
    """
    if not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    leaves = [*plain, *plain.values()] if isinstance(plain, dict) else plain
    if "\x00" in "".join(leaf for leaf in leaves if isinstance(leaf, str)):
        raise InputError("A NUL character cannot be stored.", where=where, cure="Remove it from the text.")
    if not all(math.isfinite(leaf) for leaf in leaves if isinstance(leaf, float)):
        raise InputError("A number must be finite.", where=where, cure="Leave it out when it is unknown.")
    try:
        return orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError as error:
        raise InputError(f"This cannot be kept as JSON: {error}.", where=where, cure="Use text and numbers.") from error


def pack_document(document: Mapping[str, Any], where: str) -> str:
    """JSON text of a nested map whose leaves were checked before.

    Raises:
        InputError: Something in it is not JSON.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError as error:
        raise InputError(f"This cannot be kept as JSON: {error}.", where=where, cure="Use text and numbers.") from error


def unpacked_tuple(text: str) -> tuple[Any, ...]:
    """A JSON list as a tuple."""
    return () if text == "[]" else tuple(orjson.loads(text))


def unpacked_map(text: str) -> dict[str, Any]:
    """A JSON object as a dict."""
    if text == "{}":
        return {}
    found: dict[str, Any] = orjson.loads(text)
    return found


def check_id(value: str, noun: str, field: str = "id") -> None:
    """Refuse an identifier that is empty or longer than `ID_LIMIT` characters.

    Raises:
        InputError: It is.
    """
    if not value:
        raise InputError(f"The {field} is empty.", where=noun, cure="Give every record its own identifier.")
    check_length(value, noun, field)


def check_length(value: str, noun: str, field: str) -> None:
    """Refuse an identifier, which may be empty, longer than `ID_LIMIT` characters.

    Raises:
        InputError: It is.
    """
    if len(value) > ID_LIMIT:
        raise InputError(
            f"The {field} has {len(value)} characters; at most {ID_LIMIT} are kept.",
            where=f"{noun} {value[:40]!r}...",
            cure="Shorten it, for example to a hash of itself.",
        )


def check_texts(texts: Iterable[str], noun: str, identifier: str) -> None:
    """Refuse text that a database cannot hold: NUL characters and lone surrogates.

    Raises:
        InputError: One of `texts` holds such a character.
    """
    joined = "".join(texts)
    if "\x00" in joined:
        raise InputError(
            "A NUL character cannot be stored.", where=f"{noun} {identifier!r}", cure="Remove it from the text."
        )
    if joined.isascii():
        return
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "Half a character (a lone surrogate) cannot be stored.",
            where=f"{noun} {identifier!r}",
            cure="Read the source with its right encoding.",
        ) from error


def number(value: float | None, noun: str, identifier: str) -> float | None:
    """A finite float, None for None.

    Raises:
        InputError: NaN or infinite.
    """
    if value is None:
        return None
    plain = float(value)
    if not math.isfinite(plain):
        raise InputError(
            f"A number must be finite, not {plain}.",
            where=f"{noun} {identifier!r}",
            cure="Leave it out when it is unknown.",
        )
    return plain


def whole(value: int, noun: str, identifier: str) -> int:
    """An integer of at most 64 bits.

    Raises:
        InputError: It is larger.
    """
    plain = int(value)
    if abs(plain) > _LARGEST:
        raise InputError(
            "A whole number must fit into 64 bits.", where=f"{noun} {identifier!r}", cure="Check the source's column."
        )
    return plain
