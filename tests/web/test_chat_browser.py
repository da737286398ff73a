"""The chat panel and the human desk in a real Chromium, in both languages, wide and narrow."""

from pathlib import Path
from typing import Any

import pytest

from shopkeeper.serving.auth import Keys
from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.shop import Shop

pytestmark = pytest.mark.browser

WORDS = {
    "en": (
        "How long do I have to return an item?",
        "30 days",
        "Recommend something for the garden, please",
        "I want to talk to a human",
    ),
    "zh": ("几天内可以退货？", "30 天", "推荐一个厨师刀", "我要找人工客服"),
}
ORDERS = {"en-desk": "c10", "en-phone": "c12", "zh-desk": "c16", "zh-phone": "c18"}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def ask(window: Any, text: str) -> Any:
    """Say something in the open panel and wait for the whole reply, which is returned."""
    before = window.locator(".chat .thumbs-row").count()
    window.fill("#chat-message", text)
    window.keyboard.press("Enter")
    window.wait_for_function(
        "before => document.querySelectorAll('.chat .thumbs-row').length > before"
        " && !document.querySelector('[data-chat-log]').hasAttribute('aria-busy')",
        arg=before,
    )
    return window.locator(".chat .turn").last


def test_a_conversation_in_the_panel(window: Any, address: str, look: str, pictures: Path):
    question, answer, wish, _ = WORDS[look[:2]]
    window.goto(f"{address}/p/kitchen-04")
    opener = window.locator("[data-chat-open]")
    opener.click()
    panel = window.get_by_role("dialog")
    assert panel.is_visible()
    assert window.evaluate("document.activeElement.id") == "chat-message"
    assert answer in ask(window, question).inner_text()
    window.locator(".chat .rests summary").last.click()
    window.screenshot(path=pictures / f"{look}-chat-answer.png")
    for _ in range(40):  # the focus stays in the panel, or is in the browser's own bar
        window.keyboard.press("Tab")
        assert window.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('[data-chat]')"
        )
    reply = ask(window, wish)
    window.wait_for_selector(".chat-cards a")
    window.wait_for_timeout(200)
    window.screenshot(path=pictures / f"{look}-chat-cards.png")
    hostile = ask(window, HOSTILE)
    assert "owned" not in window.title()
    assert window.locator(".chat img[src='x']").count() == 0
    assert hostile.is_visible()
    assert reply.locator("[role=log]").count() == 0
    up = window.locator(".chat .thumb").first
    up.click()
    window.wait_for_selector(".chat .thumb[aria-pressed=true]")
    window.keyboard.press("Escape")
    assert not panel.is_visible()
    assert window.evaluate("document.activeElement.hasAttribute('data-chat-open')")
    opener.click()
    window.wait_for_selector(".chat-cards a, .turn-customer")
    assert window.locator(".chat .turn-customer").count() == 3
    card = window.locator(".chat-cards a").first
    card.click()
    window.wait_for_url("**/p/**")
    window.wait_for_selector(".chat[open] .turn-customer")  # the panel stays open on the way
    assert window.locator(".chat .turn-customer").count() == 3


def test_a_yes_in_the_panel(window: Any, address: str, shop: Shop, look: str, pictures: Path):
    customer = ORDERS[look]
    order = f"B20{customer[1:]}"
    if shop.store.orders.get([order])[order].status is not OrderStatus.PLACED:
        pytest.skip("another test has cancelled it")
    window.goto(address)
    with window.expect_navigation():
        window.select_option("#customer", customer)
    window.locator("[data-chat-open]").click()
    ask(window, f"Please cancel my order {order}" if look.startswith("en") else f"请帮我取消订单 {order}")
    window.screenshot(path=pictures / f"{look}-chat-proposal.png")
    window.locator(".chat-choice .button").click()
    window.wait_for_selector(".turn:nth-child(5) .thumbs-row")
    assert shop.store.orders.get([order])[order].status is OrderStatus.CANCELLED
    assert window.locator(".chat-choice").count() == 0


def test_a_human_takes_over(window: Any, address: str, shop: Shop, look: str, pictures: Path, chromium: Any):
    keys = Keys(shop.settings.home / "keys.json")
    made, secret = keys.create("desk", ["admin"])
    window.goto(address)
    window.locator("[data-chat-open]").click()
    ask(window, WORDS[look[:2]][3])
    context = chromium.new_context(viewport=window.viewport_size, locale="zh-CN" if look.startswith("zh") else "en-GB")
    staff = context.new_page()
    complaints: list[str] = []
    staff.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    staff.goto(f"{address}/desk")
    staff.screenshot(path=pictures / f"{look}-desk-door.png")
    staff.fill("#key", secret)
    staff.locator(".desk-door .button").click()
    staff.wait_for_selector(".desk-queue li")
    staff.screenshot(path=pictures / f"{look}-desk-queue.png")
    assert staff.evaluate("document.documentElement.scrollWidth <= innerWidth")
    newest = shop.conversations.waiting(100)
    mine = next(one.subject for one in newest if shop.conversations.turns(one.subject)[0].text == WORDS[look[:2]][3])
    staff.goto(f"{address}/desk/talk/{mine}")
    staff.locator('form[action$="/take"] button').click()
    staff.fill("#answer", "<b>Good morning</b>, 您好")
    staff.locator('form[action$="/say"] button').click()
    staff.wait_for_selector(".turn-staff")
    staff.screenshot(path=pictures / f"{look}-desk-case.png", full_page=True)
    assert staff.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    window.wait_for_selector(".chat .turn-staff", timeout=20_000)
    assert window.locator(".chat .turn-staff .words-said").inner_text() == "<b>Good morning</b>, 您好"
    window.screenshot(path=pictures / f"{look}-chat-human.png")
    staff.locator('form[action$="/close"] button').click()
    staff.wait_for_selector('form[action$="/say"]', state="detached")
    context.close()
    keys.revoke(made.id)


@pytest.mark.parametrize("look", ["en-desk"], indirect=True)
def test_a_line_that_is_cut_keeps_what_was_typed(window: Any, address: str):
    window.goto(address)
    window.locator("[data-chat-open]").click()
    window.route("**/chat", lambda route: route.fulfill(status=200, body='event: text\ndata: {"text": "Ha"}\n\n'))
    window.fill("#chat-message", "Hello")
    window.keyboard.press("Enter")
    window.wait_for_function("document.querySelector('[data-chat-state]').textContent.length > 20")
    assert window.locator("#chat-message").input_value() == "Hello"
    assert window.locator(".chat .turn").count() == 0
