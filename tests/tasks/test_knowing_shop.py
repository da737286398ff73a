"""The open shop with knowledge, words, baskets and segments: each moves the page, says why, and stands in the contributions."""

from dataclasses import replace
from datetime import timedelta

import pytest
from toyshop import START, taste_of_customer, toy_items, toy_store

from shopkeeper.errors import InputError
from shopkeeper.records import Customer, Event, EventKind, Item, Request, now
from shopkeeper.settings import load
from shopkeeper.store.knowledge import Triple
from shopkeeper.tasks.shop import Shop

RULES = """\
suggest 3 "Fits {X}" "适用于{X}": in_basket(C, X), fits(Y, X)
never: customer(C, "age", "minor"), attribute(Y, "contains", "alcohol")
boost 5: brand(Y, "Hearth"), customer(C, "club", "gold")
"""
INK = Item(id="ink-1", title="Black ink bottle", category=("Office", "Ink"), language="en")
WINE = Item(id="wine-1", title="Red wine", category=("Food", "Wine"), attributes={"contains": "alcohol"}, language="en")
FUNNEL = Item(id="funnel-1", title="Brass funnel", category=("Office", "Ink"), language="en")


@pytest.fixture
def make(tmp_path):
    opened = []

    def build(**settings):
        store = toy_store(tmp_path)
        store.catalogue.put([INK, WINE, FUNNEL])
        store.triples.put([Triple("ink-1", "fits", "garden-04"), Triple("funnel-1", "fits", "ink-1")])
        (tmp_path / "logic.txt").write_text(RULES, encoding="utf-8")
        overrides = {"models.encoder": "use-multilingual"} | {
            f"recommend.{key}": said for key, said in settings.items()
        }
        opened.append(Shop(load(tmp_path, environ={}, overrides=overrides), store))
        return opened[-1]

    yield build
    for shop in opened:
        shop.close()


def ids(answer):
    return [hit.item for hit in answer.hits]


def test_a_rule_brings_in_what_fits_the_basket_and_says_so(make):
    shop = make()
    for request in (
        Request(items=("garden-04",), limit=5, explain=True),
        Request(customer="c01", items=("garden-04",), limit=5, explain=True),
    ):
        answer = shop.recommend(request)
        hit = next(hit for hit in answer.hits if hit.item == "ink-1")
        reason = next(reason for reason in hit.reasons if reason.kind == "rule")
        assert reason.text["en"].startswith("Fits ")
        assert reason.text["zh"].startswith("适用于")
        assert hit.contributions["rule"] > 0
        assert sum(hit.contributions.values()) == pytest.approx(hit.score, rel=1e-3, abs=1e-3)
        assert answer.hits[0].score == max(hit.score for hit in answer.hits)


def test_a_veto_holds_on_every_path_for_whom_it_names_and_nobody_else(make):
    shop = make()
    shop.store.customers.put([Customer(id="young", attributes={"age": "minor"}), Customer(id="old")])
    for name, shown in (("young", False), ("old", True)):
        for request in (Request(customer=name, limit=200), Request(customer=name, items=("kitchen-00",), limit=200)):
            assert ("wine-1" in ids(shop.recommend(request))) == shown
        found = shop.search(Request(customer=name, query="red wine", limit=50))
        assert ("wine-1" in ids(found)) == shown
        assert ("wine-1" in ids(shop.search(Request(customer=name, limit=200)))) == shown
        assert ("wine-1" in ids(shop.similar(Request(customer=name, items=("ink-1",), limit=200)))) == shown
        pages = [hit.item for page in shop.home(Request(customer=name, limit=24)) for hit in page.answer.hits]
        assert shown or "wine-1" not in pages
    shop.record([Event(id="v", time=now(), kind=EventKind.VIEW, customer="young", item="kitchen-00")])
    assert "wine-1" not in ids(shop.recommend(Request(customer="young", limit=200)))


def test_boosts_move_what_they_name(make):
    shop = make()
    shop.store.customers.put([Customer(id="vip", attributes={"club": "gold"})])
    brands = {item.id: item.brand for item in toy_items()}
    answer = shop.recommend(Request(customer="vip", limit=4))
    assert {brands[item] for item in ids(answer)} == {"Hearth"}


def test_the_graph_names_new_items_with_a_path_for_a_reason(make):
    shop = make()
    assert "graph" in shop._floor.recommend.behaviour.sources
    shop.record([Event(id="v", time=now(), kind=EventKind.VIEW, session="s", item="ink-1")])
    hit = next(
        hit for hit in shop.recommend(Request(session="s", limit=30, explain=True)).hits if hit.item == "funnel-1"
    )
    assert hit.contributions["graph"] > 0
    shop.put([replace(FUNNEL, id="funnel-2", brand="Sonoro"), replace(INK, brand="Sonoro")])
    answer = shop.recommend(Request(session="s", limit=30, explain=True))
    later = next(hit for hit in answer.hits if hit.item == "funnel-2")
    assert later.contributions["graph"] > 0
    assert "graph" not in make(graph=False)._floor.recommend.behaviour.sources


def test_a_sentence_is_enough_for_somebody_unknown_and_moves_somebody_known(make):
    shop = make()
    stranger = shop.recommend(Request(query="something to water my tomato plants with", limit=6, explain=True))
    assert sum(item.startswith("garden") for item in ids(stranger)) >= 5
    assert stranger.hits[0].reasons[0].kind == "query"
    assert all(sum(hit.contributions.values()) == pytest.approx(hit.score, abs=1e-4) for hit in stranger.hits)
    cook = next(name for name in ("c01", "c03") if taste_of_customer(name) == "kitchen")
    assert {item.split("-")[0] for item in ids(shop.recommend(Request(customer=cook, limit=6)))} == {"kitchen"}
    asked = shop.recommend(Request(customer=cook, query="garden hose", limit=6))
    assert any(item.startswith("garden") for item in ids(asked)[:3])


def test_a_basket_is_completed_and_a_product_page_is_not(make):
    shop = make()
    basket = shop.recommend(Request(items=("garden-04",), surface="basket", limit=5, explain=True))
    pair = next(hit for hit in basket.hits if hit.item == "garden-06")
    assert ids(basket).index("garden-06") <= 1
    assert pair.contributions["goes_with"] > 0
    assert any(reason.kind == "goes_with" and reason.evidence == ("garden-04",) for reason in pair.reasons)
    page = shop.recommend(Request(items=("garden-04",), surface="product", limit=5, explain=True))
    assert all("goes_with" not in hit.contributions for hit in page.hits)


def test_a_bundle_is_what_is_bought_together(make):
    shop = make()
    found = shop.bundle(Request(items=("garden-04",), limit=3, explain=True))
    categories = {item.id: item.category for item in toy_items()}
    assert found.hits
    assert all(item.startswith("garden") for item in ids(found))
    assert len({categories[item] for item in ("garden-04", *ids(found))}) == 1 + len(found.hits)
    assert found.hits[0].reasons[0].kind == "goes_with"
    shop.put([Item(id="late", title="Late comer", language="en")])
    assert ids(shop.bundle(Request(items=("garden-04",), limit=3))) == ids(found)
    assert shop.bundle(Request(items=("late",), limit=3)).hits == ()
    with pytest.raises(InputError, match="needs an item"):
        shop.bundle(Request())


def test_strangers_are_told_apart_by_what_is_allowed_and_by_nothing_else(make):
    shop = make(segments="club")
    people = [Customer(id=f"c{n:02d}", attributes={"club": taste_of_customer(f"c{n:02d}")}) for n in range(60)]
    shop.store.customers.put(
        [*people, *(Customer(id=f"new-{t}", attributes={"club": t}) for t in ("garden", "kitchen"))]
    )
    shop.reload()
    found = {t: ids(shop.recommend(Request(customer=f"new-{t}", limit=10))) for t in ("garden", "kitchen")}
    gardening = {t: sum(item.startswith("garden") for item in items) for t, items in found.items()}
    assert gardening["garden"] >= gardening["kitchen"] + 4
    closed = make(segments="")
    lists = {tuple(ids(closed.recommend(Request(customer=f"new-{t}", limit=4)))) for t in ("garden", "kitchen")}
    assert len(lists) == 1


def test_rules_that_cannot_be_read_keep_the_shop_closed(make, tmp_path):
    make()
    (tmp_path / "logic.txt").write_text("suggest: nonsense(", encoding="utf-8")
    with pytest.raises(InputError, match=r"logic\.txt|nonsense"):
        Shop(load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"}), toy_store(tmp_path))


def test_what_moves_a_page_keeps_pages_together_and_passes_the_removal_test(make):
    shop = make()
    for number, item in enumerate(("kitchen-02", "garden-04")):
        time = START + timedelta(days=90, minutes=number)
        shop.record([Event(id=f"e{item}", time=time, kind=EventKind.VIEW, session="s", item=item)])
    request = Request(session="s", items=("garden-06",), query="tomato", surface="basket", limit=30, explain=True)
    whole = shop.recommend(request)
    parts = [ids(shop.recommend(replace(request, limit=10, offset=start))) for start in (0, 10, 20)]
    assert [item for part in parts for item in part] == ids(whole)
    task = shop._floor.recommend
    for hit in whole.hits[:6]:
        for reason in hit.reasons:
            if reason.kind not in ("rule", "query", "popular", "new", "explore"):
                assert task.without(request, reason.evidence[0], [hit.item])[0] < hit.score
