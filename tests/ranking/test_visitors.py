from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shopkeeper.ranking.visits.visitors import NAMES, traces
from shopkeeper.ranking.visits.visits import visitor_of, visits
from shopkeeper.records import Event, EventKind, Impression

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SHELVES = {f"i{n}": ("Shop", "AB"[n % 2]) for n in range(20)}


def event(n, second, kind=EventKind.VIEW, item="i0", customer="c", **more):
    return Event(id=f"e{n}", time=START + timedelta(seconds=second), kind=kind, item=item, customer=customer, **more)


def column(found, name, visitor="c"):
    return found.table[found.names.index(visitor), NAMES.index(name)]


def of(events, shelves=SHELVES):
    return traces(visits(events), shelves)


def test_who_a_visitor_is():
    assert visitor_of(event(0, 0)) == "c"
    assert visitor_of(event(0, 0, customer="", session="s", properties={"device": "d"})) == "device:d"
    assert visitor_of(event(0, 0, customer="", session="s")) == "session:s"
    assert visitor_of(event(0, 0, customer="")) == ""


def test_unnamed_sessions_of_a_device_are_remembered_and_nobodys_events_are_left_out():
    log = visits(
        [
            event(0, 0, customer="", session="s1", properties={"device": "d"}),
            event(1, 1, customer="", session="s2", properties={"device": "d"}),
            event(2, 2, customer="c", session="s3", properties={"device": "d"}),
            event(3, 3, customer=""),
        ]
    )
    assert dict(zip(log.names, log.sessions, strict=True)) == {"device:d": {"s1", "s2"}, "c": set()}
    assert len(log.time) == 3


def test_an_event_that_is_sent_twice_counts_once():
    events = [event(n, 10 * n) for n in range(5)]
    assert np.array_equal(of(events).table, of(events + events).table)


def test_a_clock_is_regular_and_a_human_is_not():
    rng = np.random.default_rng(0)
    clock = [event(n, 5.0 * n) for n in range(60)]
    human = [event(100 + n, at, customer="h") for n, at in enumerate(np.cumsum(rng.gamma(1.5, 20.0, 60)))]
    found = of(clock + human)
    assert column(found, "regular") > 0.8
    assert column(found, "regular", "h") < 0.4
    assert column(found, "monotone") > 0.8
    assert column(found, "monotone", "h") < 0.4
    # 59 gaps of five seconds are twelve requests a minute
    assert column(found, "rate") == pytest.approx(np.log1p(12) * 59 / 67)


def test_coming_back_every_six_hours_shows():
    events = [event(n, 21_600 * n) for n in range(30)]
    rng = np.random.default_rng(1)
    events += [event(100 + n, at, customer="h") for n, at in enumerate(np.cumsum(rng.exponential(40_000, 30) + 2_000))]
    found = of(events)
    assert column(found, "returns") == pytest.approx(29 / 37)
    assert column(found, "returns", "h") < 0.3


def test_views_that_nothing_led_to_are_bare():
    page = Impression(items=("i1", "i2"), positions=(1, 2), propensities=(1.0, 1.0))
    honest = []
    for number, who in enumerate(("c", "d", "e")):
        honest.append(event(1_000 + number, 0, EventKind.IMPRESSION, "", customer=who, impression=page))
        for n, item in enumerate(("i1", "i2")):
            honest += [
                event(100 * number + n + 10, 20 * n + 5, EventKind.CLICK, item, customer=who),
                event(100 * number + n + 20, 20 * n + 6, EventKind.VIEW, item, customer=who),
            ]
    robot = [event(30 + n, 10 * n, EventKind.VIEW, f"i{n}", customer="r") for n in range(16)]
    late = [
        event(50, 0, EventKind.CLICK, "i3", customer="late"),
        event(51, 4_000, EventKind.VIEW, "i3", customer="late"),
    ]
    found = of(honest + robot + late)
    assert column(found, "bare") < column(found, "bare", "late") < column(found, "bare", "r")
    assert column(found, "unshown") < column(found, "unshown", "r")


def test_whole_shelves_count_and_half_ones_do_not():
    every = [event(n, 10 * n, item=f"i{2 * n}") for n in range(10)]
    some = [event(20 + n, 10 * n, item=f"i{n}", customer="h") for n in range(8)]
    found = of(every + some)
    assert column(found, "shelves") == pytest.approx(np.log1p(10))
    assert column(found, "shelves", "h") == 0


def test_clicks_on_ads_are_judged_by_the_binomial_law():
    page = Impression(items=("i1",), positions=(1,), propensities=(1.0,))
    events = []
    for n in range(40):
        events += [event(n, 60 * n, EventKind.AD_IMPRESSION, "", customer=f"h{n % 10}", impression=page)]
    for n in range(5):
        events += [
            event(100 + n, 60 * n, EventKind.AD_IMPRESSION, "", impression=page),
            event(200 + n, 60 * n + 1, EventKind.AD_CLICK, "i1", properties={"campaign": "k"}),
        ]
    found = of(events)
    usual = (10 * 0.5 / 5 + 5.5 / 6) / 11
    assert column(found, "ad_clicks") == pytest.approx(-np.log10(stats.binom.sf(4, 5, usual)))
    assert column(found, "one_campaign") == pytest.approx(np.log1p(5))
    assert column(found, "ad_clicks", "h1") == 0


def test_a_basket_filled_again_and_again_is_hoarding_unless_it_is_bought():
    carts = [event(n, 10 * n, EventKind.CART, "i1") for n in range(6)]
    buyer = [event(20 + n, 10 * n, EventKind.CART, "i1", customer="b") for n in range(6)]
    buyer.append(event(30, 90, EventKind.PURCHASE, "i1", customer="b"))
    found = of(carts + buyer)
    assert column(found, "hoarding") == pytest.approx(np.log1p(6))
    assert column(found, "hoarding", "b") == 0


def test_most_events_within_a_minute():
    events = [event(n, at) for n, at in enumerate([0, 1, 2, 70, 71, 72, 73, 4_000])]
    assert column(of(events), "burst") == pytest.approx(np.log1p(4))


def test_an_empty_log_and_a_log_of_one_event():
    assert of([]).table.shape == (0, len(NAMES))
    assert np.isfinite(of([event(0, 0)]).table).all()
    assert np.isfinite(of([event(0, 0)], {}).table).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ""]),
            st.sampled_from(list(EventKind)),
            st.integers(0, 19),
            st.floats(-1e6, 1e6),
        ),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_order_of_arrival_and_names_of_items_do_not_matter(rows, random):
    events = [
        event(n, second, kind, f"i{item}", customer=who, session="s")
        for n, (who, kind, item, second) in enumerate(rows)
    ]
    found = of(events)
    assert np.isfinite(found.table).all()
    mixed = events[:]
    random.shuffle(mixed)
    renamed = [replace(one, item=one.item[::-1]) for one in mixed]
    again = of(renamed, {name[::-1]: path for name, path in SHELVES.items()})
    for name in found.names:
        row = again.table[again.names.index(name)]
        assert row == pytest.approx(found.table[found.names.index(name)])
