"""Variants compared from the log: who saw what, what they did next, and how sure that is."""

from datetime import UTC, datetime, timedelta

import pytest

from shopkeeper.evaluation.copy_report import copy_reports, difference, rate
from shopkeeper.records import Event, EventKind
from shopkeeper.store.database import open_store
from shopkeeper.tasks.write.desk import Published, stamp

START = datetime(2026, 5, 1, tzinfo=UTC)


def shown(variant, item="rake"):
    return stamp(
        [
            Published(
                subject=f"{item}/title/en/{variant}", item=item, kind="title", language="en", variant=variant, text="x"
            )
        ]
    )


@pytest.fixture
def log(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    events, numbers = [], iter(range(10_000))

    def add(kind, session, minute, item="rake", **more):
        time = START + timedelta(minutes=minute)
        events.append(Event(id=f"e{next(numbers)}", time=time, kind=kind, session=session, item=item, **more))

    for n in range(100):
        variant = "a" if n % 2 else "b"
        add(EventKind.IMPRESSION, f"s{n}", n, properties=shown(variant))
        add(EventKind.IMPRESSION, f"s{n}", n + 0.1, properties=shown(variant))  # twice is once
        if n % 2 and n < 60:
            add(EventKind.CLICK, f"s{n}", n + 1)
            add(EventKind.CLICK, f"s{n}", n + 2)
        if not n % 2 and n < 10:
            add(EventKind.CLICK, f"s{n}", n + 1)
            add(EventKind.PURCHASE, f"s{n}", n + 3)
        add(EventKind.CLICK, f"s{n}", n + 1, item="other")
    add(EventKind.CLICK, "s99", 0)  # before it was shown
    add(EventKind.CLICK, "s98", 98 + 8 * 24 * 60)  # too late
    add(EventKind.VIEW, "", 1, properties=shown("a"))  # nobody
    store.events.append(events)
    yield store.events
    store.close()


def test_visitors_clicks_and_orders_are_counted_once_each(log):
    (report,) = copy_reports(log)
    assert (report.item, report.kind, report.language) == ("rake", "title", "en")
    a, b = report.variants
    assert (a.visitors, a.clicks, a.orders) == (50, 30, 0)
    assert (b.visitors, b.clicks, b.orders) == (50, 5, 5)
    assert a.click_rate[0] == 0.6
    assert a.click_rate[1] == pytest.approx((0.4618, 0.7239), abs=1e-3)
    gain, (low, high) = a.more_clicks
    assert gain == pytest.approx(0.5)
    assert 0 < low < gain < high
    assert b.more_clicks[0] == -gain


def test_a_deed_counts_for_what_was_shown_last_and_a_period_is_kept(log):
    log.append([
        Event(id="x1", time=START, kind=EventKind.VIEW, session="z", item="pan", properties=shown("a", "pan")),
        Event(id="x2", time=START + timedelta(hours=1), kind=EventKind.VIEW, session="z", item="pan", properties=shown("b", "pan")),
        Event(id="x3", time=START + timedelta(hours=2), kind=EventKind.CART, session="z", item="pan"),
    ])  # fmt: skip
    pan = next(report for report in copy_reports(log) if report.item == "pan")
    assert [(one.variant, one.orders) for one in pan.variants] == [("a", 0), ("b", 1)]
    assert copy_reports(log, START + timedelta(days=30)) == []
    assert [one.item for one in copy_reports(log, START, START + timedelta(minutes=1))] == ["pan", "rake"]


def test_known_intervals():
    assert rate(0, 0) == (0.0, (0.0, 1.0))
    assert rate(81, 263)[1] == pytest.approx((0.2553, 0.3662), abs=1e-3)  # Newcombe 1998
    assert difference(9, 10, 3, 10)[1] == pytest.approx((0.1705, 0.8090), abs=1e-3)  # Newcombe 1998, method 10
