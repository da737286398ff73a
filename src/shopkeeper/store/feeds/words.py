"""Rows to reviews and other texts, and to search judgements."""

from __future__ import annotations

import re
from hashlib import blake2b

import orjson

from shopkeeper.records import Judgement, Passage, PassageKind
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.cells import Cells, Read, Row
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.items import Removal, guess_language
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

_OUT_OF = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|out of)\s*\d+|(\d+(?:\.\d+)?)\s*(?:stars?|星|分)", re.IGNORECASE)
_GRADES = {
    "e": 3.0, "exact": 3.0, "s": 2.0, "substitute": 2.0, "partial": 2.0, "c": 1.0, "complement": 1.0,
    "i": 0.0, "irrelevant": 0.0, "relevant": 3.0, "完全相关": 3.0, "相关": 2.0, "弱相关": 1.0, "不相关": 0.0,
}  # fmt: skip
_BEST_GRADE = 3.0
_KINDS = {
    PassageKind.REVIEW: "review 评论 评价",
    PassageKind.QUESTION: "question 问题 提问",
    PassageKind.DIALOGUE: "dialogue dialog conversation chat 对话 客服对话",
    PassageKind.POST: "post news tweet article 帖子 新闻 动态",
    PassageKind.FAQ: "faq 常见问题",
    PassageKind.POLICY: "policy terms 政策 规则 条款",
}
_KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}


class TextParser:
    """Makes a `Passage` of a row; ids are hashed from the words where the file has none.

    Args:
        mapping: Which column holds what; other columns are dropped.
        kind: What all rows are; None where a column says it.
    """

    def __init__(self, mapping: ColumnMapping, kind: PassageKind | None = PassageKind.REVIEW) -> None:
        cells = Cells(mapping)
        order = mapping.dates
        self._kind = kind
        self._kind_column = cells.column("kind")
        self._said = cells.text("kind", values.token)
        self._text_column = cells.column("text")
        self.identify: Read[str] = cells.text("id", values.token)
        self._id = cells.identifier("id")
        self._deleted = cells.parsed("deleted", values.flag, "unparsable flag")
        self._text = cells.text("text", values.paragraph)
        self._time = cells.parsed("time", lambda value: when(value, order), "unparsable date")
        self._rating = cells.parsed("rating", _stars, "unparsable rating")
        self._texts = [(name, cells.identifier(name)) for name in ("item", "customer", "thread")]
        self._texts += [(name, cells.text(name, values.line)) for name in ("title", "author", "source")]
        self._language = cells.text("language", values.token) if cells.has("language") else None
        self._seen: dict[str, int] = {}

    def __call__(self, row: Row) -> Passage | Removal:
        """Parse one row.

        Raises:
            Reject: The row is not such a text; says which column is at fault.
        """
        identifier = self._id(row)
        if identifier and self._deleted(row):
            return Removal(identifier)
        text = self._text(row)
        if not text:
            raise Reject("no text", self._text_column)
        kind = self._kind or _KIND.get(self._said(row).casefold())
        if kind is None:
            raise Reject("no such kind of text", self._kind_column, self._said(row))
        time, rating = self._time(row), self._rating(row)
        texts = {name: read(row) for name, read in self._texts}
        # without an empty source: ids stay what they were before sources were kept
        told = [value for name, value in texts.items() if value or name != "source"]
        return Passage(
            id=identifier or self._hash((text, time, rating, *told)),
            kind=kind,
            text=text,
            time=time,
            rating=rating,
            language=self._language(row) if self._language else guess_language(text),
            **texts,
        )

    def _hash(self, told: object) -> str:
        digest = blake2b(orjson.dumps(told), digest_size=16).hexdigest()
        times = self._seen[digest] = self._seen.get(digest, 0) + 1
        return digest if times == 1 else f"{digest}-{times}"


class JudgementParser:
    """Makes a `Judgement` of a row; grades are 0 to 3 or words such as ``exact``, ``E``, ``相关``.

    Args:
        mapping: Which column holds what; other columns are dropped.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        cells = Cells(mapping)
        self._cells = cells
        self._query = cells.text("query", values.line)
        self._item = cells.identifier("item")
        self._rater = cells.text("rater", values.token)
        self._grade = cells.parsed("grade", _grade, "unparsable grade")

    def identify(self, row: Row) -> str:
        """What must not occur twice: query, item and rater; "" when a part is missing."""
        query, item = self._query(row), self._item(row)
        return " | ".join((query, item, self._rater(row))) if query and item else ""

    def __call__(self, row: Row) -> Judgement:
        """Parse one row.

        Raises:
            Reject: The row is not a judgement; says which column is at fault.
        """
        query, item, grade = self._query(row), self._item(row), self._grade(row)
        for name, value in (("query", query), ("item", item), ("grade", grade)):
            if value in ("", None):
                raise Reject(f"no {name}", self._cells.column(name))
        assert grade is not None
        if not 0.0 <= grade <= _BEST_GRADE:
            column = self._cells.column("grade")
            raise Reject("grade outside 0 to 3", column, row.get(column))
        return Judgement(query=query, item=item, grade=grade, rater=self._rater(row))


def _stars(value: object) -> float:
    if isinstance(value, str) and (found := _OUT_OF.fullmatch(value.strip())):
        return float(found[1] or found[2])
    return values.number(value)


def _grade(value: object) -> float:
    word = values.plain(value).strip().casefold()
    return _GRADES[word] if word in _GRADES else values.number(value)
