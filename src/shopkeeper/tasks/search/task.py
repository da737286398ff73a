"""Search: words in, items out. Without words it is browsing: what sells, or what is new, under the same filters.

One flow for every caller: rules may redirect or rewrite the query; the query is read; candidates are found and ranked;
rules pin, boost and hide; variants of one product fold into one hit; a page is cut. Everything that decides an order
happens before the page is cut, so pages never repeat or miss an item.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.ranking.rules import Rulebook, Ruled, Situation, applied, situation_of
from shopkeeper.records import Customer, Event, Filters, Hit, Item, Request
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.highlights import highlights
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.retrieval.understanding.language import Language, Wording
from shopkeeper.retrieval.understanding.nouns import Understood
from shopkeeper.tasks.latest import Latest
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.search.explaining import PINNED, alike, explained, standing
from shopkeeper.tasks.search.facets import FacetCounter, Facets, leading
from shopkeeper.tasks.search.finding import Finder, Ranked
from shopkeeper.tasks.search.paging import next_cursor, ranking_of, turned
from shopkeeper.tasks.search.relaxing import Relaxation, relaxed
from shopkeeper.tasks.search.scope import Scope, both, meeting, narrows, stars_of
from shopkeeper.tasks.search.variants import Groups, Products, products

SORTS = ("relevance", "price_asc", "price_desc", "newest", "popular", "rating")
"""Orders that a request may ask for."""

_LONGEST_QUERY = 400
"""Characters of a query that are read."""
_FEW = 3
"""Below so many hits, ways to find more are told."""
_PAST = 50
"""Events of a customer that their taste is read from."""
_RELEVANT = 0.5
"""Share of the best fused score that an item must reach to be shown in an order other than relevance."""
_KEPT, _LARGEST = 256, 5_000
"""Rankings kept for the next pages, and the hits of one at most; a longer one comes from browsing and is made anew."""

Recent = Callable[[str, str, int], Sequence[Event]]
"""(customer, session, limit) -> their latest events, newest last."""


@dataclass(frozen=True, slots=True)
class _Ranking:
    """All hits of a request, in order, before a page is cut.

    Attributes:
        listed: One row a product; of browsing perhaps the first pages only.
        scores: float32 (products,).
    """

    understood: Understood
    unsure: tuple[Wording, ...]
    listed: Products
    scores: Floats
    ranked: Ranked | None
    ruled: Ruled
    facets: Facets
    total: int
    relaxations: tuple[Relaxation, ...]


class SearchTask:
    """Answers searches over one shelf and its index.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        finder: Finds and ranks them.
        language: Understands queries; kept up to date like the shelf.
        recent: What a customer or session did lately; for their taste.
        customer: What the shop knows of a customer; for rules about segments.
        popularity: float32 (rows,) or shorter, how much each row sells; None when nothing is known. Assign a newer array
            at any time.
        vetoed: Rows that must not be shown to whoever asks.
        model: Name and version, for impressions.
    """

    def __init__(
        self,
        shelf: Shelf,
        finder: Finder,
        language: Language,
        *,
        recent: Recent = lambda _customer, _session, _limit: (),
        customer: Callable[[str], Customer | None] = lambda _id: None,
        popularity: Floats | None = None,
        vetoed: Callable[[Request], Rows] = lambda _request: np.zeros(0, dtype=np.int64),
        model: str = "search",
    ) -> None:
        self.shelf = shelf
        self.finder = finder
        self.language = language
        self.rules = Rulebook((), terms)
        self.popularity = popularity
        self.model = model
        self.version = model
        self.groups = Groups(shelf.items)
        self.facets = FacetCounter(shelf, groups=self.groups)
        self._recent = recent
        self._customer = customer
        self._vetoed = vetoed
        self._kept: Latest[_Ranking] = Latest(_KEPT)

    def put(self, row: int, item: Item) -> None:
        """Take up what an item is now; the shelf and the index have it already."""
        self.language.put(item)
        self.groups.put(row, item)
        self.facets.put(row)

    def answer(
        self, request: Request, cursor: str = "", *, rules: Rulebook | None = None, bare: bool = False
    ) -> SearchAnswer:
        """One page of what the request asks for. Sold-out and hidden items never pass.

        Args:
            request: What is asked.
            cursor: Of an earlier answer; takes the place of `request.offset`.
            rules: Others than those in force, for a preview.
            bare: Without facets, marks and ways to find more, for callers that show none.

        Raises:
            InputError: The order, limit, offset or cursor makes no sense.
        """
        began = time.perf_counter()
        _check(request)
        version = self.version  # what a writer changes from here on is another ranking, and its cursors are others
        if cursor:
            request = turned(request, cursor, version)
        key = f"{version}\n{ranking_of(request)}\n{request.offset + request.limit if not request.query else ''}\n{bare}"
        ranking = self._kept.get(key) if request.offset and rules is None else None
        if ranking is None:
            ranking = self._ranking(request, self.rules if rules is None else rules, bare=bare)
            if rules is None and len(ranking.ruled.rows) <= _LARGEST:
                self._kept.put(key, ranking)
        return self._answered(request, ranking, version, began, marked=not bare)

    def forget(self) -> None:
        """Let go of the rankings that are kept for next pages: they tell who asked what."""
        self._kept = Latest(_KEPT)

    def _scope(self, request: Request, situation: Situation, rules: Rulebook) -> Scope:
        understood, unsure = self.language.read(clean(rules.query(situation)), request.ignore)
        chosen = both(request.filters, understood.filters)
        stars = stars_of(request, understood) if self.facets.ratings is not None else None
        free = self._allowed(replace(chosen, brands=(), categories=(), price_min=None, price_max=None, attributes={}))
        free = self.finder.without(free, understood.exclude)
        if len(forbidden := self._vetoed(request)):
            free = free.copy()
            free[forbidden[forbidden < len(free)]] = False
        own = free
        if narrows(chosen):
            own = meeting(own, self._allowed(chosen))
        if stars is not None:
            own = own & (_padded(self.facets.ratings, len(own)) >= stars)
        wide = rules.allowed(situation, self.shelf, free)
        mask = own if wide is free else meeting(own, wide)
        hidden = self.shelf.rows(item for rule in rules.firing(situation) for item in rule.then.hide)
        return Scope(understood, unsure, chosen, stars, own, wide, mask, hidden)

    def _ranking(self, request: Request, rules: Rulebook, *, bare: bool) -> _Ranking:
        customer = self._customer(request.customer) if request.customer else None
        situation = situation_of(request, customer)
        scope = self._scope(request, situation, rules)
        understood, mask = scope.understood, scope.mask
        sort = understood.sort if request.sort == "relevance" and understood.sort else request.sort
        firing = bool(rules.firing(situation))
        ranked = None
        if request.looks:
            ranked = self.finder.look(request.looks, understood, mask, request.time.timestamp())
            rows, scores, passing, whole = ranked.rows, ranked.scores, ranked.rows, True
            if sort != "relevance":
                rows = leading(rows, self._keys(sort), len(rows))
                scores = np.zeros(len(rows), dtype=np.float32)
            others = rows[:0]
            if scope.narrowed and not bare:
                others = self.finder.look(request.looks, understood, scope.wide, request.time.timestamp()).rows
        elif understood.words:
            past = self._recent(request.customer, request.session, _PAST) if request.customer or request.session else ()
            ranked = self.finder.find(replace(understood, exclude=()), mask, request.time.timestamp(), past)
            rows, scores, passing = ranked.rows, ranked.scores, ranked.rows
            if sort != "relevance" and len(rows):
                near = ranked.words + ranked.meaning
                rows = passing = leading(rows[near >= _RELEVANT * near.max()], self._keys(sort), len(rows))
                scores = np.zeros(len(rows), dtype=np.float32)
            others = self.finder.candidates(understood, scope.wide) if scope.narrowed and not bare else rows[:0]
        else:
            passing = np.flatnonzero(mask)
            whole = firing or self.groups.any
            count = len(passing) if whole else min(len(passing), request.offset + request.limit)
            rows = leading(passing, self._keys(sort), count)
            scores = (1 / (1 + np.arange(len(rows)))).astype(np.float32)
            others = np.flatnonzero(scope.wide) if scope.narrowed and not bare else rows[:0]
        ruled = applied(rules, replace(situation, ranked=sort == "relevance"), rows, scores, self.shelf, scope.own)
        listed = products(ruled.rows, self.groups)
        outside = others[others < len(mask)]
        outside = np.setdiff1d(outside[~mask[outside]], scope.hidden, assume_unique=True)
        shown = ruled.rows if firing else passing
        counted = understood.words or whole
        facets = Facets({}, (), rows[:0], len(listed))
        if not (bare and counted):
            facets = self.facets.count(np.concatenate([shown, outside]), scope.chosen, stars=scope.stars)
        total = len(listed) if counted else facets.total
        table = np.zeros(int(ruled.rows.max(initial=-1)) + 1, dtype=np.float32)
        table[ruled.rows] = ruled.scores
        relaxations = () if bare else self._relaxations(request, understood, total, customer, rules)
        facets = replace(facets, passing=facets.passing[:0])  # as long as the shelf, and of no more use
        return _Ranking(understood, scope.unsure, listed, table[listed.rows], ranked, ruled, facets, total, relaxations)

    def _answered(
        self, request: Request, ranking: _Ranking, version: str, began: float, *, marked: bool
    ) -> SearchAnswer:
        understood, ranked = ranking.understood, ranking.ranked
        start, stop = request.offset, request.offset + request.limit
        places = range(min(start, len(ranking.listed)), min(stop, len(ranking.listed)))
        page = [(place, int(ranking.listed.rows[place])) for place in places]
        items = [(place, row, item) for place, row in page if (item := self._shown(row)) is not None]
        searched_too = [text for text, _ in understood.variants]
        searched = " ".join([understood.words, *searched_too])
        variants = {
            item.id: tuple(other.id for row in ranking.listed.others(place).tolist() if (other := self._shown(row)))
            for place, _, item in items
        }
        return SearchAnswer(
            request=request,
            hits=tuple(self._hit(request, ranking, place, row, item) for place, row, item in items),
            total=ranking.total,
            model=self.model,
            facets=ranking.facets.counts,
            seconds=time.perf_counter() - began,
            read=understood,
            instead=next((other.text for other in ranking.unsure if other.text not in searched_too), ""),
            found=ranking.total > 0 and (ranked is None or self.finder.answers(ranked)),
            relaxations=() if request.offset else ranking.relaxations,
            prices=ranking.facets.prices,
            banner=ranking.ruled.banner,
            redirect=ranking.ruled.redirect,
            fired=ranking.ruled.fired,
            pinned=frozenset(item.id for _, row, item in items if row in ranking.ruled.pinned),
            variants={item: others for item, others in variants.items() if others},
            marks={item.id: highlights(item, searched) for _, _, item in items} if marked and understood.words else {},
            cursor=next_cursor(request, ranking.total, version),
        )

    def _relaxations(
        self, request: Request, understood: Understood, total: int, customer: Customer | None, rules: Rulebook
    ) -> tuple[Relaxation, ...]:
        if total >= _FEW or request.offset or request.looks:
            return ()

        def count(other: Request) -> int:
            scope = self._scope(other, situation_of(other, customer), rules)
            mask = scope.mask.copy()
            mask[scope.hidden[scope.hidden < len(mask)]] = False
            return self.finder.count(replace(scope.understood, exclude=()), mask)

        return relaxed(request, count, found=total, understood=understood, weigh=self.finder.index.lexical.bound)

    def _allowed(self, filters: Filters) -> Mask:
        return meeting(self.shelf.allowed(filters), self.shelf.showable())

    def _shown(self, row: int) -> Item | None:
        """The item of a row, unless it went or was hidden since the ranking was made."""
        item = self.shelf.items[row]
        return item if item is not None and item.showable else None

    def _keys(self, sort: str) -> Sequence[Floats | np.ndarray]:
        """What to order by, highest first, the next one deciding between equals."""
        width = len(self.shelf)
        created, popularity = self.shelf.created, _padded(self.popularity, width)
        if sort == "price_asc":
            return (-self.shelf.prices, popularity)
        if sort == "price_desc":
            return (self.shelf.prices, popularity)
        if sort == "newest":
            return (created, popularity)
        if sort == "rating":
            return (_padded(self.facets.ratings, width), popularity)
        return (popularity, created)

    def _hit(self, request: Request, ranking: _Ranking, place: int, row: int, item: Item) -> Hit:
        score = float(ranking.scores[place])
        if not request.explain:
            return Hit(item=item.id, score=score)
        if row in ranking.ruled.pinned:
            return Hit(item=item.id, score=score, reasons=(PINNED,))
        if request.looks and ranking.ranked is not None:
            likeness = float(ranking.ranked.cosine[ranking.ranked.rows == row].max(initial=0.0))
            return Hit(item=item.id, score=score, reasons=(alike(likeness),), contributions={"looks": likeness})
        if ranking.ranked is not None and (
            own := explained(ranking.understood.words, item, row, ranking.ranked, score)
        ):
            return Hit(item=item.id, score=score, reasons=own[0], contributions=own[1])
        sells = _padded(self.popularity, row + 1)[row] > 0
        return Hit(
            item=item.id, score=score, reasons=standing(request.sort, sells=sells, new=self.shelf.created[row] > 0)
        )


def clean(query: str) -> str:
    """The query as it is read: control characters gone, blanks single, at most 400 characters.

    >>> clean("  red" + chr(0) + "  shoes ")
    'red shoes'
    """
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in query[: 4 * _LONGEST_QUERY])
    return " ".join(kept.split())[:_LONGEST_QUERY].strip()


def _padded(known: Floats | None, width: int) -> Floats:
    if known is None:
        return np.zeros(width, dtype=np.float32)
    return np.pad(known[:width], (0, max(0, width - len(known))))


def _check(request: Request) -> None:
    if request.sort not in SORTS:
        raise InputError(f"There is no order {request.sort!r}.", where="sort", cure=f"Use one of {', '.join(SORTS)}.")
    if request.limit < 0 or request.offset < 0:
        raise InputError("limit and offset must not be negative.", where="limit, offset", cure="Count from 0.")
