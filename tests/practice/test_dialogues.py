from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from shopkeeper.practice import Practice
from shopkeeper.practice.dialogues import lines_of
from shopkeeper.practice.orders import orders_of
from shopkeeper.practice.service import PER_LANGUAGE, cases
from shopkeeper.practice.shop import START
from shopkeeper.records import EventKind, PassageKind
from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.assist.terms import Terms


def test_every_purchase_stands_in_one_order_of_its_customer(small: Practice) -> None:
    bought = Counter((e.customer, e.item, e.quantity) for e in small.events if e.kind is EventKind.PURCHASE)
    ordered = Counter((o.customer, line.item, line.quantity) for o in small.orders for line in o.lines)
    assert bought == ordered
    assert len({order.id for order in small.orders}) == len(small.orders)


def test_orders_follow_from_log_and_seed_and_their_times_fit(small: Practice) -> None:
    end = START + timedelta(days=40)
    assert small.orders == orders_of(small.events, end, small.seed)
    for order in small.orders:
        assert order.placed < end
        travelled = order.status not in (OrderStatus.PLACED, OrderStatus.PACKED)
        assert bool(order.carrier) == bool(order.tracking) == travelled
        assert (order.delivered is not None) == (
            order.status in (OrderStatus.DELIVERED, OrderStatus.RETURNING, OrderStatus.RETURNED)
        )
        if order.delivered is not None:
            assert order.placed < order.delivered < end
    statuses = Counter(order.status for order in small.orders)
    assert statuses[OrderStatus.DELIVERED] > 0.8 * len(small.orders)


def test_policies_and_past_dialogues_are_in_the_shop(small: Practice) -> None:
    kinds = Counter((passage.kind, passage.language) for passage in small.passages)
    for language in ("en", "zh"):
        assert kinds[PassageKind.POLICY, language] == 18
        assert kinds[PassageKind.DIALOGUE, language] == 32
    assert not any(p.customer for p in small.passages if p.kind is PassageKind.DIALOGUE)
    assert f"{Terms().return_days} days" in next(p.text for p in small.passages if p.id == "policy-en-3")


@pytest.mark.parametrize("split", ["dev", "test"])
def test_there_are_300_dialogues_half_of_them_chinese(small: Practice, split: str) -> None:
    made = cases(small, split)
    assert Counter(case.language for case in made) == {"en": PER_LANGUAGE, "zh": PER_LANGUAGE}
    assert len({case.id for case in made}) == len(made)
    assert made == cases(small, split)
    for case in made:
        assert all(step.text and "{" not in step.text for step in case.steps)
        assert all(order.customer == case.customer for order in case.orders)
        assert not any(step.does for step in case.steps) or case.orders


def test_the_two_halves_share_no_phrasing() -> None:
    dev, test = lines_of("service_dev"), lines_of("service_test")
    for language in ("en", "zh"):
        own = [set(_lines(half[language])) for half in (dev, test)]
        assert not own[0] & own[1]
        past = {line.split("|")[0] for line in lines_of("past_dialogues")[language]}
        assert not past & (own[0] | own[1])


def _lines(table: dict) -> list[str]:  # type: ignore[type-arg]
    found = []
    for value in table.values():
        found += [line for lines in value.values() for line in lines] if isinstance(value, dict) else value
    return [line.casefold() for line in found]
