"""Payments of a log: lines added up, replays counted once, decisions as labels, and clear errors."""

from datetime import timedelta

import pytest
from paylog import START, purchase

from shopkeeper.errors import InputError
from shopkeeper.ranking.payments.columns import NEVER, payment_of, read_payments
from shopkeeper.records import Decision, Event, EventKind


def test_lines_of_a_payment_are_added_up_and_replays_count_once():
    lines = [
        purchase(1, 1, 10.0, item="kettle", payment="p", terminal="t1"),
        purchase(2, 2, 30.0, item="rake", payment="p", device="d1"),
    ]
    found = payment_of([*lines, lines[0]])
    assert (found.id, found.amount, found.item) == ("p", 40.0, "rake")
    assert found.time == int((START + timedelta(hours=1)).timestamp())
    assert found.counterparts == {"terminal": "t1", "device": "d1"}
    log = read_payments([*lines, lines[0], lines[1]])
    assert len(log) == 1
    assert log.amount.tolist() == [40.0]
    assert set(log.counterparts) == {"terminal", "device"}


def test_the_log_is_ordered_and_what_is_no_payment_is_passed_over():
    events = [
        purchase(1, 5, 10.0, customer="b"),
        purchase(2, 1, 20.0, customer="a", terminal="t"),
        purchase(3, 2, None),
        purchase(4, 2, -1.0),
        Event(id="v", time=START, kind=EventKind.VIEW, item="x", value=3.0),
    ]
    log = read_payments(events)
    assert log.ids == ("e2", "e1")
    assert log.counterparts["terminal"].tolist() == [0, -1]
    assert log.names["customer"] == {"a": 0, "b": 1}
    assert log.take(log.time.argsort()[1:]).ids == ("e1",)


def test_decisions_and_imported_labels_become_known():
    events = [purchase(n, n, 10.0 + n, payment=f"p{n}") for n in range(3)] + [purchase(9, 9, 5.0, fraud=True)]
    late = START + timedelta(days=3)
    decisions = [
        Decision(task="fraud", subject="p1", text="", label="fraud", time=late),
        Decision(task="fraud", subject="p2", text="", label="genuine", time=late),
        Decision(task="fraud", subject="p0", text="", label="maybe", time=late),
    ]
    log = read_payments(events, decisions)
    assert log.fraud.tolist() == [-1, 1, 0, 1]
    assert log.known.tolist()[:3] == [NEVER, int(late.timestamp()), int(late.timestamp())]
    assert log.known[3] == log.time[3]


def test_medians_are_by_currency_and_currencies_are_payments_of_their_own():
    events = [purchase(1, 1, 10.0, payment="p", currency="eur"), purchase(2, 1, 1500.0, payment="p", currency="JPY")]
    assert read_payments(events).medians() == {"EUR": 10.0, "JPY": 1500.0}
    with pytest.raises(InputError, match="differ in payment, customer or currency"):
        payment_of(events)


@pytest.mark.parametrize("value", [None, -3.0, float("nan"), float("inf")])
def test_a_payment_without_a_sound_amount_is_refused(value):
    with pytest.raises(InputError, match=r"e1.*is none"):
        payment_of([purchase(1, 1, value)])


def test_views_and_nothing_are_no_payments():
    with pytest.raises(InputError, match="view is no payment"):
        payment_of([Event(id="v", time=START, kind=EventKind.VIEW, item="x", value=3.0)])
    with pytest.raises(InputError, match="no lines"):
        payment_of([])
    log = read_payments([purchase(1, 1, 1.0), purchase(2, 2, 1.0)])
    with pytest.raises(InputError, match="ordered by time"):
        log.take(log.time.argsort()[::-1])
