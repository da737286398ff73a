"""A shop that is no demonstration: customers sign in by the shop's own login, and what is theirs is theirs alone."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from toyshop import toy_store
from web_goods import POLICIES, open_orders

from shopkeeper import settings as settings_module
from shopkeeper.serving.auth import Keys
from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.web.site import create_site
from shopkeeper.web.visits import CUSTOMER, SESSION, SIGNED


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("signing-in")
    store = toy_store(home)
    store.words.put(POLICIES)
    store.orders.put(open_orders())
    store.close()
    opened = open_shop(settings_module.load(home, environ={}, overrides={"models.encoder": "use-multilingual"}))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def site(shop: Shop) -> Iterator[TestClient]:
    with TestClient(create_site(shop)) as client:
        yield client


@pytest.fixture(scope="module")
def keys(shop: Shop) -> Keys:
    return Keys(shop.settings.home / "keys.json")


def browser(site: TestClient) -> TestClient:
    return TestClient(site.app, headers={"Accept-Language": "en", "Origin": "http://testserver"})


def signed_in(site: TestClient, keys: Keys, customer: str, more: str = "") -> TestClient:
    key, secret = keys.create("login", ["admin"])
    answer = site.post(f"/v1/customers/{customer}/ticket", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert answer.json()["seconds"] == 60
    found = browser(site)
    found.address = answer.json()["address"] + more
    found.landed = found.get(found.address, follow_redirects=False)
    found.key = key
    return found


def test_the_login_sends_a_customer_in(site: TestClient, keys: Keys):
    known = signed_in(site, keys, "c2", "&next=/account")
    assert known.landed.status_code == 303
    assert known.landed.headers["location"] == "/account"
    cookie = known.landed.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Signed in as c2." in known.get("/account").text
    again = browser(site).get(known.address, follow_redirects=False)
    assert again.status_code == 403, "a ticket is good once"
    assert SIGNED not in again.headers.get("set-cookie", "")


def test_a_basket_survives_and_signing_out_ends_it(site: TestClient, keys: Keys):
    known = signed_in(site, keys, "c4")
    known.post("/basket/add", data={"item": "garden-04"})
    assert "Signed in as c4." in known.get("/account").text
    session = known.cookies[SESSION]
    known.post("/forget")
    assert "Signed in" not in known.get("/account").text
    assert known.cookies[SESSION] != session
    assert SIGNED not in known.cookies


def test_orders_are_told_to_their_customer_alone(site: TestClient, keys: Keys, shop: Shop):
    order = next(iter(open_orders()))
    asked = {"message": f"Where is my order {order.id}?"}
    theirs = signed_in(site, keys, order.customer).post("/chat", data=asked, headers={"Accept": "application/json"})
    others = signed_in(site, keys, "c40").post("/chat", data=asked, headers={"Accept": "application/json"})
    nobody = browser(site).post("/chat", data=asked, headers={"Accept": "application/json"})
    told = [answer.text for answer in (theirs, others, nobody)]
    assert all(answer.status_code == 200 for answer in (theirs, others, nobody)), told
    assert order.status.value in told[0].lower() or "on its way" in told[0].lower() or "placed" in told[0].lower()
    assert told[0] != told[1]
    assert told[0] != told[2]


@pytest.mark.parametrize(
    "next_", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere(site: TestClient, keys: Keys, next_: str):
    assert signed_in(site, keys, "c2", f"&next={next_}").landed.headers["location"] == "/"


@pytest.mark.parametrize("ticket", ["", "x", "a.b.c.d.e", "é" * 50, "x" * 20_000])
def test_a_false_ticket_is_refused_with_a_page(site: TestClient, ticket: str):
    answer = browser(site).get("/enter", params={"ticket": ticket})
    assert answer.status_code in (403, 414)
    assert SIGNED not in answer.cookies


def test_who_says_so_themselves_is_nobody(site: TestClient):
    liar = browser(site)
    for name in (CUSTOMER, SIGNED):
        liar.cookies.set(name, "c2")
    assert "Signed in" not in liar.get("/account").text


def test_only_admin_keys_vouch_and_a_revoked_one_no_longer(site: TestClient, keys: Keys):
    _, secret = keys.create("reader", ["read", "events"])
    refused = site.post("/v1/customers/c2/ticket", headers={"Authorization": f"Bearer {secret}"})
    assert refused.status_code == 403
    assert site.post("/v1/customers/c2/ticket").status_code == 401
    known = signed_in(site, keys, "c2")
    assert "Signed in" in known.get("/account").text
    keys.revoke(known.key.id)
    assert "Signed in" not in known.get("/account").text


def test_the_desk_is_dressed_where_there_is_no_assistant(shop: Shop, keys: Keys, monkeypatch: pytest.MonkeyPatch):
    silent = shop.settings.assist.model_copy(update={"enabled": False})
    monkeypatch.setattr(shop, "settings", shop.settings.model_copy(update={"assist": silent}))
    with TestClient(create_site(shop), headers={"Origin": "http://testserver"}) as site:
        site.post("/desk/enter", data={"key": keys.create("desk", ["admin"])[1]})
        for page in ("/desk", "/desk/opinions", "/desk/copy"):
            text = site.get(page).text
            assert "/static/chat" in text
            assert ".css" in text.partition("/static/chat")[2][:40]
            assert "chat.js" not in text
        assert "chat" not in site.get("/").text.partition("<body")[0]


def test_the_next_customer_at_the_same_browser_finds_nothing_of_the_one_before(site: TestClient, keys: Keys):
    first = signed_in(site, keys, "c6")
    first.post("/basket/add", data={"item": "garden-04"})
    first.post("/chat", data={"message": "How long does delivery take?"}, headers={"Accept": "application/json"})
    session = first.cookies[SESSION]
    second = signed_in(site, keys, "c8")
    first.get(second.address, follow_redirects=False)  # used up: nothing changes
    assert first.cookies[SESSION] == session
    _, secret = keys.create("login", ["admin"])
    ticket = site.post("/v1/customers/c8/ticket", headers={"Authorization": f"Bearer {secret}"}).json()["address"]
    first.get(ticket, follow_redirects=False)
    assert "Signed in as c8." in first.get("/account").text
    assert first.cookies[SESSION] != session
    assert "s=basket-empty" in first.get("/basket").text, "nothing is in it"
    assert first.get("/chat").status_code == 200


def test_the_same_customer_keeps_the_basket(site: TestClient, keys: Keys):
    visitor = browser(site)
    visitor.get("/p/garden-04")
    visitor.post("/basket/add", data={"item": "garden-04"})
    session = visitor.cookies[SESSION]
    _, secret = keys.create("login", ["admin"])
    for _ in range(2):
        ticket = site.post("/v1/customers/c22/ticket", headers={"Authorization": f"Bearer {secret}"}).json()["address"]
        visitor.get(ticket, follow_redirects=False)
        assert visitor.cookies[SESSION] == session
    assert "s=basket-empty" not in visitor.get("/basket").text


def test_a_session_ends_with_the_key_that_vouched(site: TestClient, keys: Keys):
    known = signed_in(site, keys, "c24")
    known.post("/basket/add", data={"item": "garden-04"})
    session = known.cookies[SESSION]
    keys.revoke(known.key.id)
    assert "s=basket-empty" in known.get("/basket").text, "nothing is in it"
    assert known.cookies[SESSION] != session
    assert SIGNED not in known.cookies
