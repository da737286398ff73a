"""What a shop is really sent: strangers, endless histories, repeats, clocks that are wrong, filters that leave nothing."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from test_recommend import NOW, Shop, departments, ids

from shopkeeper.ranking.blend import Blend, Part
from shopkeeper.records import Event, EventKind, Filters, Request
from shopkeeper.retrieval.histories import present, read
from shopkeeper.retrieval.popularity import popularity
from shopkeeper.settings import RecommendSettings
from shopkeeper.tasks.recommend.behaviour import Parameters, fit

_MANY = 100_000


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.store.close()


def test_nobody_with_nothing_still_gets_a_page(shop):
    for request in (
        Request(limit=6),
        Request(customer="never-heard-of", session="nor-this", items=("no-such-item",), limit=6),
        Request(customer="never-heard-of", query="no such words at all", surface="basket", limit=6),
    ):
        answer = shop.task.answer(request)
        assert len(answer.hits) == 6
        assert answer.model.endswith("/welcome")


def test_filters_that_leave_nothing_give_an_empty_page(shop):
    for who in ("c00", "never-heard-of"):
        answer = shop.task.answer(Request(customer=who, filters=Filters(brands=("No such brand",)), explain=True))
        assert (answer.hits, answer.total) == ((), 0)
    assert shop.task.bundle(Request(items=("garden-04",), filters=Filters(price_max=0.01))).hits == ()


def test_a_history_of_a_hundred_thousand_events_counts_by_its_newest(shop):
    items = [item.id for item in shop.shelf.items if item.id.startswith("garden")]
    log = [
        Event(
            id=f"r{number}",
            time=NOW - timedelta(seconds=_MANY - number),
            kind=EventKind.VIEW,
            customer="robot",
            item=items[number % len(items)],
        )
        for number in range(_MANY)
    ]
    for start in range(0, _MANY, 20_000):
        shop.store.events.append(log[start : start + 20_000])
    shop.sessions.fold(log[-1_000:])
    answer = shop.task.answer(Request(customer="robot", limit=5, explain=True))
    assert len(answer.hits) == 5
    histories, names = read(shop.store.events.frame(), shop.shelf)
    behaviour = fit(histories, shop.shelf, shop.vectors, Parameters(), NOW.timestamp())
    assert np.isfinite(behaviour.evidence).all()
    assert int(histories.lengths[names.index("robot")]) == len(items)


def test_repeats_and_the_order_of_arrival_change_nothing(shop, tmp_path):
    (tmp_path / "other").mkdir()
    other = Shop(tmp_path / "other")
    acts = [
        Event(id=f"e{n}", time=NOW + timedelta(minutes=n), kind=EventKind.VIEW, session="s", item=item)
        for n, item in enumerate(["kitchen-02", "kitchen-05", "garden-04"])
    ]
    try:
        shop.store.events.append(acts)
        for event in (acts[2], acts[0], acts[0], acts[1], acts[2]):
            other.store.events.append([event])
        request = Request(session="s", limit=8, time=NOW)
        assert ids(other.task.answer(request)) == ids(shop.task.answer(request))
    finally:
        other.store.close()


def test_a_clock_from_the_future_does_not_age_the_whole_shop(shop):
    late = Event(
        id="late", time=NOW + timedelta(days=365 * 40), kind=EventKind.PURCHASE, customer="c01", item="kitchen-00"
    )
    before, _ = read(shop.store.events.frame(), shop.shelf)
    plain = popularity(before, len(shop.shelf), half_life=30.0, until=present(before.times))
    shop.store.events.append([late])
    after, _ = read(shop.store.events.frame(), shop.shelf)
    until = present(after.times)
    assert until < late.time.timestamp()
    moved = popularity(after, len(shop.shelf), half_life=30.0, until=until)
    assert moved.max() == pytest.approx(1.0)
    rest = np.arange(len(plain)) != shop.shelf.row("kitchen-00")
    assert np.array_equal(np.argsort(-plain[rest], kind="stable"), np.argsort(-moved[rest], kind="stable"))
    shop.task.behaviour = fit(after, shop.shelf, shop.vectors, Parameters(), until)
    assert departments(shop.task.answer(Request(customer="c01", limit=5))) == {"kitchen"}


def test_where_people_buy_again_habit_carries_what_they_keep_buying(tmp_path):
    shop = Shop(tmp_path, RecommendSettings(repeat_purchases=True))
    behaviour = shop.task.behaviour
    parts = {**behaviour.parameters.blend.parts, "habit": Part(5.0)}
    shop.task.behaviour = replace(behaviour, parameters=replace(behaviour.parameters, blend=Blend(parts)))
    for week in range(3):
        shop.post("kitchen-08", EventKind.PURCHASE, minute=10 * week)
    shop.post("kitchen-00", EventKind.PURCHASE, minute=40)
    request = Request(session="fresh", limit=5, explain=True)
    answer = shop.task.answer(request)
    assert ids(answer)[0] == "kitchen-08"
    first = answer.hits[0]
    assert first.reasons[0].kind == "again"
    assert first.contributions["habit"] > 5.0
    assert sum(first.contributions.values()) == pytest.approx(first.score, rel=1e-3)
    assert shop.task.without(request, "kitchen-08", ["kitchen-08"])[0] < first.score
    shop.store.close()
