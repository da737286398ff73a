"""Rows to reviews and to search judgements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from shopkeeper.records import Judgement, Passage, PassageKind
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.items import ID_LIMIT, Removal, guess_language
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

_OUT_OF = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|out of)\s*\d+|(\d+(?:\.\d+)?)\s*(?:stars?|星|分)", re.IGNORECASE)
_GRADES = {
    "e": 3.0, "exact": 3.0, "s": 2.0, "substitute": 2.0, "partial": 2.0, "c": 1.0, "complement": 1.0,
    "i": 0.0, "irrelevant": 0.0, "relevant": 3.0, "完全相关": 3.0, "相关": 2.0, "弱相关": 1.0, "不相关": 0.0,
}  # fmt: skip
_BEST_GRADE = 3.0


class _Cells:
    def __init__(self, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self.name = {name: mapping.column(name) for name in (*mapping.columns, *mapping.constants)}

    def __call__(self, row: Mapping[str, Any], name: str) -> Any:
        column = self.name.get(name)
        value = row.get(column) if column else None
        return self.mapping.constants.get(name) if value is None or value == "" else value


class ReviewParser:
    """Makes a review (`Passage`) of a row; ids are hashed from the words where the file has none."""

    def __init__(self, mapping: ColumnMapping) -> None:
        self._cell = _Cells(mapping)
        self._seen: dict[str, int] = {}

    def identify(self, row: Mapping[str, Any]) -> str:
        """The row's own id, "" when it has none."""
        return values.token(self._cell(row, "id"))

    def __call__(self, row: Mapping[str, Any]) -> Passage | Removal:
        """Parse one row.

        Raises:
            Reject: The row is not a review; says which column is at fault.
        """
        identifier = self.identify(row)
        if len(identifier) > ID_LIMIT:
            raise Reject("id too long", self._cell.name["id"], identifier)
        if identifier and self._flag(row):
            return Removal(identifier)
        text = values.paragraph(self._cell(row, "text"))
        if not text:
            raise Reject("no text", self._cell.name.get("text", ""))
        time_cell = self._cell(row, "time")
        try:
            time = None if values.empty(time_cell) else when(time_cell, self._cell.mapping.dates)
        except (ValueError, TypeError) as error:
            raise Reject("unparsable date", self._cell.name["time"], time_cell) from error
        fields: dict[str, Any] = {
            name: values.token(self._cell(row, name)) for name in ("item", "customer", "thread", "language")
        }
        if "language" not in self._cell.name:
            fields["language"] = guess_language(text)
        fields |= {name: values.line(self._cell(row, name)) for name in ("title", "author")}
        told = (text, time.isoformat() if time else "", *fields.values())
        return Passage(
            id=identifier or self._hash(told),
            kind=PassageKind.REVIEW,
            text=text,
            time=time,
            rating=self._rating(row),
            **fields,
        )

    def _flag(self, row: Mapping[str, Any]) -> bool:
        try:
            return values.flag(self._cell(row, "deleted"))
        except ValueError as error:
            raise Reject("unparsable flag", self._cell.name["deleted"], self._cell(row, "deleted")) from error

    def _rating(self, row: Mapping[str, Any]) -> float | None:
        value = self._cell(row, "rating")
        if values.empty(value):
            return None
        try:
            if isinstance(value, str) and (found := _OUT_OF.fullmatch(value.strip())):
                return float(found[1] or found[2])
            return values.number(value)
        except (ValueError, TypeError) as error:
            raise Reject("unparsable rating", self._cell.name["rating"], value) from error

    def _hash(self, told: object) -> str:
        digest = blake2b(orjson.dumps(told), digest_size=16).hexdigest()
        times = self._seen[digest] = self._seen.get(digest, 0) + 1
        return digest if times == 1 else f"{digest}-{times}"


class JudgementParser:
    """Makes a `Judgement` of a row; grades are 0 to 3 or words such as ``exact``, ``E``, ``相关``."""

    def __init__(self, mapping: ColumnMapping) -> None:
        self._cell = _Cells(mapping)

    def identify(self, row: Mapping[str, Any]) -> str:
        """What must not occur twice: query, item and rater; "" when a part is missing."""
        query, item = values.line(self._cell(row, "query")), values.token(self._cell(row, "item"))
        return "\x1f".join((query, item, values.token(self._cell(row, "rater")))) if query and item else ""

    def __call__(self, row: Mapping[str, Any]) -> Judgement:
        """Parse one row.

        Raises:
            Reject: The row is not a judgement; says which column is at fault.
        """
        query = values.line(self._cell(row, "query"))
        item = values.token(self._cell(row, "item"))
        if not query:
            raise Reject("no query", self._cell.name["query"])
        if not item:
            raise Reject("no item", self._cell.name["item"])
        return Judgement(query=query, item=item, grade=self._grade(row), rater=values.token(self._cell(row, "rater")))

    def _grade(self, row: Mapping[str, Any]) -> float:
        value = self._cell(row, "grade")
        word = values.plain(value).strip().casefold()
        if word in _GRADES:
            return _GRADES[word]
        try:
            grade = values.number(value)
        except (ValueError, TypeError) as error:
            raise Reject("unparsable grade", self._cell.name["grade"], value) from error
        if not 0.0 <= grade <= _BEST_GRADE:
            raise Reject("grade outside 0 to 3", self._cell.name["grade"], value)
        return grade
