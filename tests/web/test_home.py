"""Shelves, bundles, waiting and reasons on the pages, without a browser."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from fastapi.testclient import TestClient
from test_storefront import events, links, titles

from shopkeeper.records import Availability, EventKind
from shopkeeper.tasks.shop import Shop
from shopkeeper.web.i18n import translator
from shopkeeper.web.view import product_path

Arrive = Callable[..., TestClient]


def shelves(text: str) -> list[str]:
    return re.findall(r'data-shelf="([^"]+)"', text)


def names(text: str) -> list[str]:
    return [link.removeprefix("/p/").partition("?")[0] for link in links(text)]


def customer(visitor: Arrive, name: str, language: str = "en") -> TestClient:
    browser = visitor(language)
    browser.get("/")
    browser.post("/as", data={"customer": name})
    return browser


@pytest.mark.parametrize(
    ("language", "popular", "garden"), [("en", "Popular now", "Popular in Garden"), ("zh", "近期热门", "Garden热门")]
)
def test_the_unknown_find_a_shelf_for_each_department(visitor: Arrive, language: str, popular: str, garden: str):
    text = visitor(language).get("/").text
    assert shelves(text)[0] == "popular"
    assert popular in text
    assert garden in text
    assert len(set(shelves(text))) == len(shelves(text)) >= 3
    assert len(names(text)) == len(set(names(text)))


def test_shelves_turn_with_what_is_looked_at(visitor: Arrive):
    browser = visitor()
    for name in ("kitchen-00", "kitchen-02", "kitchen-04", "kitchen-06"):
        browser.get(product_path(name))
    text = browser.get("/").text
    assert "for-you" in shelves(text)
    assert "Shelves arranged for you" in text
    assert len(names(text)) == len(set(names(text)))
    gone = names(text)[0]
    browser.post("/dismiss", data={"item": gone, "back": "/"})
    assert gone not in names(browser.get("/").text)


def test_every_reason_can_be_read(visitor: Arrive):
    browser = visitor()
    for name in ("kitchen-00", "kitchen-02", "kitchen-04"):
        browser.get(product_path(name))
    shelf = browser.get("/").text.partition('data-shelf="for-you"')[2].partition("</section>")[0]
    assert len(re.findall(r'class="why"', shelf)) == len(links(shelf))
    several = re.findall(
        r"<details class=\"why\"><summary[^>]*><span>.+?</span></summary>\s*<ul[^>]*>(<li>.+?</li>)+</ul>", shelf
    )
    assert several or "<details" not in shelf


def test_what_goes_with_an_item_is_put_in_the_basket_at_once(visitor: Arrive, shop: Shop):
    browser = visitor()
    text = browser.get("/p/kitchen-04").text
    part = text.partition('data-shelf="bundle"')[2].partition("</section>")[0]
    if not part:
        pytest.skip("nothing completes this item")
    items = [unescape(name) for name in re.findall(r'name="items" value="([^"]*)"', part)]
    assert items[0] == "kitchen-04"
    assert len(items) == 1 + len(links(part)) > 1
    assert not set(names(text.partition('data-shelf="similar"')[2])) & set(items)
    prices = [item.price for item in shop.store.catalogue.get(items).values()]
    assert f"€{sum(prices):.2f}" in part
    request = re.search(r'name="r" value="([^"]*)"', part)[1]
    answer = browser.post("/basket/bundle", data={"items": items, "r": request, "back": "/p/kitchen-04"})
    assert answer.url.path == "/p/kitchen-04"
    put = [event for event in events(shop, browser) if event.kind is EventKind.CART]
    assert [(event.item, event.request) for event in put] == [(item, request) for item in items]
    counted = browser.post("/basket/bundle", data={"items": items}, headers={"Accept": "application/json"})
    assert counted.json() == {"basket": 2 * len(items), "said": "In your basket"}


def test_a_bundle_leaves_out_what_cannot_be_bought(visitor: Arrive, shop: Shop):
    browser = visitor()
    browser.post("/basket/bundle", data={"items": ["kitchen-00", "kitchen-18", "kitchen-19", "none"]})
    assert [event.item for event in events(shop, browser) if event.kind is EventKind.CART] == ["kitchen-00"]
    for data in ({}, {"items": ["none"]}, {"items": ["kitchen-18"]}):
        assert browser.post("/basket/bundle", data=data).status_code == 404
    assert 'data-shelf="bundle"' not in browser.get("/p/kitchen-18").text


def test_a_customer_is_told_when_it_is_back(visitor: Arrive, shop: Shop):
    browser = customer(visitor, "c01")
    t = translator("en")
    assert t("tell_me") in browser.get("/p/kitchen-18").text
    data = {"item": "kitchen-18", "back": "/p/kitchen-18"}
    assert unescape(t("will_tell")) in unescape(browser.post("/wait", data=data).text)
    assert [wait.item for wait in shop.store.waiting.of_customer("c01")] == ["kitchen-18"]
    assert t("tell_me") in browser.post("/unwait", data=data).text
    assert shop.store.waiting.of_customer("c01") == []
    assert "到货通知我" in customer(visitor, "c01", "zh").get("/p/kitchen-18").text


def test_it_came_back_while_the_page_stood_open(visitor: Arrive, shop: Shop):
    browser = customer(visitor, "c01")
    item = shop.store.catalogue.get(["kitchen-18"])["kitchen-18"]
    shop.put([replace(item, availability=Availability.IN_STOCK)])
    text = browser.post("/wait", data={"item": "kitchen-18", "back": "/p/kitchen-18"}).text
    shop.put([item])
    assert "Add to basket" in text
    assert shop.store.waiting.of_customer("c01") == []


def test_waiting_is_for_customers_and_from_the_shops_own_pages(visitor: Arrive, shop: Shop):
    unknown = visitor()
    text = unknown.get("/p/kitchen-18").text
    assert "/wait" not in text
    assert translator("en")("tell_known") in unescape(text)
    assert unknown.post("/wait", data={"item": "kitchen-18"}).status_code == 403
    browser = customer(visitor, "c01")
    for path in ("/wait", "/unwait", "/basket/bundle"):
        refused = browser.post(path, data={"item": "kitchen-18"}, headers={"Origin": "http://evil.example"})
        assert refused.status_code == 403
    assert browser.post("/wait", data={"item": "none"}).status_code == 404
    assert browser.post("/wait", data={"item": "kitchen-19"}).status_code == 404
    assert shop.store.waiting.of_customer("c01") == []


def test_thanks_come_with_what_completes_the_order(visitor: Arrive):
    browser = visitor()
    for name in ("kitchen-00", "kitchen-04"):
        browser.post("/basket/add", data={"item": name})
    text = browser.post("/checkout").text
    assert "Thank you" in text
    assert shelves(text)
    assert titles(text, shelves(text)[0])
    assert not {"kitchen-00", "kitchen-04"} & set(names(text))
    assert len(names(text)) == len(set(names(text)))
