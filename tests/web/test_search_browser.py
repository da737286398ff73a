"""The search page in a real Chromium: chips, other wordings, suggestions by keyboard and input method, rules, attacks."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

TWO = pytest.mark.parametrize("look", ["en-desk", "zh-phone"], indirect=True)


def is_english(look: str) -> bool:
    return look.startswith("en")


def active(page: Any) -> str:
    """What a screen reader would say is chosen in the list."""
    return page.evaluate(
        "document.getElementById(document.querySelector('#q').getAttribute('aria-activedescendant'))?.innerText ?? ''"
    )


@TWO
def test_chips_come_off_and_go_back(window: Any, address: str, look: str, pictures: Path):
    query, label = (
        ("knife under 10 euros", "price up to 10") if is_english(look) else ("厨师刀 10元以下", "价格 不超过 10")
    )
    window.goto(f"{address}/search?q={query}")
    assert label in window.locator("[data-chip]").inner_text()
    window.screenshot(path=pictures / f"{look}-chips.png")
    window.locator("[data-chip]").click()
    window.wait_for_url("**ignore=price*")
    assert window.locator("[data-chip]").count() == 0
    window.locator("[data-dropped]").click()
    window.locator("[data-chip]").wait_for()
    assert "ignore" not in window.url


@TWO
def test_other_wordings(window: Any, address: str, look: str):
    typed = "fring pan" if is_english(look) else "jianguo"
    window.goto(f"{address}/search?q={typed}")
    assert ("frying pan" if is_english(look) else "煎锅") in window.locator("[data-mended]").inner_text()
    window.locator("[data-mended] a").click()
    window.wait_for_url("**ignore=*")
    assert window.locator("[data-mended]").count() == 0
    window.goto(f"{address}/search?q=moer+pan")
    window.locator("[data-instead]").click()
    window.wait_for_url("**q=mower*")
    assert window.locator(".cards mark").first.inner_text()


@TWO
def test_suggestions_by_keyboard(window: Any, address: str, look: str, pictures: Path):
    typed, wanted, path = (
        ("fry", "frying pan", "**/p/kitchen-00") if is_english(look) else ("煎", "煎锅", "**/p/kitchen-01")
    )
    window.goto(f"{address}/basket")
    field = window.locator("#q")
    assert field.get_attribute("role") == "combobox"
    field.click()
    window.keyboard.type(typed)
    window.locator(".offers [role=option]").first.wait_for()
    assert field.get_attribute("aria-expanded") == "true"
    assert window.locator(".offers mark").first.inner_text() == typed
    assert window.get_by_role("status").all_inner_texts() != ["", ""]
    window.keyboard.press("Escape")
    assert field.get_attribute("aria-expanded") == "false"
    assert not window.locator(".offers").is_visible()
    assert field.input_value() == typed
    window.keyboard.press("ArrowDown")
    window.locator(".offers [role=option]").first.wait_for()
    assert active(window) == ""
    said = []
    for _ in range(window.locator(".offers [role=option]").count()):
        window.keyboard.press("ArrowDown")
        said.append(active(window))
    assert any(wanted in line for line in said)
    assert window.locator(".offers [aria-selected=true]").count() == 1
    window.screenshot(path=pictures / f"{look}-suggest.png")
    window.keyboard.press("ArrowDown")
    assert active(window) == ""
    hrefs = window.locator(".offers [role=option]").evaluate_all("links => links.map(link => link.pathname)")
    for _ in range(next(n for n, href in enumerate(hrefs) if href.startswith("/p/")) + 1):
        window.keyboard.press("ArrowDown")
    window.keyboard.press("Enter")
    window.wait_for_url(path)


@TWO
def test_enter_without_a_choice_searches_for_what_was_typed(window: Any, address: str):
    window.goto(address)
    window.locator("#q").click()
    window.keyboard.type("rake")
    window.locator(".offers [role=option]").first.wait_for()
    window.keyboard.press("Enter")
    window.wait_for_url("**/search?q=rake")


@pytest.mark.parametrize("look", ["zh-desk"], indirect=True)
def test_an_input_method_is_left_alone_until_it_is_done(window: Any, address: str):
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url) if "/suggest" in request.url else None)
    window.goto(address)
    window.locator("#q").click()
    keys = window.context.new_cdp_session(window)
    keys.send("Input.imeSetComposition", {"text": "jian", "selectionStart": 4, "selectionEnd": 4})
    window.wait_for_timeout(400)
    assert asked == []
    keys.send("Input.insertText", {"text": "煎"})
    window.locator(".offers [role=option]").first.wait_for()
    assert len(asked) == 1
    assert window.locator("#q").input_value() == "煎"


@pytest.mark.parametrize("look", ["en-desk"], indirect=True)
def test_fast_typing_asks_once_and_a_click_goes_there(window: Any, address: str):
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url) if "/suggest" in request.url else None)
    window.goto(address)
    window.locator("#q").click()
    window.keyboard.insert_text("ba")
    window.keyboard.insert_text("mboo")
    window.locator(".offers a", has_text="Bamboo").click()
    window.wait_for_url("**/p/kitchen-04")
    assert len(asked) == 1


@TWO
def test_rules_and_marks(window: Any, address: str, look: str, pictures: Path):
    query = "headphones" if is_english(look) else "耳机"
    window.goto(f"{address}/search?q={query}")
    assert ("<b>Earphone</b> week" if is_english(look) else "<b>耳机</b>周") in window.locator(".banner").inner_text()
    assert query in window.locator(".cards mark").all_inner_texts()
    window.screenshot(path=pictures / f"{look}-marks.png")
    window.locator(".banner a").click()
    window.wait_for_url("**brand=Tonfa*")
    window.goto(f"{address}/search?q={'returns' if is_english(look) else '退货'}")
    assert window.url == f"{address}/basket"


@TWO
def test_nothing_found_says_so_and_what_helps(window: Any, address: str, look: str, pictures: Path):
    query, heading = (
        ("frying pan", "Nothing matches “frying pan”.") if is_english(look) else ("煎锅", "没有找到“煎锅”。")
    )
    window.goto(f"{address}/search?q={query}&low=9000")
    assert window.locator("h1").inner_text() == heading
    window.screenshot(path=pictures / f"{look}-nothing-ways.png")
    window.locator("[data-way]").first.click()
    window.locator(".cards .card").first.wait_for()


@pytest.mark.parametrize("look", ["en-desk"], indirect=True)
def test_nothing_typed_or_sold_ever_runs(window: Any, address: str):
    window.goto(
        f"{address}/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&ignore=%22%3E%3Csvg%20onload%3Dalert(1)%3E"
    )
    window.on("dialog", lambda dialog: pytest.fail(dialog.message))
    window.goto(f"{address}/search?q=headphones")
    window.locator("#q").fill("script")
    window.locator(".offers [role=option]").first.wait_for()
    assert "<script>" in window.locator(".offers").inner_text()
    assert window.locator(".offers script, .offers img, .banner b").count() == 0


def test_without_javascript(chromium: Any, address: str):
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(address)
    assert page.locator("#q").get_attribute("role") is None
    page.fill("#q", "knife under 10 euros")
    page.press("#q", "Enter")
    page.locator("[data-chip]").click()
    page.select_option("#sort", "rating")
    page.locator(".sorter button").click()
    page.wait_for_url("**sort=rating*")
    assert "ignore=price" in page.url
    assert page.locator("[data-dropped]").count() == 1
    context.close()
