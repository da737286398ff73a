from datetime import timedelta

import numpy as np
import pytest
from toyshop import START, toy_events, toy_items, toy_store

from shopkeeper.ranking.visits.visits import visits
from shopkeeper.records import Event, EventKind
from shopkeeper.tasks.guard.visitor_check import (
    PERSON,
    ROBOT,
    TASK,
    answers,
    check,
    flagged,
    propose,
    refunds,
    upper_tails,
)

SHELVES = {item.id: item.category for item in toy_items()}


def robot_events():
    """A scraper under no name, two sessions of one device; and a customer who clicks one campaign away."""
    scraper = [
        Event(
            id=f"robot-{n}",
            time=START + timedelta(days=3, seconds=2 * n),
            kind=EventKind.VIEW,
            item=f"{'garden' if n % 2 else 'kitchen'}-{n // 2 % 18:02d}",
            session=f"r{n // 40}",
            properties={"device": "d"},
        )
        for n in range(80)
    ]
    clicker = [
        Event(
            id=f"click-{n}",
            time=START + timedelta(days=4 + n % 3, seconds=17 * n * n),
            kind=EventKind.AD_CLICK,
            item="garden-02",
            customer="rival",
            session=f"k{n}",
            value=0.5 if n else None,
            properties={"campaign": "spring"},
        )
        for n in range(12)
    ]
    shown = [
        Event(
            id=f"honest-{n}",
            time=START + timedelta(days=n % 50, seconds=n),
            kind=EventKind.AD_CLICK,
            item="garden-02",
            customer=f"c{n:02d}",
            value=0.5,
            properties={"campaign": "spring"},
        )
        for n in range(3)
    ]
    return scraper, clicker, shown


@pytest.fixture(scope="module")
def events():
    scraper, clicker, shown = robot_events()
    return [*toy_events(), *scraper, *clicker, *shown]


@pytest.fixture(scope="module")
def found(events):
    return check(visits(events), SHELVES)


def test_robots_come_first_and_say_why(found):
    first = found.suspects[0]
    assert first.visitor == "device:d"
    assert {"clockwork", "bare"} <= set(first.rules)
    assert first.sessions == {"r0", "r1"}
    assert "80 events" in first.text["en"]
    assert "80次操作" in first.text["zh"]
    assert np.all((found.score >= 0) & (found.score <= 1))


def test_flagged_are_sessions_of_the_unnamed_and_a_humans_word_counts_more(found):
    assert {"session:r0", "session:r1"} <= flagged(found)
    assert not {"session:r0", "session:r1"} & flagged(found, {"device:d": PERSON})
    assert "rival" in flagged(found, {"rival": ROBOT})
    everybody = flagged(found, {}, least=0.0)
    assert "c00" in everybody


def test_charged_clicks_of_flagged_visitors_are_refunded(events):
    back = refunds(events, ["rival"])
    assert [refund.click for refund in back] == sorted(
        (f"click-{n}" for n in range(1, 12)), key=lambda name: next(e.time for e in events if e.id == name)
    )
    assert {refund.campaign for refund in back} == {"spring"}
    assert sum(refund.amount for refund in back) == pytest.approx(5.5)
    assert refunds(events, []) == []


def test_the_queue_asks_and_what_humans_say_is_kept(found, tmp_path):
    store = toy_store(tmp_path)
    try:
        assert propose(store.labels, found).added == len(found.suspects)
        first = store.labels.pending(TASK, 1)[0]
        assert (first.subject, first.proposal, first.customer) == ("device:d", ROBOT, "")
        store.labels.decide(TASK, "device:d", PERSON)
        propose(store.labels, found)
        assert answers(store.labels) == {"device:d": PERSON}
        assert all(decision.subject != "device:d" for decision in store.labels.pending(TASK, 500))
        named = [decision for decision in store.labels.pending(TASK, 500) if decision.subject == "c00"]
        assert all(decision.customer == "c00" for decision in named)
    finally:
        store.close()


def test_answers_teach_what_no_rule_says(events):
    log = visits(events)
    plain = check(log, SHELVES)
    garden = {
        name: ROBOT if int(name[1:]) < 20 else PERSON for name in log.names if name[0] == "c" and name[1:].isdigit()
    }
    rows = np.array([log.names.index(name) for name in garden])
    robot = np.array([label == ROBOT for label in garden.values()])
    taught = check(log, SHELVES, garden)
    gap = [score[rows][robot].mean() - score[rows][~robot].mean() for score in (plain.score, taught.score)]
    assert gap[1] > gap[0]
    few = dict(list(garden.items())[:4])
    assert np.array_equal(check(log, SHELVES, few).score, plain.score)


def test_nobody_and_one_visitor():
    assert check(visits([]), {}).suspects == []
    one = check(visits(toy_events()[:1]), {})
    assert flagged(one) == frozenset()
    assert len(one.score) == 1


def test_tails_are_logs_of_the_share_that_is_as_high():
    table = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    assert upper_tails(table)[:, 0] == pytest.approx(-np.log([1, 0.75, 0.5, 0.5]))
    assert np.all(upper_tails(table)[:, 1] == 0)
