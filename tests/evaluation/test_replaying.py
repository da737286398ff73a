"""Pages of a log shown again by a recommender that knows only what was known then."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from toyshop import DAYS, START, taste_of_customer, taste_of_item, toy_store

from shopkeeper.evaluation.offpolicy_log import KINDS
from shopkeeper.evaluation.offpolicy_report import estimate
from shopkeeper.evaluation.replaying import OTHERS, Replay
from shopkeeper.records import Event, EventKind, Impression, Request
from shopkeeper.settings import load
from shopkeeper.tasks.shop import Shop

SINCE = START + timedelta(days=DAYS + 10)
PAGES = 150


def settings_of(home, **fields):
    return load(home, environ={}, overrides={"models.encoder": "use-multilingual", **fields})


EXPLORING = {"recommend.explore": 0.5, "recommend.explore_by": "evenly", "recommend.explore_clicks": 1e9}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop that explored on every other page, and customers who click on their own taste three times as often."""
    home = tmp_path_factory.mktemp("served")
    opened = Shop(settings_of(home, **EXPLORING), toy_store(home))
    rng = np.random.default_rng(3)
    for number in range(PAGES):
        time, customer = SINCE + timedelta(minutes=number), f"c{number % 50:02d}"
        about = {"customer": customer, "session": f"{customer}-later"}
        answer = opened.recommend(Request(id=f"page-{number}", time=time, limit=5, surface="home:for_you", **about))
        shown = Event(
            id=f"i{number}",
            time=time,
            kind=EventKind.IMPRESSION,
            request=f"page-{number}",
            impression=answer.impression(),
            **about,
        )
        opened.record([shown])
        clicked = [
            hit.item
            for hit in answer.hits
            if rng.random() < (0.6 if taste_of_item(hit.item) == taste_of_customer(customer) else 0.2)
        ]
        opened.record(
            [
                Event(
                    id=f"c{number}-{item}",
                    time=time + timedelta(seconds=9),
                    kind=EventKind.CLICK,
                    item=item,
                    request=f"page-{number}",
                    **about,
                )
                for item in clicked
            ]
        )
    yield opened
    opened.close()


def asked(shop, **fields):
    events = sorted((event for _, event in shop.store.events.scan(kinds=KINDS, start=SINCE)), key=lambda e: e.time)
    candidate = Replay(settings_of(shop.settings.home, **fields), shop.store, SINCE)
    return estimate(events, candidate, surface="home:for_you", least=10)


def test_what_served_is_worth_what_it_earned(shop):
    found = asked(shop, **EXPLORING)
    assert found.verdict.ok, found.text
    assert found.pages == PAGES
    assert found.estimates["ips"].value == pytest.approx(found.earned[0])
    assert found.estimates["dr"].value == pytest.approx(found.earned[0], rel=0.02)
    assert not found.estimates["ips"].gain.clear


def test_without_exploration_more_would_be_earned(shop):
    found = asked(shop)
    assert found.estimates, found.text
    assert found.estimates["dr"].gain.mean > 0


def test_it_knows_what_was_done_before_a_page_and_nothing_after(shop):
    customer = {"customer": "late", "session": "late-1"}
    page = Impression(items=("x",), positions=(1,), propensities=(0.5,), surface="home:for_you")
    first = Event(
        id="p1", time=SINCE + timedelta(days=1), kind=EventKind.IMPRESSION, request="p1", impression=page, **customer
    )
    second = replace(first, id="p2", request="p2", time=first.time + timedelta(hours=1))
    deeds = [
        Event(id=f"late-{item}", time=first.time + timedelta(minutes=5), kind=EventKind.VIEW, item=item, **customer)
        for item in ("kitchen-00", "kitchen-02", "kitchen-04")
    ]
    shop.record([first, *deeds, second])
    candidate = Replay(settings_of(shop.settings.home), shop.store, SINCE)
    whole = Impression(items=("x",) * 4, positions=(1, 2, 3, 4), propensities=(1.0,) * 4)
    before = candidate(replace(first, impression=whole))
    assert before == candidate(replace(first, impression=whole))  # the same page twice
    after = candidate(replace(second, impression=whole))
    assert after != before
    assert sum(taste_of_item(item) == "kitchen" for place in after for item in place if item) >= 3


def test_a_place_left_to_chance_counts_with_its_chance(shop):
    shown = Impression(items=("x",) * 5, positions=(1, 2, 3, 4, 5), propensities=(1.0,) * 5)
    page = Event(
        id="u",
        time=SINCE + timedelta(days=2),
        kind=EventKind.IMPRESSION,
        request="u",
        session="unknown",
        impression=shown,
    )
    places = Replay(settings_of(shop.settings.home), shop.store, SINCE)(page)
    assert all(sum(place.values()) == pytest.approx(1) for place in places)
    assert [OTHERS in place for place in places] == [False] * 4 + [True]


def test_what_stood_on_the_page_above_is_left_out(shop):
    time, about = SINCE + timedelta(days=3), {"customer": "c01", "session": "c01-home"}
    first = Replay(settings_of(shop.settings.home), shop.store, SINCE)
    whole = Impression(items=("x",) * 4, positions=(1, 2, 3, 4), propensities=(1.0,) * 4, surface="home:for_you")
    alone = Event(id="h0", time=time, kind=EventKind.IMPRESSION, request="h0", impression=whole, **about)
    best = [item for place in first(alone) for item in place]
    left = Impression(items=tuple(best[:2]), positions=(1, 2), propensities=(1.0, 1.0), surface="home:continue")
    below = replace(alone, id="h2", request="h2")
    shop.record([below, replace(alone, id="h1", request="h1", impression=left)])
    again = [item for place in Replay(settings_of(shop.settings.home), shop.store, SINCE)(below) for item in place]
    assert not set(best[:2]) & set(again)
    assert again[:2] == best[2:4]
    far = replace(whole, items=("x",), positions=(500,), propensities=(0.5,))
    assert first(replace(alone, impression=far)) == [{}]  # past the end
