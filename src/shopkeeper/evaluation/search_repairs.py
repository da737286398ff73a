"""What would help a query that fails: learnt from what the same people typed next, and what they then clicked.

Three repairs are told apart. A *spelling*: the next query writes the same thing otherwise. A *synonym*: it has another word
in the same place, in several sessions. A *category* that the shop lacks: nobody found another way to say it, and the
catalogue does not know the word. All are suggestions for a human.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl
from pypinyin import lazy_pinyin

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese, terms, words
from shopkeeper.retrieval.understanding.edits import distance

_SOON: Final = pl.duration(minutes=10)
"""What is typed later is another wish."""
_SYNONYM_SESSIONS = 2
"""Sessions that must have clicked after the other word before it counts as a synonym."""
_SHARE = 0.1
"""Share of a query's failures that a rewording must mend."""
_SLIPS: Final = ((8, 2), (4, 1))
"""(letters, slips): a word of so many letters may differ by so many slips."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """A query without a click, and what the same session typed next.

    Attributes:
        before, after: As typed most often.
        sessions: How many went from one to the other.
        clicked: Share of them that clicked then.
    """

    before: str
    after: str
    sessions: int
    clicked: float


@dataclass(frozen=True, slots=True)
class Repair:
    """What might help a query.

    Attributes:
        kind: ``spelling``, ``synonym`` or ``category``.
        words: What is typed: the query, the word that another one could stand for, or what the shop lacks.
        instead: What it stands for; empty for a category.
        sessions: How many sessions speak for it.
        text: The suggestion in a sentence, by language tag.
    """

    kind: Literal["spelling", "synonym", "category"]
    words: str
    instead: str
    sessions: int
    text: Mapping[str, str] = field(default_factory=dict)


class Repairs:
    """Rewordings of one period.

    Args:
        table: Searches as `search_log.searches` gives them, ordered by session and time.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self._typed: dict[str, str] = dict(
            table.group_by("query").agg(pl.col("typed").mode().sort().first()).iter_rows()
        )
        failed = table.filter(pl.col("clicks") == 0)
        self._failures: dict[str, int] = dict(failed.group_by("query").len().iter_rows())
        following = {name: pl.col(name).shift(-1).over("session") for name in ("query", "time", "clicks")}
        pairs = (
            table.with_columns(**{f"next_{name}": value for name, value in following.items()})
            .filter(
                (pl.col("clicks") == 0)
                & pl.col("next_query").is_not_null()
                & (pl.col("next_time") - pl.col("time") <= _SOON)
            )
            .group_by("query", "next_query")
            .agg(pl.len().alias("sessions"), (pl.col("next_clicks") > 0).sum().alias("clicked"))
            .sort("sessions", "clicked", "query", "next_query", descending=[True, True, False, False])
        )
        self._pairs = [
            (before, after, sessions, clicked) for before, after, sessions, clicked in pairs.iter_rows() if sessions
        ]
        self._mended: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for before, after, _, clicked in self._pairs:
            if clicked:
                self._mended[before].append((after, clicked))
        self._synonyms = Counter[tuple[str, str]]()
        for before, after, _, clicked in self._pairs:
            pair = other_words(before, after)
            if pair:
                self._synonyms[pair] += clicked

    def refinements(self, limit: int) -> tuple[Refinement, ...]:
        """The most frequent ones."""
        return tuple(
            Refinement(self._typed[before], self._typed[after], sessions, clicked / sessions)
            for before, after, sessions, clicked in self._pairs[:limit]
        )

    def suggest(self, queries: Sequence[str], items: Iterable[Item]) -> dict[str, Repair]:
        """Repairs of the queries that have one.

        Args:
            queries: Keys of queries that fail.
            items: The catalogue; read only when a query needs it.
        """
        found = {query: repair for query in queries if (repair := self._reworded(query)) is not None}
        rest = {query: words(query) for query in queries if query not in found}
        wanted = {term for pairs in rest.values() for term, _ in pairs}
        unknown = _unknown(wanted, items)
        for query, pairs in rest.items():
            lacking = _maximal([word for term, word in pairs if term in unknown])
            if lacking:
                found[query] = _category(_joined(lacking), self._failures.get(query, 0))
        return found

    def _reworded(self, query: str) -> Repair | None:
        enough = _SHARE * self._failures.get(query, 0)
        options = [(after, clicked) for after, clicked in self._mended.get(query, ()) if clicked >= enough]
        options.sort(key=lambda option: -option[1])
        for after, clicked in options:
            if misspelt(query, after):
                return _spelling(self._typed[query], self._typed[after], clicked)
        for after, _ in options:
            pair = other_words(query, after)
            if pair and self._synonyms[pair] >= _SYNONYM_SESSIONS:
                return _synonym(*pair, self._synonyms[pair])
        return None


def misspelt(before: str, after: str) -> bool:
    """Whether one query is the other with a slip: a letter or two in one long word, or Chinese that sounds the same.

    >>> misspelt("wireles headphones", "wireless headphones"), misspelt("耳基", "耳机")
    (True, True)
    >>> misspelt("pan", "pot"), misspelt("red shoes", "shoes"), misspelt("跑鞋", "运动鞋")
    (False, False, False)
    """
    if before == after or terms(before) == terms(after):
        return False
    if is_chinese(before) or is_chinese(after):
        return len(before) == len(after) and lazy_pinyin(before) == lazy_pinyin(after)
    glued, parted = "".join(before.split()), "".join(after.split())
    left, right = before.split(), after.split()
    if glued == parted:
        return True
    if len(left) != len(right):
        return False
    differing = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    if len(differing) != 1:
        return False
    typed, meant = differing[0]
    slips = next((slips for letters, slips in _SLIPS if len(meant) >= letters), 0)
    return slips > 0 and distance(typed, meant, slips) <= slips


def other_words(before: str, after: str) -> tuple[str, str] | None:
    """The words by which two queries differ, None where one only says more, or it is a slip.

    >>> other_words("couch cover grey", "sofa cover grey")
    ('couch', 'sofa')
    >>> other_words("红色运动鞋", "红色跑鞋")
    ('运动鞋', '跑鞋')
    >>> other_words("shoes", "red shoes")
    """
    if misspelt(before, after):
        return None
    left, right = words(before), words(after)
    shared = {term for term, _ in left} & {term for term, _ in right}
    old = _maximal([word for term, word in left if term not in shared])
    new = _maximal([word for term, word in right if term not in shared])
    return (_joined(old), _joined(new)) if old and new else None


def _unknown(wanted: set[str], items: Iterable[Item]) -> set[str]:
    """Those of the terms that no item has in its title, brand, category or attributes."""
    left = set(wanted)
    if left:
        for item in items:
            left.difference_update(
                terms(" ".join([item.title, item.brand, *item.category, *item.attributes.values(), *item.codes]))
            )
            if not left:
                break
    return left


def _maximal(found: Sequence[str]) -> list[str]:
    """Words that are no part of another one, each once, in order."""
    distinct = list(dict.fromkeys(found))
    return [word for word in distinct if not any(word != other and word in other for other in distinct)]


def _joined(parts: Sequence[str]) -> str:
    return ("" if all(is_chinese(part) for part in parts) else " ").join(parts)


def _spelling(typed: str, meant: str, sessions: int) -> Repair:
    text = {
        "en": f"“{typed}” probably means “{meant}”: after it {_counted(sessions)} clicked.",
        "zh": f"“{typed}”可能想搜“{meant}”：改搜后有 {sessions} 次会话点击了商品。",
    }
    return Repair("spelling", typed, meant, sessions, text)


def _synonym(typed: str, other: str, sessions: int) -> Repair:
    text = {
        "en": f"Make “{typed}” a synonym of “{other}”: after that word {_counted(sessions)} clicked.",
        "zh": f"建议把“{typed}”设为“{other}”的同义词：换词后有 {sessions} 次会话点击了商品。",
    }
    return Repair("synonym", typed, other, sessions, text)


def _category(lacking: str, sessions: int) -> Repair:
    text = {
        "en": f"Nothing in the shop is called “{lacking}”: {_counted(sessions)} looked for it in vain.",
        "zh": f"店里没有叫“{lacking}”的商品：有 {sessions} 次会话没有找到。",
    }
    return Repair("category", lacking, "", sessions, text)


def _counted(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
