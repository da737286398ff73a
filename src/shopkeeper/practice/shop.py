"""Builds the practice shop in memory and fills a store with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.practice.behaviour import Behaviour
from shopkeeper.practice.clips import film_all
from shopkeeper.practice.dialogues import house_words
from shopkeeper.practice.goods import Ints, make_goods, opaque
from shopkeeper.practice.orders import orders_of
from shopkeeper.practice.people import Tastes, make_tastes, make_world
from shopkeeper.practice.pictures import draw_all
from shopkeeper.practice.queries import Grader, Query, phrase
from shopkeeper.practice.sessions import Log, Simulation
from shopkeeper.practice.truth import EvaluationQuery, Truth
from shopkeeper.practice.vocabulary import LANGUAGES, Vocabulary, vocabulary
from shopkeeper.practice.wording import items_of
from shopkeeper.records import Customer, Event, Item, Judgement, Passage, PassageKind
from shopkeeper.store.database import SqlStore
from shopkeeper.store.orders import Order

START = datetime(2026, 3, 1, tzinfo=UTC)
TRAIN_SHARE = 0.8
SPLITS = ("head", "fresh", "unseen")
QUERIES_PER_SPLIT = 80  # and language
JUDGED_QUERIES = 40
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Practice:
    """A whole shop. Everything but `truth` goes into the store."""

    items: tuple[Item, ...]
    customers: tuple[Customer, ...]
    events: tuple[Event, ...]
    passages: tuple[Passage, ...]
    judgements: tuple[Judgement, ...]
    orders: tuple[Order, ...]
    truth: Truth
    seed: int

    @property
    def cut(self) -> datetime:
        """Train on events before this moment, evaluate from it on: the last fifth of the time."""
        return self.truth.cut


def build(seed: int = 7, *, products: int = 3200, customers: int = 2000, days: int = 120) -> Practice:
    """Simulate a shop; the same arguments give the same shop to the last byte.

    Args:
        seed: Everything random follows from it.
        products: Items, at least 400 so that every product type exists in both languages.
        customers: At least 10.
        days: Length of the log, at least 20; it begins on 1 March 2026.

    Raises:
        InputError: A number is too small.
    """
    for name, value, least in (("products", products, 400), ("customers", customers, 10), ("days", days, 20)):
        if value < least:
            raise InputError(f"{value} is too few.", where=name, cure=f"Ask for at least {least}.")
    words = vocabulary()
    with progress.span("practice: catalogue and customers"):
        goods = make_goods(words, products, days, seed)
        tastes = make_tastes(words, customers, days, seed)
        behaviour = Behaviour(make_world(words, seed), tastes, goods, START)
        items = items_of(words, goods, START, days, seed)
    log = Simulation(words, behaviour, items, days, seed).run()
    cut = START + timedelta(days=round(days * TRAIN_SHARE))
    truth = _truth(words, behaviour, log, cut, seed)
    return Practice(
        items=items,
        customers=_customers(tastes),
        events=tuple(log.events),
        passages=(*log.passages, *_faq(words), *house_words(START)),
        judgements=_judgements(words, behaviour, truth, seed),
        orders=orders_of(log.events, START + timedelta(days=days), seed),
        truth=truth,
        seed=seed,
    )


def write(practice: Practice, store: SqlStore, media: Path | None) -> None:
    """Fill a store with the shop and draw its pictures and clips under ``media/practice``, or none. The truth stays out.

    Doing it twice changes nothing the second time.
    """
    with progress.span("practice: catalogue", len(practice.items), "items") as span:
        store.catalogue.put(practice.items)
        span.advance(len(practice.items))
    store.customers.put(practice.customers)
    store.words.put(practice.passages)
    store.labels.put(practice.judgements)
    store.orders.put(practice.orders)
    with progress.span("practice: events", len(practice.events), "events") as span:
        for batch in _batches(practice.events, 2000):
            store.events.append(batch)
            span.advance(len(batch))
    if media is None:
        return
    words, goods = vocabulary(), practice.truth.behaviour.goods
    draw_all(words, goods, media, practice.seed)
    film_all(words, goods, media, practice.seed)


def _batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]


def _customers(tastes: Tastes) -> tuple[Customer, ...]:
    known = [
        Customer(
            id=key,
            language=LANGUAGES[int(tastes.language[row])],
            created=(START + timedelta(days=float(tastes.created[row]))).replace(microsecond=0),
        )
        for row, key in enumerate(tastes.ids)
    ]
    return tuple(sorted(known, key=lambda customer: customer.id))


def _faq(words: Vocabulary) -> list[Passage]:
    return [
        Passage(
            id=f"faq-{LANGUAGES[language]}-{number + 1}",
            kind=PassageKind.FAQ,
            title=line.split("|")[0],
            text=line.split("|")[1],
            language=LANGUAGES[language],
        )
        for language in range(2)
        for number, line in enumerate(words.phrases[language]["faq"])
    ]


def _draw_query(
    words: Vocabulary, behaviour: Behaviour, language: int, unseen: bool, rng: np.random.Generator
) -> Query:
    """A wish of a random customer at the end of the log."""
    own = np.flatnonzero(behaviour.tastes.language == language)
    customer = int(rng.choice(own))
    needs = behaviour.needs(customer, 100.0)
    goods = behaviour.goods
    kind = int(rng.choice(len(needs), p=needs))
    rows = np.flatnonzero((goods.type == kind) & (goods.language == language))
    return phrase(words, goods, int(rng.choice(rows)), rng, unseen=unseen)


def _truth(words: Vocabulary, behaviour: Behaviour, log: Log, cut: datetime, seed: int) -> Truth:
    """Draw evaluation queries of all splits and grade every item for each."""
    rng = np.random.default_rng([seed, 8])
    logged = {query.text: query for query in log.queries}
    grader = Grader(behaviour.goods, behaviour.world.near)
    queries: list[EvaluationQuery] = []
    triples: list[Ints] = []
    taken: set[str] = set()
    for split in SPLITS:
        for language in range(2):
            wanted, tries = QUERIES_PER_SPLIT, 0
            while wanted and tries < 40 * QUERIES_PER_SPLIT:
                tries += 1
                query = _draw_query(words, behaviour, language, split == "unseen", rng)
                if query.text in taken or ((query.text in logged) != (split == "head")):
                    continue
                grades = grader.grades(query.intent)
                if not (grades >= 2).any():
                    continue
                taken.add(query.text)
                rows = np.flatnonzero(grades)
                triples.append(np.stack([np.full(len(rows), len(queries)), rows, grades[rows]], axis=1))
                key = opaque("query", seed, len(queries), 8)
                queries.append(EvaluationQuery(key, query.text, LANGUAGES[language], split))
                wanted -= 1
    return Truth(behaviour, tuple(queries), np.concatenate(triples), cut)


def _judgements(words: Vocabulary, behaviour: Behaviour, truth: Truth, seed: int) -> tuple[Judgement, ...]:
    """What the shop's own staff graded by hand: few queries, ten items each, none of the evaluation queries."""
    rng = np.random.default_rng([seed, 9])
    grader = Grader(behaviour.goods, behaviour.world.near)
    forbidden = {query.text for query in truth.queries}
    found: dict[tuple[str, str], Judgement] = {}
    for number in range(JUDGED_QUERIES):
        query = _draw_query(words, behaviour, number % 2, False, rng)
        if query.text in forbidden:
            continue
        grades = grader.grades(query.intent)
        good = rng.permutation(np.flatnonzero(grades))[:7]
        rows = np.concatenate([good, rng.choice(len(grades), 3, replace=False)])
        for row in rows:
            item = behaviour.goods.ids[row]
            found[query.text, item] = Judgement(query=query.text, item=item, grade=float(grades[row]), rater="staff")
    return tuple(found.values())
