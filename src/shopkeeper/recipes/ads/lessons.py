"""Pages that were shown, as lessons on clicks and sales: the log is replayed, and each page seen as serving would have seen it.

Features come from `ranking.ads.features` over counts that end just before the page. What came of it is joined by the
request that a click names; a sale is a purchase of the clicked item by the same customer within seven days. Whole pages
are drawn where there are too many, so that no rate shifts.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_time
from shopkeeper.models.text import Floats
from shopkeeper.progress import track
from shopkeeper.ranking.ads.features import BLOCKS, NAMES, RECENT, Moment, ad_features, ad_vectors, taste_of
from shopkeeper.ranking.examination import comparable_clicks, examination
from shopkeeper.ranking.item_record import REACTED, SHOWN, WINDOW, ItemRecord, everybody, place_key
from shopkeeper.ranking.shown import Showing, columns, query_key
from shopkeeper.recipes.ads.periods import Period
from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.histories import STRENGTH
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.vectors import VectorIndex
from shopkeeper.store.protocols import Store

Values = NDArray[np.float64]

MOST_PAGES: Final = 20_000
_PAGES_OF_ONE = 200
"""A session with more pages is a program."""
_VALID, _TEST = 0.15, 0.2
_WEEK = 7 * 86_400
_ENOUGH = 400
"""Clicks on items seen at several places from which on a surface has a curve of its own."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Training, validation and test, one after the other in time, and the record as it stands after all of them.

    Attributes:
        position: Position in the log of the newest event that the record counted.
    """

    train: Period
    valid: Period
    test: Period
    record: ItemRecord
    position: int


def gather_lessons(
    store: Store,
    shelf: Shelf,
    vectors: VectorIndex,
    encode: Callable[[Sequence[str]], Floats],
    *,
    most: int = MOST_PAGES,
    seed: int = 0,
    trust: Callable[[str], float] = everybody,
) -> Lessons:
    """Replay the log.

    How often places are looked at is learnt from pages before the test period.

    Args:
        store: Events and customers.
        shelf: The items.
        vectors: Unit vectors of the same rows.
        encode: Queries to unit vectors, float32 (n, d).
        most: Pages at most.
        seed: Which pages are drawn.
        trust: How far the stars of a customer count, in [0, 1]; see `ItemRecord`.

    Raises:
        TrainingError: A period has no clicks, or nothing that was not clicked.
    """
    kinds = list({*SHOWN, *REACTED, *STRENGTH})
    log = sorted(store.events.scan(kinds=kinds), key=lambda pair: pair[1].time)
    pages = _pages([event for _, event in log], shelf, most, np.random.default_rng(seed))
    split = by_time([page.time.timestamp() for page in pages], valid=_VALID, test=_TEST)
    outcomes = _Outcomes(log)
    examined = _examined([pages[n] for n in [*split.train, *split.valid]], outcomes)
    record = ItemRecord(shelf, examined, trust=trust)
    seen = _replay(log, {page.id for page in pages}, store, shelf, vectors, encode, record)
    ends = (split.valid_from, split.test_from, np.inf)
    periods = [
        _period([pages[n] for n in rows], seen, outcomes, shelf, vectors, record, end)
        for rows, end in zip((split.train, split.valid, split.test), ends, strict=True)
    ]
    for name, period in zip(("training", "validation", "test"), periods, strict=True):
        if not period.clicked.any() or period.clicked.all():
            raise TrainingError(
                f"The {name} period has {int(period.clicked.sum())} clicks on {len(period)} items shown.",
                where="events",
                cure="Import impressions, and clicks whose request names the impression's.",
            )
    train, valid, test = periods
    return Lessons(train, valid, test, record, max((position for position, _ in log), default=0))


class _Outcomes:
    """What came of showings, by request and item."""

    def __init__(self, log: Sequence[tuple[int, Event]]) -> None:
        self.clicks: dict[tuple[str, str], Event] = {}
        self._purchases: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for _, event in log:
            if event.kind in REACTED and event.request and event.item:
                self.clicks.setdefault((event.request, event.item), event)
            if event.kind is EventKind.PURCHASE:
                self._purchases[event.customer or event.session, event.item].append(event.time.timestamp())

    def bought(self, request: str, item: str, until: float) -> bool:
        """Was it clicked there, and bought within the window, before `until`?"""
        click = self.clicks.get((request, item))
        if click is None:
            return False
        began = click.time.timestamp()
        bought = self._purchases.get((click.customer or click.session, item), ())
        return any(began <= time <= min(began + WINDOW, until) for time in bought)


def _pages(events: Sequence[Event], shelf: Shelf, most: int, rng: np.random.Generator) -> list[Event]:
    """Impressions that show a known item, each request once, without programs; in order of time."""
    known: dict[tuple[EventKind, str], Event] = {}
    for event in events:
        if event.kind in SHOWN and event.impression is not None and len(shelf.rows(event.impression.items)):
            known.setdefault((event.kind, event.request or event.id), event)
    of_session = Counter(event.session for event in known.values() if event.session)
    found = [event for event in known.values() if of_session[event.session] <= _PAGES_OF_ONE]
    if len(found) > most:
        found = [found[n] for n in np.sort(rng.choice(len(found), most, replace=False))]
    return found


def _examined(pages: Sequence[Event], outcomes: _Outcomes) -> dict[str, Values]:
    """How often each place is looked at, by `place_key`, and under ``""`` for all that have too few clicks to tell.

    What a session saw twice for one query is one showing at its highest place: nobody clicks twice what is open already.
    """
    best: dict[tuple[str, str, str, str], Showing] = {}
    for event in pages:
        shown, request, key = event.impression, event.request or event.id, place_key(event)
        assert shown is not None
        query, week = f"{key}/{query_key(event.query)}", int(event.time.timestamp() // _WEEK)
        for item, place in zip(shown.items, shown.positions, strict=True):
            own = key, event.session or request, query, item
            clicked, before = (request, item) in outcomes.clicks, best.get(own)
            if before is not None:
                place, clicked, week = min(place, before.place), clicked or before.clicked, before.week
            best[own] = Showing(query, item, place, clicked, False, week)
    shown_at: defaultdict[str, list[Showing]] = defaultdict(list)
    for (key, *_), showing in best.items():
        shown_at[key].append(showing)
    every = {key: columns(found) for key, found in shown_at.items()}
    told = {key: examination(found) for key, found in every.items() if comparable_clicks(found) >= _ENOUGH}
    return told | {"": examination(columns(best.values()))}


def _replay(
    log: Sequence[tuple[int, Event]],
    wanted: set[str],
    store: Store,
    shelf: Shelf,
    vectors: VectorIndex,
    encode: Callable[[Sequence[str]], Floats],
    record: ItemRecord,
) -> dict[str, tuple[Floats, Floats]]:
    """By impression: features of its known items, float32 (k, f), and the vectors around them, float16 (3, d)."""
    queries = list(dict.fromkeys(event.query for _, event in log if event.id in wanted and event.query))
    words = dict(zip(queries, encode(queries), strict=True)) if queries else {}
    languages = {customer.id: customer.language for customer in store.customers.scan()}
    recent: defaultdict[str, deque[Event]] = defaultdict(lambda: deque(maxlen=RECENT))
    opened: dict[str, str] = {}
    found: dict[str, tuple[Floats, Floats]] = {}
    for _, event in track(log, "replay the log", len(log), "events"):
        who = event.customer or event.session
        if event.id in wanted and event.impression is not None:
            moment = _moment(event, recent[who], opened, words, languages, shelf, vectors)
            rows = shelf.rows(event.impression.items)
            table = ad_features(shelf, vectors, rows, moment, record)
            found[event.id] = table, ad_vectors(vectors, rows[:0], moment)[1].astype(np.float16)
        record.fold([event])
        if event.kind in STRENGTH:
            recent[who].append(event)
            opened[event.session] = event.item
    return found


def _moment(
    event: Event,
    recent: Sequence[Event],
    opened: Mapping[str, str],
    words: Mapping[str, Floats],
    languages: Mapping[str, str],
    shelf: Shelf,
    vectors: VectorIndex,
) -> Moment:
    """What was known when a page was shown; a product page is about its item, or the last one that was opened."""
    surface = event.impression.surface if event.impression is not None else ""
    about = (event.item or opened.get(event.session, "")) if surface == "product" else ""
    row = shelf.row(about)
    taste, past = taste_of(recent, shelf, vectors)
    return Moment(
        query=event.query,
        words=words.get(event.query),
        taste=taste,
        focus=vectors.vectors(np.array([row]))[0] if row is not None else None,
        surface=surface,
        hour=event.time.hour,
        weekday=event.time.weekday(),
        language=languages.get(event.customer, ""),
        past=past,
        time=event.time.timestamp(),
        paid=event.kind is EventKind.AD_IMPRESSION,
    )


def _period(
    pages: Sequence[Event],
    seen: Mapping[str, tuple[Floats, Floats]],
    outcomes: _Outcomes,
    shelf: Shelf,
    vectors: VectorIndex,
    record: ItemRecord,
    end: float,
) -> Period:
    rows, page, place, looked, clicked, bought, paid = ([] for _ in range(7))
    for number, event in enumerate(pages):
        shown, request = event.impression, event.request or event.id
        assert shown is not None
        looks = record.looked(place_key(event), shown.positions)
        for item, position, look in zip(shown.items, shown.positions, looks.tolist(), strict=True):
            if (row := shelf.row(item)) is not None:
                rows.append(row)
                page.append(number)
                place.append(position)
                looked.append(look)
                clicked.append((request, item) in outcomes.clicks)
                bought.append(outcomes.bought(request, item, end))
                paid.append(event.kind is EventKind.AD_IMPRESSION)
    tables = [seen[event.id][0] for event in pages]
    return Period(
        table=np.concatenate(tables) if tables else np.zeros((0, len(NAMES)), dtype=np.float32),
        row=np.array(rows, dtype=np.int64),
        page=np.array(page, dtype=np.int64),
        around=np.stack([seen[event.id][1] for event in pages])
        if pages
        else np.zeros((0, len(BLOCKS) - 1, vectors.dimension), dtype=np.float16),
        place=np.array(place, dtype=np.int64),
        looked=np.array(looked, dtype=np.float64),
        clicked=np.array(clicked, dtype=np.bool_),
        bought=np.array(bought, dtype=np.bool_),
        paid=np.array(paid, dtype=np.bool_),
        events=tuple(pages),
    )
