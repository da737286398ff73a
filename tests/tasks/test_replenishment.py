"""Buying again: what is due by the shop's rhythm and by the customer's own."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from shopkeeper.records import Event, EventKind
from shopkeeper.tasks.recommend.replenishment import Replenishment

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def bought(customer, item, *days, kind=EventKind.PURCHASE):
    return [
        Event(
            id=f"{customer}-{item}-{day}-{kind}",
            time=START + timedelta(days=day),
            kind=kind,
            customer=customer,
            item=item,
        )
        for day in days
    ]


def learnt(*purchases):
    rows = [(event.customer, event.item, event.time) for events in purchases for event in events]
    schema = {"customer": pl.String, "item": pl.String, "time": pl.Datetime("us", "UTC")}
    return Replenishment(pl.DataFrame(rows, schema=schema, orient="row"))


@pytest.fixture
def shop():
    """Coffee is bought every ten days by all, a kettle by everybody once."""
    return learnt(
        *(bought(f"c{n}", "coffee", 0, 10, 20) for n in range(20)), *(bought(f"c{n}", "kettle", n) for n in range(40))
    )


def due(shop, past, day):
    return shop.due(past, START + timedelta(days=day))


@pytest.mark.parametrize(
    ("day", "wanted"), [(1, []), (7, []), (8, ["coffee"]), (10, ["coffee"]), (29, ["coffee"]), (31, [])]
)
def test_it_is_due_around_the_usual_gap(shop, day, wanted):
    assert due(shop, bought("new", "coffee", 0), day) == wanted


def test_what_is_bought_once_is_never_due(shop):
    assert due(shop, bought("new", "kettle", 0), 10) == []


def test_a_customer_with_a_rhythm_of_their_own_is_believed(shop):
    slow = bought("slow", "coffee", 0, 40, 80, 120)
    assert due(shop, slow, 130) == []
    assert due(shop, slow, 155) == ["coffee"]
    assert due(shop, bought("odd", "kettle", 0, 30, 60), 90) == ["kettle"]


def test_what_was_returned_is_not_wanted(shop):
    returned = bought("new", "coffee", 0) + bought("new", "coffee", 2, kind=EventKind.RETURN)
    assert due(shop, returned, 10) == []


def test_the_likeliest_stand_first():
    shop = learnt(
        *(bought(f"c{n}", "coffee", 0, 10) for n in range(20)),
        *(bought(f"c{n}", "tea", 0, 10) for n in range(10)),
        *(bought(f"d{n}", "tea", 0) for n in range(10)),
    )
    assert due(shop, bought("new", "tea", 0) + bought("new", "coffee", 0), 10) == ["coffee", "tea"]


def test_several_on_a_day_are_one_and_the_nameless_teach_nothing():
    shop = learnt(bought("a", "lamp", 0, 0.1, 0.2), bought("", "lamp", 0, 5, 10))
    assert due(shop, bought("a", "lamp", 0, 0.1, 0.2), 1) == []


def test_an_empty_log_has_nothing_due():
    assert due(learnt(), bought("a", "lamp", 0), 10) == []
    assert due(learnt(), [], 10) == []
