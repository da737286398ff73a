from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import spearmanr

from shopkeeper.errors import InputError
from shopkeeper.practice import Practice, build
from shopkeeper.practice.vocabulary import vocabulary
from shopkeeper.records import Availability, EventKind, PassageKind

TINY = {"products": 400, "customers": 20, "days": 20}


def visible(practice: Practice) -> str:
    return repr((practice.items, practice.customers, practice.events, practice.passages, practice.judgements))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    first, again, other = build(5, **TINY), build(5, **TINY), build(6, **TINY)
    assert visible(first) == visible(again)
    assert first.truth.queries == again.truth.queries
    np.testing.assert_array_equal(first.truth.grades, again.truth.grades)
    assert visible(first) != visible(other)
    assert not {item.id for item in first.items} & {item.id for item in other.items}


@pytest.mark.parametrize("argument", ["products", "customers", "days"])
def test_too_small_a_shop_is_refused_with_the_least_number(argument: str) -> None:
    with pytest.raises(InputError, match=argument):
        build(1, **{**TINY, argument: 3})


def test_every_department_sells_in_both_languages(small: Practice) -> None:
    departments = {kind.range.department for kind in vocabulary().types}
    sold = Counter(item.category[0] for item in small.items)
    assert len(departments) == 12
    assert all(sold[english] and sold[chinese] for english, chinese in departments)
    share = np.mean([item.language == "zh" for item in small.items])
    assert 0.35 < share < 0.65


def test_every_product_type_occurs(small: Practice) -> None:
    assert set(small.truth.behaviour.goods.type) == set(range(len(vocabulary().types)))


def test_there_are_variants_hidden_sold_out_and_new_items() -> None:
    practice = build(7, products=1200, customers=10, days=20)
    groups = Counter(item.group for item in practice.items if item.group)
    assert groups
    assert min(groups.values()) >= 2
    start = practice.events[0].time
    assert any(item.hidden for item in practice.items)
    assert any(item.availability is Availability.OUT_OF_STOCK for item in practice.items)
    assert 0.1 < np.mean([item.created > start for item in practice.items if item.created]) < 0.3


def test_texts_hold_no_unfilled_holes(small: Practice) -> None:
    for text in [*(item.text for item in small.items), *(passage.text for passage in small.passages)]:
        assert text.strip()
        assert "{" not in text
        assert "None" not in text


def test_ids_and_row_order_tell_nothing(small: Practice) -> None:
    goods = small.truth.behaviour.goods
    bought = Counter(event.item for event in small.events if event.kind is EventKind.VIEW)
    facts = {
        "type": goods.type, "language": goods.language, "brand": goods.brand, "price": goods.price,
        "quality": goods.quality, "charm": goods.charm, "created": goods.created, "group": goods.group,
        "views": np.array([bought[item] for item in goods.ids]),
    }  # fmt: skip
    assert [item.id for item in small.items] == sorted(item.id for item in small.items)
    place = np.arange(len(goods.ids))
    for name, values in facts.items():
        assert abs(spearmanr(place, values).statistic) < 0.17, name


def test_no_truth_is_written_into_what_the_shop_sees(small: Practice) -> None:
    names = {name for pair in vocabulary().names.values() for name in pair}
    for item in small.items:
        assert set(item.attributes) <= names
    assert all(not customer.attributes for customer in small.customers)


def test_events_are_ordered_and_every_reaction_follows_what_was_shown(small: Practice) -> None:
    shown: dict[str, tuple[str, ...]] = {}
    viewed: set[tuple[str, str]] = set()
    carted: set[tuple[str, str]] = set()
    assert [event.time for event in small.events] == sorted(event.time for event in small.events)
    assert len({event.id for event in small.events}) == len(small.events)
    for event in small.events:
        if event.kind is EventKind.IMPRESSION:
            assert event.impression is not None
            shown[event.request] = event.impression.items
        elif event.kind is EventKind.CLICK:
            assert event.item in shown[event.request]
        elif event.kind is EventKind.VIEW:
            viewed.add((event.session, event.item))
        elif event.kind is EventKind.CART:
            assert (event.session, event.item) in viewed
            carted.add((event.session, event.item))
        elif event.kind is EventKind.PURCHASE:
            assert (event.session, event.item) in carted
            assert event.value
            assert event.value > 0


def test_nothing_is_shown_or_bought_before_it_exists_or_while_it_is_sold_out_or_hidden(small: Practice) -> None:
    behaviour = small.truth.behaviour
    row = {key: number for number, key in enumerate(behaviour.goods.ids)}
    for event in small.events:
        items = (
            event.impression.items if event.impression else (event.item,) if event.kind is EventKind.PURCHASE else ()
        )
        allowed = behaviour.goods.on_sale(behaviour.day(event.time) - 1e-4)
        assert all(allowed[row[item]] for item in items), event


def test_sessions_belong_to_one_customer_and_end_the_same_day(small: Practice) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    times: dict[str, list[float]] = defaultdict(list)
    for event in small.events:
        if event.session:
            owners[event.session].add(event.customer)
            times[event.session].append(event.time.timestamp())
    assert all(len(found) == 1 for found in owners.values())
    assert max(max(found) - min(found) for found in times.values()) < timedelta(hours=3).total_seconds()


def test_returns_and_reviews_come_after_the_purchase(small: Practice) -> None:
    bought: set[tuple[str, str]] = set()
    for event in small.events:
        if event.kind is EventKind.PURCHASE:
            bought.add((event.customer, event.item))
        elif event.kind in (EventKind.RETURN, EventKind.REVIEW):
            assert (event.customer, event.item) in bought


def test_the_words_of_reviews_match_their_stars() -> None:
    practice = build(11, products=500, customers=500, days=60)
    words = vocabulary()
    aspects = [*words.aspects, *(aspect for kind in words.types for aspect in kind.range.aspects)]
    good = {text.lower() for aspect in aspects for side in aspect.good for text in side}
    bad = {text.lower() for aspect in aspects for side in aspect.bad for text in side}
    reviews = [passage for passage in practice.passages if passage.kind is PassageKind.REVIEW]
    stars = [passage.rating for passage in reviews]
    tone = [
        sum(text in passage.text.lower() for text in good) - sum(text in passage.text.lower() for text in bad)
        for passage in reviews
    ]
    assert len(reviews) > 80
    assert {1.0, 3.0, 5.0} <= set(stars)
    assert spearmanr(stars, tone).statistic > 0.5
