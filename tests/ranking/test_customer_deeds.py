"""Deeds and features: cut at a moment, bounded, the same for one customer alone as among many."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profileshop import SHOP, START, frame, lived

from shopkeeper.ranking.customers.deeds import (
    CODE,
    LOOK_BACK,
    deeds_of,
    frame_of,
    read_deeds,
    taxonomy_of,
    with_feelings,
)
from shopkeeper.ranking.customers.features import (
    principal,
    propensity_features,
    reduced,
    repeat_buying,
    review_features,
    text_features,
)
from shopkeeper.ranking.customers.next_category import last_vectors
from shopkeeper.records import Event, EventKind, Passage, PassageKind
from shopkeeper.retrieval.shelf import Shelf

SHELF = Shelf(SHOP)
EVENTS = lived()
FRAME = frame(EVENTS)
TAXONOMY = taxonomy_of(SHELF, FRAME.filter(pl.col("kind") == "purchase"))
DEEDS, NAMES, QUERIES = read_deeds(FRAME, SHELF, TAXONOMY)
DAY = 86_400.0


def moment(day: float) -> float:
    return START.timestamp() + day * DAY


def test_all_deeds_are_there_in_order():
    assert len(DEEDS.times) == len(EVENTS)
    assert sorted(NAMES) == sorted({event.customer for event in EVENTS})
    assert (np.diff(DEEDS.times)[np.diff(DEEDS.owners) == 0] >= 0).all()
    counts = {kind: int((DEEDS.kinds == CODE[kind]).sum()) for kind in (EventKind.VIEW, EventKind.PURCHASE)}
    assert counts == {kind: sum(event.kind is kind for event in EVENTS) for kind in counts}
    assert (DEEDS.words >= 0).sum() == sum(event.kind is EventKind.SEARCH for event in EVENTS)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(NAMES) - 1), st.floats(0, 170)), min_size=1, max_size=8))
def test_before_is_what_a_loop_finds(asked: list[tuple[int, float]]):
    who, at = [one for one, _ in asked], [moment(day) for _, day in asked]
    past = DEEDS.before(who, at)
    for place, (one, time) in enumerate(zip(who, at, strict=True)):
        wanted = [event.time.timestamp() for event in EVENTS if event.customer == NAMES[one]]
        wanted = [stamp for stamp in wanted if stamp < time][-LOOK_BACK:]
        assert past.times[past.indptr[place] : past.indptr[place + 1]].tolist() == pytest.approx(wanted)


def test_a_customer_alone_has_the_features_they_have_among_many():
    at = np.full(len(NAMES), moment(100.0))
    past = DEEDS.before(np.arange(len(NAMES)), at)
    table, names = propensity_features(past, at)
    assert np.isfinite(table).all()
    assert len(set(names)) == table.shape[1]
    for one in (0, 7, 100):
        own = [event for event in EVENTS if event.customer == NAMES[one] and event.time.timestamp() < at[0]]
        alone, _, _ = read_deeds(frame_of(own), SHELF, TAXONOMY, [NAMES[one]])
        assert propensity_features(alone, at[:1])[0][0] == pytest.approx(table[one], abs=1e-5)


def test_known_features():
    def event(number: int, kind: EventKind, day: float, value: float | None = None, item: str = "garden-00") -> Event:
        time = START + timedelta(days=day)
        return Event(id=str(number), time=time, kind=kind, customer="a", session=f"s{day}", item=item, value=value)

    events = [
        event(1, EventKind.VIEW, 0),
        event(2, EventKind.PURCHASE, 0, 20.0),
        event(3, EventKind.PURCHASE, 10, 40.0, "kitchen-00"),
        event(4, EventKind.RETURN, 12, 40.0, "kitchen-00"),
        event(5, EventKind.REVIEW, 13, 2.0),
        event(6, EventKind.PURCHASE, 20, 30.0),
    ]
    taxonomy = taxonomy_of(SHELF, frame_of(events).filter(pl.col("kind") == "purchase"))
    deeds, _, _ = read_deeds(frame_of(events), SHELF, taxonomy, ["a"])
    table, names = propensity_features(deeds, [moment(25)])
    found = dict(zip(names, np.expm1(table[0]), strict=True))
    assert found["ever_purchases"] == pytest.approx(3, rel=1e-5)
    assert found["purchases_7"] == pytest.approx(1, rel=1e-5)
    assert found["days_since_purchases"] == pytest.approx(5, rel=1e-5)
    assert found["usual_gap"] == pytest.approx(10, rel=1e-5)
    raw = dict(zip(names, table[0], strict=True))
    assert raw["sent_back"] == pytest.approx(1 / 3)
    assert raw["stars"] == 2.0
    assert raw["distinct_categories"] == 2.0
    repeats, last, age, orders, money = (float(one[0]) for one in repeat_buying(deeds, [moment(25)]))
    assert (repeats, last, age, orders) == pytest.approx((2, 20, 25, 3))
    assert money == pytest.approx(1.0)  # in typical purchases: the median is 30


def test_one_customer_read_without_a_table_is_the_same():
    own = [event for event in EVENTS if event.customer == "r000"]
    item = next(event.item for event in own if event.item)
    own.append(
        Event(
            id="w", time=own[-1].time + timedelta(days=1), kind=EventKind.REVIEW, customer="r000", item=item, value=1.0
        )
    )
    review = Passage(id="p", kind=PassageKind.REVIEW, text="Terrible.", item=item, customer="r000")
    wide, _, queries = read_deeds(with_feelings(frame_of(own), [review]), SHELF, TAXONOMY, ["r000"])
    alone, typed = deeds_of(own, [review], SHELF, TAXONOMY)
    assert typed == queries
    for name in ("indptr", "times", "kinds", "values", "sessions", "items", "categories", "words", "feelings"):
        first, second = getattr(wide, name), getattr(alone, name)
        assert first.dtype == second.dtype, name
        assert np.allclose(first, second, equal_nan=True), name


def test_nobody_has_the_features_of_nobody():
    deeds, _, _ = read_deeds(frame_of([]), SHELF, TAXONOMY, ["nobody"])
    table, _ = propensity_features(deeds, [moment(1)])
    assert np.isfinite(table).all()
    assert [float(one[0]) for one in repeat_buying(deeds, [moment(1)])] == [0.0] * 5
    items = np.eye(4, dtype=np.float32)[:0]
    assert not text_features(deeds, [moment(1)], items, items).any()
    assert not last_vectors(deeds, items, items).any()


def test_a_million_events_are_cut_to_the_last_and_the_last_orders():
    many = 20_000
    times = START.timestamp() + np.arange(many) * 60.0
    kinds = ["purchase" if number < 700 else "view" for number in range(many)]
    wide = pl.DataFrame({"kind": kinds, "at": times}).select(
        pl.from_epoch(pl.col("at").cast(pl.Int64)).dt.replace_time_zone("UTC").alias("time"),
        "kind",
        pl.lit("a").alias("customer"),
        pl.lit("s").alias("session"),
        pl.lit("garden-00").alias("item"),
        pl.lit("").alias("query"),
        pl.lit(5.0).alias("value"),
    )
    deeds, _, _ = read_deeds(wide, SHELF, TAXONOMY)
    past = deeds.before([0], [times[-1] + 1])
    assert len(past.times) == 2 * LOOK_BACK
    assert (past.kinds == CODE[EventKind.PURCHASE]).sum() == LOOK_BACK


def test_currencies_are_measured_by_their_own_typical_purchase():
    from dataclasses import replace

    shelf = Shelf([replace(SHOP[0], id="a", currency="USD"), replace(SHOP[1], id="b", currency="JPY")])
    rows = [("a", 10.0), ("a", 20.0), ("a", 30.0), ("b", 2_000.0), ("b", 1_000.0), ("b", 3_000.0)]
    taxonomy = taxonomy_of(shelf, pl.DataFrame(rows, schema=["item", "value"], orient="row"))
    assert (taxonomy.scales["USD"], taxonomy.scales["JPY"]) == (20.0, 2_000.0)


def test_words_of_a_review_join_its_event():
    events = [
        Event(id="1", time=START, kind=EventKind.REVIEW, customer="a", item="garden-00", value=1.0),
        Event(id="2", time=START, kind=EventKind.REVIEW, customer="b", item="garden-00", value=5.0),
    ]
    review = Passage(id="p", kind=PassageKind.REVIEW, text="Terrible.", item="garden-00", customer="a")
    deeds, _, _ = read_deeds(with_feelings(frame_of(events), [review]), SHELF, TAXONOMY, ["a", "b"])
    assert review_features(deeds).tolist() == [[-1.0, -1.0], [0.0, 0.0]]


def test_principal_directions_keep_what_differs():
    rng = np.random.default_rng(0)
    vectors = np.zeros((200, 6), dtype=np.float32)
    vectors[:, 2] = rng.normal(0, 3, 200)
    vectors[:, 4] = rng.normal(0, 1, 200)
    centre, directions = principal(vectors, 2)
    assert np.abs(directions[0]).argmax() == 2
    assert np.abs(directions[1]).argmax() == 4
    assert not reduced(np.zeros((1, 6), dtype=np.float32), centre, directions).any()
