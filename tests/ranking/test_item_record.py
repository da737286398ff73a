from datetime import timedelta

import numpy as np
import pytest
from toyshop import START, item_id, toy_items

from shopkeeper.errors import ModelError
from shopkeeper.ranking.item_record import CLICK_PRIOR, ItemRecord
from shopkeeper.records import Event, EventKind, Impression, Item
from shopkeeper.retrieval.shelf import Shelf

RAKE, CAN, PAN = item_id("garden", 0), item_id("garden", 2), item_id("kitchen", 0)


def event(kind, *, at=0.0, item="", request="", customer="ann", value=None, shown=(), surface="search"):
    impression = None
    if shown:
        places = tuple(range(1, len(shown) + 1))
        impression = Impression(items=shown, positions=places, propensities=(1.0,) * len(shown), surface=surface)
    name = f"{kind}{at}{item}{request}{customer}{shown}"
    return Event(
        id=name, time=START + timedelta(days=at), kind=kind, item=item, request=request, customer=customer,
        value=value, impression=impression,
    )  # fmt: skip


def shown(*items, request="r", at=0.0, kind=EventKind.IMPRESSION):
    return event(kind, at=at, request=request, shown=items)


def click(item, request="r", at=0.1, kind=EventKind.CLICK, customer="ann"):
    return event(kind, at=at, item=item, request=request, customer=customer)


@pytest.fixture
def shelf():
    return Shelf(toy_items())


def rates(record, shelf, *items):
    return record.at(shelf.rows(items))


def test_an_unknown_shop_has_the_prior(shelf):
    found = rates(ItemRecord(shelf), shelf, RAKE, PAN)
    assert found.clicks == pytest.approx([CLICK_PRIOR] * 2)
    assert not found.click_evidence.any()
    assert found.stars == pytest.approx([4.0] * 2)


def test_a_click_counts_for_the_looks_that_its_place_had(shelf):
    record = ItemRecord(shelf, {"search": np.array([1.0, 0.25])})
    record.fold([shown(RAKE, PAN), click(PAN)])
    found = rates(record, shelf, RAKE, PAN)
    assert found.clicks[1] > found.clicks[0]
    assert found.click_evidence == pytest.approx([1 / 31, 0.25 / 30.25])


def test_a_page_or_a_click_counts_once_and_only_where_it_was_shown(shelf):
    once, twice = ItemRecord(shelf), ItemRecord(shelf)
    once.fold([shown(RAKE, CAN), click(CAN)])
    twice.fold(
        [shown(RAKE, CAN), shown(RAKE, CAN, at=0.05), click(CAN), click(CAN, at=0.2), click(PAN), click(RAKE, "x")]
    )
    for name in ("clicks", "click_evidence"):
        assert getattr(rates(twice, shelf, RAKE, CAN), name) == pytest.approx(
            getattr(rates(once, shelf, RAKE, CAN), name)
        )


def test_a_sale_is_a_purchase_within_seven_days_of_the_click(shelf):
    def sold(days, customer="ann"):
        record = ItemRecord(shelf)
        buy = event(EventKind.PURCHASE, at=days, item=RAKE, customer=customer)
        record.fold([shown(RAKE), click(RAKE), buy])
        return rates(record, shelf, RAKE).sales[0]

    nothing = sold(3, "ben")
    assert sold(3) > nothing
    assert sold(8) == nothing


def test_ads_are_counted_apart_from_the_page_they_stand_on(shelf):
    record = ItemRecord(shelf)
    record.fold([
        shown(RAKE), shown(PAN, kind=EventKind.AD_IMPRESSION), click(PAN, kind=EventKind.AD_CLICK), click(RAKE, at=0.2)
    ])  # fmt: skip
    found = rates(record, shelf, RAKE, PAN)
    assert (found.click_evidence > 0).all()
    assert (found.clicks > CLICK_PRIOR).all()


def test_an_item_unseen_has_the_rate_of_its_category(shelf):
    record = ItemRecord(shelf)
    tools = [item_id("garden", n) for n in range(0, 8, 2)]
    for n in range(60):
        record.fold([shown(*tools[:3], request=f"r{n}"), *(click(item, f"r{n}") for item in tools[:3])])
    fresh, other = rates(record, shelf, tools[3], item_id("garden", 12)).clicks
    assert fresh > other > CLICK_PRIOR


def test_popularity_fades_by_half_in_thirty_days(shelf):
    record = ItemRecord(shelf)
    record.fold([event(EventKind.PURCHASE, item=RAKE)])
    row = shelf.rows([RAKE])
    then = START.timestamp()
    now, later = (float(np.expm1(record.at(row, then + days * 86_400).popularity[0])) for days in (1e-9, 30))
    assert later == pytest.approx(now / 2)


def test_prices_are_compared_within_the_category(shelf):
    found = ItemRecord(shelf).at(np.arange(len(shelf)))
    tools = [row for row in range(len(shelf)) if shelf.item(row).category == ("Garden", "Tools")]
    assert np.median(found.price[tools]) == pytest.approx(0, abs=0.2)
    assert found.price[shelf.row(item_id("garden", 8))] > found.price[shelf.row(RAKE)]


def test_items_that_come_later_begin_with_nothing(shelf):
    record = ItemRecord(shelf)
    row = shelf.put(Item(id="new", title="New rake", category=("Garden", "New"), price=0.0))
    assert np.isfinite(np.array(record.at(np.array([row])))).all()
    assert record.words(row) == {"new", "rake", "garden"}
    record.fold([shown("new", RAKE), click("new")])
    assert rates(record, shelf, "new").click_evidence[0] > 0
    shelf.put(Item(id="new", title="Old hoe"))
    assert record.words(row) == {"old", "hoe"}
    shelf.remove("new")
    assert record.words(row) == frozenset()


def test_it_is_saved_by_id_and_read_back_onto_another_shelf(shelf):
    record = ItemRecord(shelf, {"search": np.array([1.0, 0.5])})
    review = event(EventKind.REVIEW, item=CAN, value=1.0)
    record.fold([shown(RAKE, CAN), click(CAN), event(EventKind.PURCHASE, item=CAN, at=1.0), review])
    arrays, values = record.save()
    assert "ann" not in str(values)
    other = Shelf(list(reversed(toy_items())))
    again = ItemRecord.load(arrays, values, other)
    for name, wanted in rates(record, shelf, RAKE, CAN, PAN)._asdict().items():
        assert getattr(rates(again, other, RAKE, CAN, PAN), name) == pytest.approx(wanted), name
    assert again.looked("search", [1, 2, 9]).tolist() == [1.0, 0.5, 0.5]
    with pytest.raises(ModelError, match="lacks"):
        ItemRecord.load({}, values, other)


def test_what_is_remembered_of_pages_is_bounded(shelf):
    record = ItemRecord(shelf, pages=10)
    for n in range(50):
        record.fold([shown(RAKE, request=f"r{n}"), click(RAKE, f"r{n}", customer=f"c{n}")])
    assert len(record._pages) <= 10
    assert len(record._clicked) <= 10
    record.fold([click(RAKE, "r0", at=1.0)])
    assert rates(record, shelf, RAKE).click_evidence[0] == pytest.approx(50 / 80)
