"""The home page as shelves, on the toy shop: who is known sees themselves, who is not sees the departments."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from toyshop import DAYS, START, taste_of_item, toy_store

from shopkeeper.records import Availability, Event, EventKind, Filters, Request, now
from shopkeeper.settings import load
from shopkeeper.tasks.recommend.shelves import FEWEST
from shopkeeper.tasks.shop import Shop

LATER = START + timedelta(days=DAYS + 5)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    opened = Shop(load(home, environ={}, overrides={"models.encoder": "use-multilingual"}), toy_store(home))
    yield opened
    opened.close()


def does(shop, session, kind, *items, customer="", time=None):
    made = [
        Event(
            id=f"{session}-{kind}-{item}-{place}-{(time or now()).timestamp()}",
            time=time or now(),
            kind=kind,
            session=session,
            customer=customer,
            item=item,
        )
        for place, item in enumerate(items)
    ]
    shop.record(made)


def ask(**fields):
    return Request(**{"limit": 6, "language": "en", "explain": True, **fields})


def kinds(page):
    return [shelf.kind for shelf in page]


def items(shelf):
    return [hit.item for hit in shelf.answer.hits]


def the(page, kind):
    (found,) = [shelf for shelf in page if shelf.kind == kind]
    return found


def test_the_unknown_see_the_popular_the_new_and_each_department(shop):
    page = shop.home(ask(session="nobody"))
    assert kinds(page) == ["popular", "category", "new", "category"]
    departments = [shelf for shelf in page if shelf.kind == "category"]
    assert {shelf.about for shelf in departments} == {"Garden", "Kitchen"}
    for shelf in departments:
        assert {taste_of_item(item).capitalize() for item in items(shelf)} == {shelf.about}
        assert shelf.title == {"en": f"Popular in {shelf.about}", "zh": f"{shelf.about}热门"}
    assert min(hit.propensity for hit in the(page, "popular").answer.hits) < 1  # some places are left to chance


def test_a_click_turns_the_page_round(shop):
    looked = ["kitchen-00", "kitchen-02", "kitchen-05", "kitchen-04"]
    does(shop, "looking", EventKind.VIEW, *looked)
    page = shop.home(ask(session="looking", limit=4))
    assert kinds(page)[:3] == ["because", "for_you", "continue"]
    because = the(page, "because")
    assert because.about == "kitchen-04"
    assert because.title["en"] == "Because you looked at “Bamboo cutting board”"
    assert not set(items(because)) & set(looked)
    assert items(the(page, "continue")) == looked[::-1]
    assert sum(taste_of_item(item) == "kitchen" for item in items(the(page, "for_you"))) >= 3


def test_who_comes_back_begins_where_they_left(shop):
    looked = ["garden-00", "garden-02", "garden-04", "garden-06"]
    does(shop, "first-visit", EventKind.VIEW, *looked, customer="returning")
    page = shop.home(ask(customer="returning", session="second-visit"))
    assert kinds(page)[:2] == ["continue", "for_you"]
    assert items(page[0]) == looked[::-1]
    few = shop.home(replace(ask(customer="returning", session="second-visit", limit=4), language=""))
    assert the(few, "category").about.startswith("Garden")


def test_what_is_used_up_is_offered_again_when_due(shop):
    customer, bought = "regular", ["kitchen-06", "kitchen-08", "kitchen-10", "kitchen-12"]
    for week in range(4):
        does(shop, f"w{week}", EventKind.PURCHASE, *bought, customer=customer, time=LATER + timedelta(days=7 * week))
    last = LATER + timedelta(days=21)
    due = the(shop.home(ask(customer=customer, time=last + timedelta(days=9))), "again")
    assert set(items(due)) == set(bought)
    assert due.answer.hits[0].reasons[0].evidence == (items(due)[0],)
    for days in (1, 120):
        assert "again" not in kinds(shop.home(ask(customer=customer, time=last + timedelta(days=days))))
    does(shop, "back", EventKind.RETURN, bought[0], customer=customer, time=last + timedelta(days=2))
    page = shop.home(ask(customer=customer, time=last + timedelta(days=9)))
    assert bought[0] not in [item for shelf in page for item in items(shelf)]


def test_not_interested_holds_on_every_shelf(shop):
    does(shop, "picky", EventKind.VIEW, "garden-00", "garden-02", "garden-04")
    before = {item for shelf in shop.home(ask(session="picky")) for item in items(shelf)}
    gone = [item for item in sorted(before) if item.startswith("garden")][:3]
    does(shop, "picky", EventKind.DISMISS, *gone)
    after = {item for shelf in shop.home(ask(session="picky")) for item in items(shelf)}
    assert not after & set(gone)


def test_each_shelf_is_an_answer_of_its_own_and_the_page_repeats(shop):
    does(shop, "same", EventKind.VIEW, "kitchen-00", "kitchen-02")
    request = ask(session="same")
    page = shop.home(request)
    assert page == tuple(
        replace(shelf, answer=replace(shelf.answer, seconds=own.answer.seconds))
        for own, shelf in zip(page, shop.home(request), strict=True)
    )
    assert len({shelf.answer.request.id for shelf in page}) == len(page)
    for shelf in page:
        assert shelf.answer.impression().surface == f"home:{shelf.kind}"
        assert shelf.answer.request.session == "same"
        assert all(hit.reasons and hit.reasons[0].text.keys() == {"en", "zh"} for hit in shelf.answer.hits)


def test_filters_hold_for_all_and_an_empty_shop_has_no_shelves(shop):
    page = shop.home(ask(session="looking", filters=Filters(price_max=30)))
    prices = {item.id: item.price for item in shop.store.catalogue.scan()}
    assert page
    assert all(prices[item] <= 30 for shelf in page for item in items(shelf))
    assert shop.home(ask(filters=Filters(brands=("nobody",)))) == ()
    assert shop.home(ask(session="looking", filters=Filters(brands=("nobody",)))) == ()


def test_what_sold_out_since_is_no_longer_on_the_page(shop):
    does(shop, "late", EventKind.VIEW, *(looked := [f"garden-{n:02d}" for n in (8, 10, 12, 14, 16)]))
    assert items(the(shop.home(ask(session="late")), "continue")) == looked[::-1]
    item = shop.store.catalogue.get(["garden-16"])["garden-16"]
    shop.put([replace(item, availability=Availability.OUT_OF_STOCK)])
    page = shop.home(ask(session="late"))
    assert items(the(page, "continue")) == looked[-2::-1]
    assert the(page, "because").about == "garden-16"  # what is like it can be bought
    shop.put([item])


deeds = st.lists(
    st.tuples(
        st.sampled_from([EventKind.VIEW, EventKind.CART, EventKind.UNCART, EventKind.PURCHASE, EventKind.DISMISS]),
        st.sampled_from([f"{taste}-{n:02d}" for taste in ("garden", "kitchen") for n in range(20)] + ["gone"]),
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds, st.integers(1, 12))
def test_whatever_was_done_no_item_stands_twice_and_none_that_cannot_be_bought(shop, done, limit):
    session = f"any-{now().timestamp()}"
    for place, (kind, item) in enumerate(done):
        does(shop, f"{session}", kind, item, time=now() + timedelta(milliseconds=place))
    page = shop.home(ask(session=session, limit=limit))
    shown = [item for shelf in page for item in items(shelf)]
    assert len(shown) == len(set(shown))
    assert all(FEWEST <= len(shelf.answer.hits) <= limit for shelf in page)
    assert not {f"{taste}-{n}" for taste in ("garden", "kitchen") for n in (18, 19)} & set(shown)
    last = {item: kind for kind, item in done if kind is not EventKind.UNCART}
    assert not {item for item, kind in last.items() if kind is EventKind.DISMISS} & set(shown)
