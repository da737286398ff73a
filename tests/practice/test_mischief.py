from collections import Counter

import pytest

from shopkeeper.errors import InputError
from shopkeeper.practice.mischief import GOODS, VISITORS, plant
from shopkeeper.ranking.visits.visits import visitor_of
from shopkeeper.records import EventKind
from shopkeeper.store.database import open_store


@pytest.fixture(scope="module")
def spoilt(small):
    return plant(small, 5, share=0.02)


def test_the_shop_itself_stays_as_it_was_and_the_same_seed_plants_the_same(small, spoilt):
    before = (small.items, small.events, small.passages, small.customers)
    again = plant(small, 5, share=0.02)
    assert again[1] == spoilt[1]
    assert again[0].events == spoilt[0].events
    assert again[0].items == spoilt[0].items
    assert before == (small.items, small.events, small.passages, small.customers)
    assert plant(small, 6, share=0.02)[0].events != spoilt[0].events


def test_every_kind_is_planted_and_named_after_something_that_is_there(spoilt):
    shop, truth = spoilt
    items = {item.id for item in shop.items}
    visitors = {visitor_of(event) for event in shop.events}
    payments = {event.properties.get("payment") for event in shop.events}
    passages = {passage.id for passage in shop.passages}
    for kinds, there in (
        (VISITORS, visitors),
        (GOODS, items),
        (("stolen_account", "stolen_card"), payments),
        (("fake_review",), passages),
        (("fake_reviewer",), {customer.id for customer in shop.customers}),
        (("attacked_item",), items),
    ):
        for kind in kinds:
            assert truth.of(kind), kind
            assert set(truth.of(kind)) <= there, kind
    assert set(truth.of("click_fraud").values()) <= set(truth.campaigns)


def test_only_planted_events_are_forged_and_honest_ones_keep_their_shape(small, spoilt):
    shop, truth = spoilt
    honest = {event.id: event for event in shop.events if event.id not in truth.events}
    original = {event.id: event for event in small.events}
    assert set(original) <= set(honest)
    assert truth.events <= {event.id for event in shop.events}
    for name, event in original.items():
        now = honest[name]
        assert (now.time, now.kind, now.item, now.value) == (event.time, event.kind, event.item, event.value)
        assert now.customer in ("", event.customer)
        assert event.kind is not EventKind.PURCHASE or now.customer
    extra = Counter(event.kind for name, event in honest.items() if name not in original)
    assert extra[EventKind.AD_IMPRESSION] > extra[EventKind.AD_CLICK] > 0


def test_no_field_is_filled_by_mischief_only(spoilt):
    shop, truth = spoilt
    for kind in (EventKind.VIEW, EventKind.PURCHASE, EventKind.AD_CLICK, EventKind.AD_IMPRESSION):
        forged, honest = set(), set()
        for event in shop.events:
            if event.kind is kind:
                (forged if event.id in truth.events else honest).update(event.properties)
        assert forged
        assert forged <= honest, kind
    assert any(not event.customer for event in shop.events if event.id not in truth.events)


def test_prices_and_categories_were_changed_as_the_truth_says(small, spoilt):
    shop, truth = spoilt
    before, after = ({item.id: item for item in shop.items} for shop in (small, shop))
    for item, factor in truth.of("price_error").items():
        if factor == "x10":
            assert after[item].price == pytest.approx(10 * before[item].price)
        if factor == "currency":
            assert after[item].currency != before[item].currency
    for item, path in truth.of("wrong_category").items():
        assert " > ".join(before[item].category) == path
        assert after[item].category != before[item].category
    for copy, original in truth.of("near_duplicate").items():
        assert copy not in before
        assert after[copy].brand == before[original].brand
        assert not after[copy].group


def test_it_can_be_kept_in_a_store(spoilt, tmp_path):
    shop, _ = spoilt
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    try:
        store.catalogue.put(shop.items)
        assert store.events.append(shop.events) == len(shop.events)
        assert store.words.put(shop.passages).added == len(shop.passages)
    finally:
        store.close()


def test_times_are_in_order_and_within_the_log(small, spoilt):
    times = [event.time for event in spoilt[0].events]
    assert times == sorted(times)
    assert times[-1] <= max(event.time for event in small.events)


@pytest.mark.parametrize("share", [0, -0.1, 0.5, float("nan")])
def test_a_share_that_is_none_is_refused(small, share):
    with pytest.raises(InputError, match="share"):
        plant(small, share=share)
