"""The human desk in the browser: its door, the queue, and what staff do."""

import re
import time
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from fastapi.testclient import TestClient

from shopkeeper.serving.auth import Keys
from shopkeeper.tasks.shop import Shop
from shopkeeper.web import staff as staff_module
from shopkeeper.web.staff import COOKIE

Arrive = Callable[..., TestClient]
HOSTILE = "<script>alert(1)</script> I want to talk to a human, not a machine"


@pytest.fixture(scope="module")
def keys(shop: Shop) -> Keys:
    return Keys(shop.settings.home / "keys.json")


@pytest.fixture
def insider(visitor: Arrive, keys: Keys) -> Iterator[TestClient]:
    made, secret = keys.create("desk", ["admin"])
    browser = visitor()
    browser.post("/desk/enter", data={"key": secret})
    yield browser
    if made.id in [key.id for key in keys.list()]:
        keys.revoke(made.id)


def handed_over(visitor: Arrive, customer: str = "") -> tuple[TestClient, str]:
    """A visitor who asked for a human, and the address of the case."""
    browser = visitor()
    if customer:
        browser.post("/as", data={"customer": customer})
    browser.get("/")
    browser.post("/chat", data={"message": HOSTILE})
    desk = browser.app.state.desk.shop.conversations
    return browser, desk.waiting(100)[0].subject if not customer else next(
        one.subject for one in desk.waiting(100) if one.customer == customer
    )


def token(page: str) -> str:
    return re.search(r'name="token" value="([0-9a-f]+)"', page)[1]


def test_the_door_opens_for_admin_keys_only(visitor: Arrive, keys: Keys):
    for scope in ("read", "events"):
        refused = visitor().post("/desk/enter", data={"key": keys.create(scope, [scope])[1]})
        assert refused.status_code == 403
        assert COOKIE not in refused.cookies
    for wrong in ("", "sk_nothing_here", "x" * 150, "钥匙"):
        assert visitor().post("/desk/enter", data={"key": wrong}).status_code == 403
    made, secret = keys.create("desk", ["admin"])
    browser = visitor()
    response = browser.post("/desk/enter", data={"key": secret}, follow_redirects=False)
    cookie = response.headers["set-cookie"]
    assert response.status_code == 303
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/desk"))
    assert secret.rpartition("_")[2] not in cookie
    assert "Waiting for a person" in browser.get("/desk").text
    keys.revoke(made.id)
    assert "Sign in" in browser.get("/desk").text


def test_a_cookie_that_was_changed_or_is_old_opens_nothing(insider: TestClient, monkeypatch):
    cookie = insider.cookies[COOKIE]
    for forged in (
        cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        cookie.replace(".", ".9", 1),
        "x",
        "...",
        "a.b.c.d",
    ):
        insider.cookies.set(COOKIE, forged, domain="testserver.local", path="/desk")
        assert "Sign in" in insider.get("/desk").text
    insider.cookies.set(COOKIE, cookie, domain="testserver.local", path="/desk")
    assert "Waiting for a person" in insider.get("/desk").text
    late = time.time() + staff_module.LASTS + 60
    monkeypatch.setattr(staff_module.time, "time", lambda: late)
    assert "Sign in" in insider.get("/desk").text


def test_strangers_see_and_do_nothing(visitor: Arrive):
    _, conversation = handed_over(visitor)
    browser = visitor()
    assert conversation not in browser.get("/desk").text
    assert HOSTILE[-10:] not in browser.get(f"/desk/talk/{conversation}").text
    for deed in ("take", "say", "close", "rate", "intent"):
        response = browser.post(
            f"/desk/talk/{conversation}/{deed}", data={"token": "0", "text": "x"}, follow_redirects=False
        )
        assert (response.status_code, response.headers["location"]) == (303, "/desk")


def test_a_case_is_read_taken_answered_corrected_and_closed(visitor: Arrive, insider: TestClient, shop: Shop):
    customer, conversation = handed_over(visitor, "c14")
    queue = insider.get("/desk").text
    assert f"/desk/talk/{conversation}" in queue
    assert "Customer c14" in queue
    place = f"/desk/talk/{conversation}"
    page = insider.get(place).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    form = {"token": token(page)}
    taken = insider.post(f"{place}/take", data=form).text
    assert f'action="{place}/take"' not in taken
    assert insider.post(f"{place}/say", data={**form, "text": "  "}).status_code == 400
    assert insider.post(f"{place}/say", data={**form, "text": "x" * 4_001}).status_code == 400
    insider.post(f"{place}/say", data={**form, "text": "Good morning <b>you</b>"})
    read = customer.get("/chat").text
    assert "Good morning &lt;b&gt;you&lt;/b&gt;" in read
    assert customer.get("/chat/lines").json()["human"] is True
    turn = re.search(r'name="turn" value="([^"]+)"', page)[1]
    assert insider.post(f"{place}/intent", data={**form, "turn": turn, "intent": "complaint"}).status_code == 200
    assert insider.post(f"{place}/intent", data={**form, "turn": turn, "intent": "magic"}).status_code == 400
    assert [one.label for one in shop.store.labels.decided("intent") if one.subject == turn] == ["complaint"]
    reply = re.search(r'name="reply" value="([^"]+)"', page)[1]
    rated = insider.post(f"{place}/rate", data={**form, "reply": reply, "up": "0"}).text
    assert 'aria-pressed="true"' in rated
    closed = insider.post(f"{place}/close", data=form).text
    assert f'action="{place}/say"' not in closed
    assert conversation not in insider.get("/desk").text
    assert customer.get("/chat/lines").json()["human"] is False


def test_forms_of_others_are_refused(visitor: Arrive, insider: TestClient):
    _, conversation = handed_over(visitor)
    place = f"/desk/talk/{conversation}"
    for given in ("", "0" * 64, "钥"):
        assert insider.post(f"{place}/take", data={"token": given}).status_code == 403
    form = {"token": token(insider.get(place).text)}
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert insider.post(f"{place}/take", data=form, headers=elsewhere).status_code == 403
    assert insider.get("/desk/talk/nowhere").status_code == 404


def test_out_again(insider: TestClient):
    insider.post("/desk/leave", data={})
    assert "Sign in" in insider.get("/desk").text


def test_both_languages(insider: TestClient):
    page = insider.get("/desk?lang=zh").text
    assert "人工客服台" in page
    assert "等待人工" in unescape(page)
