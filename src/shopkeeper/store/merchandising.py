"""Merchandising rules as records: what a merchandiser decided about searches, and what is refused at the door.

A `Rule` says when it fires (`When`) and what happens then (`Then`). `store.rules` keeps them, `ranking.rules` applies them.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from shopkeeper.errors import InputError
from shopkeeper.records import Filters
from shopkeeper.store import codec

LANGUAGES = ("zh", "en")
"""Languages that a banner may be written in."""
POSITIONS = 1_000
"""The last position that an item may be pinned to."""
FACTORS = (0.0, 1_000.0)
"""Least and greatest factor of a boost."""

LONGEST_NAME = 200
"""Characters of a name at most."""
_QUERY, _BANNER, _PATH = 400, 300, 2_000  # characters
_MANY = 1_000  # values of one field
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they show text in another order


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a rule fires: every field that is filled must hold, several values of one field are alternatives.

    Attributes:
        exact: Whole queries; letter case, width and blanks do not matter.
        contains: Words or phrases that stand in the query. With `exact`, either of the two is enough; without both, any
            query will do, also none.
        categories: Category paths; one of those browsed starts with one of these.
        segments: Attributes of the customer, e.g. ``{"tier": ("gold",)}``: each name must have one of its values.
        languages: ``zh``, ``en`` ...
        start: From this moment on; None for ever since.
        end: Before this moment; None for ever after.
    """

    exact: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An item at a fixed place, counted from 1 over all pages."""

    item: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """Items that pass `filters` have their score multiplied: above 1 they rise, below 1 they sink, 0 puts them last."""

    filters: Filters
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """A line above the hits: plain text by language tag, and a path of the shop that it leads to, or empty."""

    text: Mapping[str, str]
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What a rule does.

    Attributes:
        hide: Ids of items that are not shown.
        filters: What the answer may contain, as in a request.
        redirect: A path of the shop to go to instead.
        query: What is searched for in place of what was typed.
    """

    pins: tuple[Pin, ...] = ()
    boosts: tuple[Boost, ...] = ()
    hide: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    redirect: str = ""
    banner: Banner | None = None
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One decision of a merchandiser.

    Attributes:
        priority: Of two rules that contradict each other the higher one holds, of equals the one changed last.
        created: With the next three set by the store; None while the rule is not saved.
    """

    id: str
    name: str
    when: When
    then: Then
    priority: int = 0
    enabled: bool = True
    created: datetime | None = None
    created_by: str = ""
    changed: datetime | None = None
    changed_by: str = ""

    @property
    def strength(self) -> tuple[int, float, str]:
        """Sorts the strongest first; an unsaved rule counts as the latest, equals go by id."""
        return -self.priority, -self.changed.timestamp() if self.changed else -math.inf, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One write to the rules.

    Attributes:
        number: Its place in the log, from 1.
        actor: Who: the name of a key, a user, ``cli``; empty when unknown.
        before: The rule as it was, None when it is new.
        after: The rule as it is, None when it was removed.
    """

    number: int
    time: datetime
    actor: str
    rule: str
    before: Rule | None
    after: Rule | None


def is_shop_path(path: str) -> bool:
    """Whether a browser that is sent to `path` stays in the shop, whatever a proxy decodes or tidies on the way.

    >>> is_shop_path("/search?q=茶壶#top"), is_shop_path("//evil.example"), is_shop_path("https://evil.example")
    (True, False, False)
    """
    if len(path) > _PATH or not path.startswith("/") or any(unicodedata.category(c)[0] in "CZ" for c in path):
        return False
    decoded = unquote(unquote(path))
    if "\\" in path or any(unicodedata.category(c) == "Cc" for c in decoded):
        return False
    way = path.partition("?")[0].partition("#")[0]
    return all(_stays(form) for form in (way, unquote(way), unquote(unquote(way))))


def check_rule(rule: Rule) -> Rule:
    """The rule itself.

    Raises:
        InputError: It cannot be kept, contradicts itself, does nothing, or leads out of the shop.
    """
    codec.check_id(rule.id, "rule")
    _check_text(rule.id, "rule id")
    where = f"rule {rule.id!r}"
    check_words(rule.name, f"{where}, name", LONGEST_NAME)
    if abs(rule.priority) > 1_000_000:
        raise InputError(
            f"A priority of {rule.priority} is too far out.", where=where, cure="Stay within a million of 0."
        )
    check_when(rule.when, where)
    _check_then(rule.then, where)
    return rule


def check_when(when: When, where: str) -> None:
    """Refuse conditions that cannot be kept.

    Raises:
        InputError: One of them cannot, or they end before they begin.
    """
    for name in ("exact", "contains"):
        phrases: tuple[str, ...] = getattr(when, name)
        _check_count(phrases, f"{where}, when.{name}")
        for phrase in phrases:
            check_words(phrase, f"{where}, when.{name}", _QUERY)
    _check_count(when.categories, f"{where}, when.categories")
    if not all(when.categories) or not all(when.segments.values()):
        raise InputError("A condition without a value can never hold.", where=where, cure="Fill it or leave it out.")
    for text in (*(part for path in when.categories for part in path), *when.segments, *when.languages):
        _check_text(text, f"{where}, when")
    for value in (value for values in when.segments.values() for value in values):
        _check_text(value, f"{where}, when.segments")
    start, end = codec.optional_micros(when.start), codec.optional_micros(when.end)  # both need a zone
    if start is not None and end is not None and start >= end:
        raise InputError("It ends before it begins.", where=f"{where}, when.end", cure="Swap start and end.")


def _check_then(then: Then, where: str) -> None:
    if then == Then():
        raise InputError("The rule does nothing.", where=f"{where}, then", cure="Say what it pins, boosts, hides ...")
    for name in ("pins", "boosts", "hide"):
        _check_count(getattr(then, name), f"{where}, then.{name}")
    _check_pins(then, f"{where}, then.pins")
    for boost in then.boosts:
        place = f"{where}, then.boosts"
        low, high = FACTORS
        if not low <= boost.factor <= high:  # refuses what is not a number as well
            raise InputError(
                f"The factor {boost.factor} cannot be.", where=place, cure=f"Choose one of {low:g} to {high:g}."
            )
        if boost.filters == Filters():
            raise InputError("A boost of everything changes nothing.", where=place, cure="Name brands, categories ...")
        _check_filters(boost.filters, place)
    for item in then.hide:
        codec.check_id(item, f"{where}, then.hide")
        _check_text(item, f"{where}, then.hide")
    _check_filters(then.filters, f"{where}, then.filters")
    _check_path(then.redirect, f"{where}, then.redirect")
    if then.banner is not None:
        _check_banner(then.banner, f"{where}, then.banner")
    if then.query:
        check_words(then.query, f"{where}, then.query", _QUERY)


def _check_pins(then: Then, where: str) -> None:
    items = [pin.item for pin in then.pins]
    for item in items:
        codec.check_id(item, where)
        _check_text(item, where)
    if wrong := [pin.position for pin in then.pins if not 1 <= pin.position <= POSITIONS]:
        raise InputError(f"There is no position {wrong[0]}.", where=where, cure=f"Count from 1 to {POSITIONS}.")
    if len(set(items)) < len(items) or len({pin.position for pin in then.pins}) < len(items):
        raise InputError("Two pins meet.", where=where, cure="Give each item and each position once.")
    if both := sorted(set(items) & set(then.hide)):
        raise InputError(f"It pins and hides {both[0]!r}.", where=where, cure="Decide for one of the two.")


def _check_banner(banner: Banner, where: str) -> None:
    if not banner.text or not banner.text.keys() <= set(LANGUAGES):
        raise InputError(
            "A banner needs a text in a known language.", where=where, cure=f"Write it in: {', '.join(LANGUAGES)}."
        )
    for text in banner.text.values():
        check_words(text, where, _BANNER)
    _check_path(banner.link, f"{where}.link")


def _check_filters(filters: Filters, where: str) -> None:
    texts = [*filters.brands, *filters.languages, *filters.exclude, *filters.attributes]
    texts += [part for path in filters.categories for part in path]
    texts += [value for values in filters.attributes.values() for value in values]
    _check_count(texts, where)
    for text in texts:
        _check_text(text, where)
    low, high = (codec.number(price, where, "price") for price in (filters.price_min, filters.price_max))
    if low is not None and high is not None and low > high:
        raise InputError("price_min is above price_max.", where=where, cure="Swap them, or leave one out.")


def _check_path(path: str, where: str) -> None:
    if path and not is_shop_path(path):
        raise InputError(
            "This leads out of the shop, or might.", where=where, cure="Name a path of the shop, such as /search?q=tea."
        )


def check_words(text: str, where: str, limit: int) -> None:
    """Refuse what is not words: nothing to read, too long, or with control characters.

    Raises:
        InputError: It is none.
    """
    if not any(character.isalnum() for character in text):
        raise InputError("There is no word in it.", where=where, cure="Write at least one letter or digit.")
    _check_text(text, where, limit)


def _check_text(text: str, where: str, limit: int = 1_000) -> None:
    if len(text) > limit:
        raise InputError(f"The text has {len(text)} characters.", where=where, cure=f"Write at most {limit}.")
    if any(c in _TURNING or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text):
        raise InputError("Control characters are not allowed.", where=where, cure="Remove them from the text.")


def _check_count(values: Iterable[object], where: str) -> None:
    if (count := sum(1 for _ in values)) > _MANY:
        raise InputError(f"{count} values are too many.", where=where, cure=f"Give at most {_MANY}, or several rules.")


def _stays(way: str) -> bool:
    return "//" not in way and "\\" not in way and not {".", ".."} & set(way.split("/"))
