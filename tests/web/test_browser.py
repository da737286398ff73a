"""The storefront in a real Chromium: search in both languages, click, and see the shelves react."""

from pathlib import Path
from typing import Any

import pytest

from shopkeeper.records import EventKind
from shopkeeper.tasks.shop import Shop

pytestmark = pytest.mark.browser

TWO = pytest.mark.parametrize("look", ["en-desk", "zh-phone"], indirect=True)


def titles(page: Any, shelf: str) -> list[str]:
    return page.locator(f'[data-shelf="{shelf}"] .whole').all_inner_texts()


def test_search_click_and_see_the_shelf_react(window: Any, address: str, shop: Shop, look: str, pictures: Path):
    query, wanted = ("frying pan", "Cast iron frying pan") if look.startswith("en") else ("煎锅", "铸铁煎锅")
    window.goto(address)
    window.screenshot(path=pictures / f"{look}-home.png")
    assert window.locator('[data-shelf="for-you"]').count() == 0
    window.fill("#q", query)
    window.press("#q", "Enter")
    window.wait_for_url("**/search?q=*")
    assert wanted in window.locator(".cards .whole").all_inner_texts()[:3]
    window.screenshot(path=pictures / f"{look}-search.png")
    window.get_by_role("link", name=wanted).first.click()
    window.wait_for_url("**/p/*")
    assert window.locator("h1").inner_text() == wanted
    window.screenshot(path=pictures / f"{look}-product.png")
    window.locator(".sign").click()
    window.wait_for_url(f"{address}/")
    assert wanted in window.locator(".session").inner_text()
    kitchen = {item.title for item in shop.store.catalogue.scan() if item.category[0] == "Kitchen"}
    mine = titles(window, "for-you")
    assert sum(title in kitchen for title in mine[:6]) >= 4
    assert window.locator('[data-shelf="for-you"] .why').first.inner_text()
    window.screenshot(path=pictures / f"{look}-home-after.png", full_page=True)


@TWO
def test_basket_without_leaving_the_page(window: Any, address: str, shop: Shop, look: str, pictures: Path):
    window.goto(f"{address}/p/kitchen-04")
    window.locator("[data-add]").click()
    window.wait_for_selector(".toast.shown")
    assert window.locator("[data-pieces]").inner_text() == "1"
    assert window.url.endswith("/p/kitchen-04")
    window.locator(".basket-way").click()
    window.wait_for_url("**/basket")
    window.screenshot(path=pictures / f"{look}-basket.png")
    window.locator(".till button").click()
    window.wait_for_url("**/checkout")
    (session,) = [c["value"] for c in window.context.cookies() if c["name"] == "shop_session"]
    bought = [event for event in shop.store.events.of_session(session) if event.kind is EventKind.PURCHASE]
    assert [(event.item, event.value) for event in bought] == [("kitchen-04", 15.0)]


@TWO
def test_filters_narrow_by_themselves_and_nothing_found_helps(window: Any, address: str, look: str, pictures: Path):
    window.goto(f"{address}/search")
    if look.endswith("phone"):
        window.locator(".sieve summary").click()
    before = int(window.locator("[data-count]").get_attribute("data-count"))
    window.locator('.sieve input[value="Kitchen"]').check()
    window.wait_for_url("**category=Kitchen*")
    assert int(window.locator("[data-count]").get_attribute("data-count")) < before
    window.locator(".chips a").first.click()
    window.wait_for_url(f"{address}/search")
    window.goto(f"{address}/search?q=pan&low=9000")
    window.screenshot(path=pictures / f"{look}-nothing.png")
    window.locator(".ways-on a").first.click()
    window.wait_for_selector(".cards .card")


@TWO
def test_not_interested_removes_the_card(window: Any, address: str):
    window.goto(f"{address}/p/kitchen-00")
    window.goto(address)
    gone = titles(window, "for-you")[0]
    window.locator('[data-shelf="for-you"] .card').first.hover()
    window.locator('[data-shelf="for-you"] .away button').first.click()
    window.locator('[data-shelf="for-you"] .whole').get_by_text(gone, exact=True).wait_for(state="detached")
    window.reload()
    assert gone not in titles(window, "for-you")


def test_the_shop_works_without_javascript(chromium: Any, address: str):
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/p/garden-00")
    page.locator("[data-add]").click()
    page.wait_for_load_state()
    page.goto(f"{address}/basket")
    assert page.locator(".lines li").count() == 1
    page.goto(f"{address}/search?q=rake")
    page.select_option("#sort", "price_asc")
    page.locator(".sorter button").click()
    page.wait_for_url("**sort=price_asc*")
    context.close()
