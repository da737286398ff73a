"""Search: words in, items out. Without words it is browsing: what sells, or what is new, under the same filters."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from shopkeeper.errors import InputError
from shopkeeper.models.text import Floats
from shopkeeper.records import Answer, Hit, Item, Reason, Request
from shopkeeper.retrieval.hybrid import Found, HybridIndex
from shopkeeper.retrieval.lexical import matched_words
from shopkeeper.retrieval.shelf import Mask, Rows, Shelf
from shopkeeper.tasks.facets import count_facets, leading

SORTS = ("relevance", "price_asc", "price_desc", "newest", "popular")
"""Orders that a request may ask for."""

_LONGEST_QUERY = 400
"""Characters of a query that are read."""
_REMEMBERED = 2_000
"""Query vectors kept."""
_RELEVANT = 0.5
"""Share of the best score that an item must reach to be shown in an order other than relevance."""


class SearchTask:
    """Answers searches over one shelf and its index.

    Args:
        shelf: The items, kept up to date by whoever owns it.
        index: Their words and meanings, over the same rows.
        popularity: float32 (rows,) or shorter, how much each row sells; None when nothing is known. Assign a newer array
            at any time.
        model: Name and version, for impressions.
    """

    def __init__(
        self, shelf: Shelf, index: HybridIndex, *, popularity: Floats | None = None, model: str = "search"
    ) -> None:
        self.shelf = shelf
        self.index = index
        self.popularity = popularity
        self.model = model
        self._vectors = _Remembered(_REMEMBERED)

    def answer(self, request: Request) -> Answer:
        """One page of what the request asks for. Sold-out and hidden items never pass.

        Raises:
            InputError: The order, limit or offset makes no sense.
        """
        began = time.perf_counter()
        _check(request)
        query = clean(request.query)
        mask = self._allowed(request)
        if query:
            found = self._found(query, mask)
            rows = found.rows if request.sort == "relevance" else _relevant(found)
        else:
            found, rows = None, np.flatnonzero(mask)
        page = self._page(request, rows, ranked=found is not None)
        return Answer(
            request=request,
            hits=tuple(self._hits(request, query, page, found)),
            total=len(rows),
            model=self.model,
            facets=count_facets(self.shelf, rows),
            understood={"query": query} if query != request.query else {},
            seconds=time.perf_counter() - began,
        )

    def _allowed(self, request: Request) -> Mask:
        passing, showable = self.shelf.allowed(request.filters), self.shelf.showable()
        width = min(len(passing), len(showable))  # the shelf may have grown in between
        return passing[:width] & showable[:width]

    def _found(self, query: str, mask: Mask) -> Found:
        key = query.lower()
        vector = self._vectors.get(key)
        if vector is None:
            vector = self.index.encode(query)
            self._vectors.put(key, vector)
        return self.index.search(query, vector, mask)

    def _page(self, request: Request, rows: Rows, *, ranked: bool) -> Rows:
        stop = request.offset + request.limit
        if request.sort == "relevance" and ranked:
            return rows[request.offset : stop]
        return leading(rows, self._keys(request.sort), stop)[request.offset :]

    def _keys(self, sort: str) -> Sequence[Floats | np.ndarray]:
        """What to order by, highest first, the next one deciding between equals."""
        created = self.shelf.created
        popularity = self._popularity(len(self.shelf))
        if sort == "price_asc":
            return (-self.shelf.prices, popularity)
        if sort == "price_desc":
            return (self.shelf.prices, popularity)
        if sort == "newest":
            return (created, popularity)
        return (popularity, created)

    def _popularity(self, width: int) -> Floats:
        known = self.popularity
        if known is None:
            return np.zeros(width, dtype=np.float32)
        return np.pad(known[:width], (0, max(0, width - len(known))))

    def _hits(self, request: Request, query: str, page: Rows, found: Found | None) -> list[Hit]:
        place = {} if found is None else {int(row): n for n, row in enumerate(found.rows)}
        hits = []
        for rank, row in enumerate(page.tolist()):
            item = self.shelf.items[row]
            if item is None:  # taken off while this was being answered
                continue
            if found is None:
                reasons = self._standing(row, request.sort) if request.explain else ()
                hits.append(Hit(item=item.id, score=1 / (1 + request.offset + rank), reasons=reasons))
                continue
            at = place[row]
            parts = {"lexical": float(found.words[at]), "vectors": float(found.meaning[at])}
            reasons = explained(query, item, parts, float(found.cosine[at])) if request.explain else ()
            contributions = parts if request.explain else {}
            hits.append(Hit(item=item.id, score=float(found.scores[at]), reasons=reasons, contributions=contributions))
        return hits

    def _standing(self, row: int, sort: str) -> tuple[Reason, ...]:
        if sort in ("relevance", "popular") and self._popularity(len(self.shelf))[row] > 0:
            return (Reason(kind="popular", text={"en": "Popular in this shop", "zh": "本店热卖"}),)
        if sort == "newest" and self.shelf.created[row] > 0:
            return (Reason(kind="new", text={"en": "New in the shop", "zh": "新品上架"}),)
        return ()


def clean(query: str) -> str:
    """The query as it is read: control characters gone, blanks single, at most 400 characters.

    >>> clean("  red" + chr(0) + "  shoes ")
    'red shoes'
    """
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in query[: 4 * _LONGEST_QUERY])
    return " ".join(kept.split())[:_LONGEST_QUERY].strip()


def explained(query: str, item: Item, parts: Mapping[str, float], cosine: float) -> tuple[Reason, ...]:
    """Why an item was found: the words it shares with the query, and nearness in meaning where that weighs as much."""
    shared = matched_words(query, item)
    reasons = []
    if shared:
        quoted_en = ", ".join(f"“{word}”" for word in shared)
        quoted_zh = "、".join(f"“{word}”" for word in shared)
        text = {"en": f"Contains {quoted_en}", "zh": f"包含{quoted_zh}"}
        reasons.append(Reason(kind="query", evidence=shared, text=text))
    if not shared or parts["vectors"] >= parts["lexical"]:
        text = {"en": "Close in meaning to your search", "zh": "与您搜索的意思相近"}
        reasons.append(Reason(kind="meaning", evidence=(f"{cosine:.2f}",), text=text))
    return tuple(reasons)


class _Remembered:
    """The vectors of the latest queries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Floats | None:
        with self._lock:
            vector = self._kept.get(key)
            if vector is not None:
                self._kept.move_to_end(key)
            return vector

    def put(self, key: str, vector: Floats) -> None:
        with self._lock:
            self._kept[key] = vector
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)


def _relevant(found: Found) -> Rows:
    if not len(found):
        return found.rows
    near: Rows = found.rows[found.scores >= _RELEVANT * found.scores[0]]
    return near


def _check(request: Request) -> None:
    if request.sort not in SORTS:
        raise InputError(f"There is no order {request.sort!r}.", where="sort", cure=f"Use one of {', '.join(SORTS)}.")
    if request.limit < 0 or request.offset < 0:
        raise InputError("limit and offset must not be negative.", where="limit, offset", cure="Count from 0.")
