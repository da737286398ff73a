"""Shelves, bundles and waiting in a real Chromium, in both languages, wide and narrow."""

from pathlib import Path
from typing import Any

import pytest

from shopkeeper.tasks.shop import Shop

pytestmark = pytest.mark.browser


def act_as(window: Any, address: str, customer: str) -> None:
    window.goto(address)
    with window.expect_navigation():
        window.select_option("#customer", customer)
    assert window.locator("#customer").input_value() == customer


def test_shelves_bundles_and_waiting(window: Any, address: str, shop: Shop, look: str, pictures: Path):
    window.goto(address)
    window.screenshot(path=pictures / f"{look}-home-cold.png", full_page=True)
    assert window.locator("[data-shelf]").first.get_attribute("data-shelf") == "popular"
    act_as(window, address, "c01")
    for name in ("kitchen-00", "kitchen-02", "kitchen-04", "kitchen-06"):
        window.goto(f"{address}/p/{name}")
    bundle = window.locator('[data-shelf="bundle"]')
    if bundle.count():
        before = int(window.locator("[data-pieces]").inner_text() or 0)
        pieces = bundle.locator('input[name="items"]').count()
        bundle.scroll_into_view_if_needed()
        window.screenshot(path=pictures / f"{look}-bundle.png", full_page=True)
        bundle.locator("form button").click()
        window.wait_for_selector(".toast.shown")
        assert int(window.locator("[data-pieces]").inner_text()) == before + pieces
    window.goto(address)
    assert "for-you" in [one.get_attribute("data-shelf") for one in window.locator("[data-shelf]").all()]
    several = window.locator("details.why summary")
    if several.count():
        several.first.click()
        assert window.locator("details.why[open] li").first.is_visible()
        assert window.url == f"{address}/"  # the card's link lies below
    window.screenshot(path=pictures / f"{look}-home-known.png", full_page=True)
    window.goto(f"{address}/p/garden-18")
    window.locator(".waiting button").click()
    window.wait_for_selector(".waiting [role=status]")
    window.screenshot(path=pictures / f"{look}-waiting.png")
    assert [wait.item for wait in shop.store.waiting.of_customer("c01")] == ["garden-18"]
    window.locator(".waiting button").click()
    window.wait_for_selector(".waiting .button")
    assert shop.store.waiting.of_customer("c01") == []


@pytest.mark.parametrize("look", ["en-desk"], indirect=True)
def test_a_long_shelf_is_leafed_through_and_nothing_jumps(window: Any, address: str):
    window.add_init_script(
        "window.shifts = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.shifts += one.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    window.goto(address)
    window.wait_for_load_state("networkidle")
    rail = window.locator("[data-rail]").first
    window.locator(".leaf + .leaf:visible").first.click()
    window.wait_for_selector(".leaf:not(.leaf + .leaf):enabled")  # the way back opens
    assert rail.evaluate("rail => rail.scrollLeft") > 0
    assert window.evaluate("window.shifts") < 0.02
