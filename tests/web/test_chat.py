"""The chat as a page without scripts, and what its panel asks for."""

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from fastapi.testclient import TestClient

from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.shop import Shop
from shopkeeper.web.chat import conversation_of
from shopkeeper.web.visits import Visit

Arrive = Callable[..., TestClient]


def said(text: str) -> list[str]:
    return [unescape(words) for words in re.findall(r'<p class="words-said">(.*?)</p>', text, re.DOTALL)]


def field(text: str, name: str) -> str:
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', text)[1])


def events(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event:")]
    return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in blocks]


@pytest.mark.parametrize(
    ("language", "question", "answer"),
    [("en", "How long do I have to return an item?", "30 days"), ("zh", "几天内可以退货？", "30 天")],
)
def test_a_conversation_without_scripts(visitor: Arrive, language: str, question: str, answer: str):
    browser = visitor(language)
    assert 'href="/chat' in browser.get("/").text
    browser.get("/chat")
    page = browser.post("/chat", data={"message": question})
    assert page.status_code == 200
    assert said(page.text)[0] == question
    assert answer in said(page.text)[1]
    assert answer in said(browser.get("/chat").text)[1]
    assert visitor(language).get("/chat").text.count("words-said") == 0
    gone = browser.post("/chat/forget", data={})
    assert said(gone.text) == []


def test_products_are_cards_that_lead_to_their_pages(visitor: Arrive):
    browser = visitor()
    page = browser.post("/chat", data={"message": "Recommend something for the garden, please"}).text
    cards = re.findall(r'<li><a href="(/p/[^"]+)">', page)
    assert cards
    assert "s=assist" in cards[0]
    assert browser.get(unescape(cards[0])).status_code == 200
    assert re.findall(r'<li><a href="(/p/[^"?]+)', browser.get("/chat").text)


def test_a_yes_by_button_and_by_script(visitor: Arrive, shop: Shop):
    for customer, script in (("c10", False), ("c12", True)):
        browser = visitor()
        browser.post("/as", data={"customer": customer})
        order = f"B20{customer[1:]}"
        page = browser.post("/chat", data={"message": f"Please cancel my order {order}"}).text
        assert shop.store.orders.get([order])[order].status is OrderStatus.PLACED
        yes = {"confirm": field(page, "confirm"), "message": ""}
        if script:
            found = events(browser.post("/chat", data=yes, headers={"Accept": "text/event-stream"}).text)
            assert found[-1][0] == "reply"
        else:
            assert browser.post("/chat", data=yes).status_code == 200
        assert shop.store.orders.get([order])[order].status is OrderStatus.CANCELLED


def test_the_script_gets_a_stream_and_the_lines_so_far(visitor: Arrive):
    browser = visitor()
    browser.get("/")
    body = {"message": "How long do I have to return an item?"}
    response = browser.post("/chat", data=body, headers={"Accept": "text/event-stream"})
    found = events(response.text)
    reply = found[-1][1]
    assert "".join(data["text"] for name, data in found if name == "text") == reply["text"]
    assert reply["citations"]
    assert reply["human"] is False
    lines = browser.get("/chat/lines").json()["lines"]
    assert [line["id"] for line in lines] == [reply["turn"], reply["id"]]
    noted = browser.post("/chat/rating", data={"reply": reply["id"], "up": "1"}, headers={"Accept": "application/json"})
    assert noted.json()["said"]
    assert visitor().post("/chat/rating", data={"reply": reply["id"], "up": "0"}).status_code == 404


def test_a_new_visit_is_a_new_conversation(visitor: Arrive):
    browser = visitor()
    browser.post("/chat", data={"message": "Hello"})
    browser.post("/forget", data={})
    assert said(browser.get("/chat").text) == []
    visit = Visit("a" * 32, "", "en", "r")
    assert conversation_of(visit) != conversation_of(Visit("b" * 32, "", "en", "r"))
    assert visit.session not in conversation_of(visit)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("", 400),
        (" \x00\n ", 400),
        ("x" * 4_001, 413),
        ("x" * 1_000_000, 413),
        ("🛍️👩‍👩‍👧‍👦", 200),
        ("a\x00b\x1b[31mc", 200),
        ("<img src=x onerror=alert(1)>", 200),
    ],
)
def test_whatever_is_said_gets_a_page(visitor: Arrive, message: str, status: int):
    browser = visitor()
    response = browser.post("/chat", data={"message": message})
    assert response.status_code == status
    assert "<img src=x" not in response.text
    script = browser.post("/chat", data={"message": message}, headers={"Accept": "text/event-stream"})
    assert script.status_code == status


def test_other_sites_cannot_speak_for_a_visitor(visitor: Arrive):
    elsewhere = {"Origin": "https://elsewhere.example"}
    for path in ("/chat", "/chat/rating", "/chat/forget"):
        assert visitor().post(path, data={"message": "Hi"}, headers=elsewhere).status_code == 403


def test_too_many_turns_have_to_wait(visitor: Arrive):
    browser = visitor()
    browser.get("/")
    codes = []
    for _ in range(32):
        browser.app.state.pace._buckets.clear()
        codes.append(browser.post("/chat", data={"message": "Hello"}).status_code)
    assert codes[:30] == [200] * 30
    assert codes[-1] == 429


def test_a_shop_without_assistant_shows_none(visitor: Arrive, shop: Shop, monkeypatch):
    off = shop.settings.model_copy(update={"assist": shop.settings.assist.model_copy(update={"enabled": False})})
    monkeypatch.setattr(shop, "settings", off)
    assert "/chat" not in visitor().get("/").text
    assert visitor().get("/chat").status_code == 404
