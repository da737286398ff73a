"""What the shop thinks of its visitors, on a page of their own."""

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from fastapi.testclient import TestClient

from shopkeeper.tasks.shop import Shop

Arrive = Callable[..., TestClient]


def keys(text: str, *, undo: bool = False) -> list[str]:
    found = re.findall(r'name="key" value="([^"]*)">(<input[^>]*name="undo")?', text)
    return [unescape(key) for key, again in found if bool(again) == undo]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_stranger_then_a_visitor(visitor: Arrive, language: str):
    browser = visitor(language)
    empty = browser.get("/account")
    assert empty.status_code == 200
    assert ("小店还不了解您" in empty.text) == (language == "zh")
    browser.get("/p/kitchen-04")
    found = browser.get("/account").text
    assert any(key.startswith("category:Kitchen") for key in keys(found))
    assert "/p/kitchen-04" in found


def test_not_interested_and_back_again(visitor: Arrive):
    browser = visitor()
    browser.get("/p/kitchen-04")
    key = next(key for key in keys(browser.get("/account").text) if key.startswith("category:"))
    after = browser.post("/account/interest", data={"key": key}).text
    assert key not in keys(after)
    assert key in keys(after, undo=True)
    back = browser.post("/account/interest", data={"key": key, "undo": "1"}).text
    assert key in keys(back)
    assert browser.post("/account/interest", data={"key": "nonsense"}).status_code == 400


def test_other_sites_cannot_mute(visitor: Arrive):
    response = visitor().post("/account/interest", data={"key": "brand:x"}, headers={"Origin": "http://elsewhere"})
    assert response.status_code == 403


def test_everything_to_take_home(visitor: Arrive):
    browser = visitor()
    browser.get("/p/kitchen-04")
    response = browser.get("/account/download")
    assert "attachment" in response.headers["content-disposition"]
    document = json.loads(response.content)
    assert document["profile"]["deeds"] == 1
    assert [event["item"] for event in document["events"] if event["kind"] == "view"] == ["kitchen-04"]


def test_a_customer_erases_themselves(visitor: Arrive, shop: Shop):
    browser = visitor()
    browser.post("/as", data={"customer": "c58"})
    assert shop.store.events.of_customer("c58")
    assert browser.post("/account/erase", data={}).status_code == 200
    assert not shop.store.events.of_customer("c58")
    assert visitor().post("/account/erase", data={}).status_code == 400
