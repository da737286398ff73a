"""A shop's event log, read and asked what another policy would earn."""

import doctest
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shopkeeper.errors import InputError
from shopkeeper.evaluation import offpolicy_report
from shopkeeper.evaluation.offpolicy_log import logged, read_pages, replayed
from shopkeeper.evaluation.offpolicy_report import estimate
from shopkeeper.ranking.pages.drawing import Evenly
from shopkeeper.ranking.pages.exploration import Explorer
from shopkeeper.records import Answer, Event, EventKind, Hit, Impression

START = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = [f"item-{n}" for n in range(12)]
WORTH = dict(zip(ITEMS, [0.3, 0.28, 0.26, 0.1, 0.08, 0.06, 0.05, 0.05, 0.6, 0.05, 0.05, 0.05], strict=True))
"""item-8 is the best, and the ranking that served did not know."""
LOOKED = [1.0, 0.8, 0.6, 0.5]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(offpolicy_report).failed == 0


def shop(pages, seed=0, chance=0.5):
    """A log of pages of four, explored by the shop's own explorer."""
    rng = np.random.default_rng(seed)
    explorer = Explorer(Evenly(), chance=chance, share=0.25, clicks_a_day=1e9, seed=seed)
    ranked, looks = np.arange(12), np.r_[np.full(8, 1000.0), np.zeros(4)]
    events = []
    for n in range(pages):
        time, request = START + timedelta(minutes=n), f"r{seed}-{n}"
        page = explorer.page(request, time, ranked, looks * 0.1, looks, 4)
        names = tuple(ITEMS[row] for row in page.rows)
        shown = Impression(items=names, positions=(1, 2, 3, 4), propensities=tuple(page.propensities), surface="home")
        about = {"time": time, "session": f"s{n // 3}", "request": request}
        events.append(Event(id=f"i{n}", kind=EventKind.IMPRESSION, impression=shown, **about))
        for item, looked in zip(names, LOOKED, strict=True):
            if rng.random() < WORTH[item] * looked:
                events.append(Event(id=f"c{n}{item}", kind=EventKind.CLICK, item=item, **about))
    return events


def fixed(*items):
    return lambda event: [{item: 1.0} for item in items]


def worth(*items):
    return sum(WORTH[item] * looked for item, looked in zip(items, LOOKED, strict=True))


BETTER = ("item-0", "item-1", "item-2", "item-8")


def test_a_better_page_is_recognised_before_it_is_shown():
    found = estimate(shop(5000), fixed(*BETTER), surface="home")
    assert found.verdict.ok, found.verdict.text
    assert found.pages == 5000
    for name in ("ips", "snips", "dr"):
        one = found.estimates[name]
        assert one.value == pytest.approx(worth(*BETTER), rel=0.1)
        assert one.low < worth(*BETTER) < one.high
        assert one.gain.clear
        assert one.gain.mean == pytest.approx(one.value - found.earned[0])
    assert found.earned[1] < found.earned[0] < found.earned[2]
    assert "The difference is +" in found.text["en"]
    assert "差异为 +" in found.text["zh"]


def test_no_change_is_no_gain():
    looks = np.r_[np.full(8, 1000.0), np.zeros(4)]
    explorer = Explorer(Evenly(), chance=0.5, share=0.25, clicks_a_day=1e9)
    page = explorer.page("any", START, np.arange(12), looks * 0.1, looks, 4)
    served = [
        {ITEMS[row]: chance for row, chance in zip(page.candidates, column, strict=True)} for column in page.policy.T
    ]
    found = estimate(shop(2000), lambda event: served)
    assert found.estimates["ips"].value == pytest.approx(found.earned[0])
    assert found.estimates["dr"].value == pytest.approx(found.earned[0], rel=0.02)
    assert not found.estimates["dr"].gain.clear
    assert "may be luck" in found.text["en"]


def test_what_was_never_shown_cannot_be_judged():
    for events, policy in [
        (shop(2000), fixed("item-8", "item-0", "item-1", "item-2")),
        (shop(2000, chance=0.0), fixed(*BETTER)),
        ([], fixed(*BETTER)),
        (shop(40), fixed(*BETTER)),
    ]:
        found = estimate(events, policy)
        assert not found.verdict.ok
        assert found.estimates == {}
        assert found.text["en"]
        assert found.text["zh"]


def test_pages_are_read_once_with_their_clicks():
    shown = Impression(items=("a", "b"), positions=(1, 2), propensities=(0.5, 1.0), surface="home")
    about = {"time": START, "session": "s"}
    page = Event(id="1", kind=EventKind.IMPRESSION, request="r", impression=shown, **about)
    events = [
        Event(id="0", kind=EventKind.CART, request="r", item="b", **about),
        page,
        Event(id="2", kind=EventKind.IMPRESSION, request="r", impression=shown, **about),
        Event(id="3", kind=EventKind.IMPRESSION, impression=shown, **about),
        Event(id="4", kind=EventKind.CLICK, item="a", **about),
        Event(id="5", kind=EventKind.CLICK, item="a", request="other", **about),
        Event(id="6", kind=EventKind.DISMISS, item="a", request="r", **about),
    ]
    found = read_pages(events)
    assert [(one.event.id, one.clicked) for one in found] == [("1", {"b"})]
    assert read_pages(events, "search") == []
    log = logged(found, lambda event: [{"a": 0.25, "c": 0.75}, {}])
    assert log.reward.tolist() == [0, 1]
    assert log.logging.tolist() == [0.5, 1.0]
    assert log.new.tolist() == [0.25, 0.0]
    crawl = [
        Event(id=f"x{n}", kind=EventKind.IMPRESSION, request=f"x{n}", impression=shown, time=START, session="robot")
        for n in range(201)
    ]
    assert len(read_pages([*crawl, page])) == 1


def test_an_item_twice_on_a_page_is_clicked_once():
    shown = Impression(items=("a", "a"), positions=(1, 2), propensities=(0.5, 0.5))
    events = [
        Event(id="1", kind=EventKind.IMPRESSION, request="r", impression=shown, time=START),
        Event(id="2", kind=EventKind.CLICK, request="r", item="a", time=START),
    ]
    assert logged(read_pages(events), fixed("a", "a")).reward.tolist() == [1, 0]


def test_requests_are_replayed_as_they_were_asked():
    asked = []

    def answer(request):
        asked.append(request)
        return Answer(request=request, hits=(Hit(item="x", score=1.0), Hit(item="y", score=0.5)), total=2)

    shown = Impression(items=("a", "b", "c"), positions=(5, 6, 7), propensities=(1.0,) * 3, surface="basket")
    event = Event(id="1", kind=EventKind.IMPRESSION, time=START, customer="c", session="s", item="focus", query="q", request="r", impression=shown)  # fmt: skip
    assert replayed(answer)(event) == [{"x": 1.0}, {"y": 1.0}, {}]
    (request,) = asked
    assert (request.offset, request.limit, request.surface, request.items) == (4, 3, "basket", ("focus",))
    assert (request.id, request.time, request.customer, request.session, request.query) == ("r", START, "c", "s", "q")


@pytest.mark.parametrize(
    "policy", [fixed("a"), lambda event: [{"a": 0.7, "b": 0.7}] * 4, lambda event: [{"a": -0.1}] * 4]
)
def test_policies_that_are_none_are_refused(policy):
    with pytest.raises(InputError, match="request r0-0"):
        estimate(shop(3), policy)
