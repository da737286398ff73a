"""/v1/write and /v1/copy: written, decided, shown, compared, and who may do what; the desk's page and the command."""

import re
import time
from collections.abc import Iterator

import pytest
import toyshop
from fastapi.testclient import TestClient

from shopkeeper import settings as settings_module
from shopkeeper.records import Event, EventKind, now
from shopkeeper.serving import writing as pen_api
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.tasks.shop import Shop, open_shop
from shopkeeper.tasks.write.shop import OWN_CLAIMS

ITEM = "garden-04"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("penned")
    toyshop.toy_store(home).close()
    (home / OWN_CLAIMS).write_text("wheelbarrow\n", encoding="utf-8")
    given = settings_module.load(
        home, environ={}, overrides={"models.encoder": "use-multilingual", "serve.keys_required": True}
    )
    opened = open_shop(given)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def callers(shop) -> Iterator[dict[str, TestClient]]:
    keys = Keys(shop.settings.home / "keys.json")
    app = create_app(shop, keys=keys_of(shop))
    if "/v1/write" not in {getattr(route, "path", "") for route in app.routes}:
        app.include_router(pen_api.router)
    with TestClient(app) as client:
        yield {
            scope: TestClient(client.app, headers={"Authorization": f"Bearer {keys.create(scope, [scope])[1]}"})
            for scope in ("read", "events", "admin")
        }


def test_copy_goes_from_the_pen_to_the_public_and_back(callers, shop):
    admin, read = callers["admin"], callers["read"]
    wrote = admin.post("/v1/write", json={"kind": "ad", "items": [ITEM], "candidates": 3}).json()
    (one,) = wrote["written"]
    assert wrote["proposed"] == len(one["copies"]) >= 2
    assert all(not copy["objections"] for copy in one["copies"])
    waiting = {copy["subject"] for copy in admin.get("/v1/copy").json()["copies"]}
    assert waiting == {copy["subject"] for copy in one["copies"]}
    assert read.get(f"/v1/copy/{ITEM}?kind=ad").json()["chosen"] is None

    price = next(copy for copy in one["copies"] if copy["lead"] == "price")
    decided = admin.post("/v1/copy/decide", json={"subject": price["subject"], "decision": "approve"}).json()
    assert decided["label"] == "publish"
    assert decided["rater"].startswith("admin")
    shown = read.get(f"/v1/copy/{ITEM}?kind=ad&who=s1").json()
    assert shown["chosen"]["text"] == price["text"]
    assert len(shown["variants"]) == 1

    shop.record([
        Event(id="v1", time=now(), kind=EventKind.VIEW, session="s1", item=ITEM, properties=shown["chosen"]["properties"]),
        Event(id="v2", time=now(), kind=EventKind.CART, session="s1", item=ITEM),
    ])  # fmt: skip
    (report,) = admin.get("/v1/copy/report?days=1").json()["reports"]
    assert report["variants"][0]["orders"] == 1

    from dataclasses import replace

    item = shop.store.catalogue.get([ITEM])[ITEM]
    shop.put([replace(item, price=99.0)])
    assert read.get(f"/v1/copy/{ITEM}?kind=ad&who=s1").json()["chosen"] is None
    back = admin.get("/v1/copy?state=withdrawn").json()["copies"]
    assert [copy["subject"] for copy in back] == [price["subject"]]
    refused = admin.post("/v1/copy/decide", json={"subject": price["subject"], "decision": "approve"})
    assert refused.status_code in (400, 422)
    shop.put([item])


def test_an_edit_that_lies_is_refused_and_a_true_one_is_published(callers):
    admin = callers["admin"]
    (one,) = admin.post("/v1/write", json={"kind": "title", "items": ["kitchen-02"]}).json()["written"]
    subject = one["copies"][0]["subject"]
    lie = {"subject": subject, "decision": "edit", "text": "The best knife, only $3"}
    answer = admin.post("/v1/copy/decide", json=lie)
    assert answer.status_code in (400, 422)
    assert "$3" in answer.text
    done = admin.post("/v1/copy/decide", json={**lie, "text": "Hearth chef knife"}).json()
    assert done["text"] == "Hearth chef knife"
    assert (
        admin.post("/v1/copy/decide", json={"subject": done["subject"], "decision": "unapprove"}).json()["label"]
        == "unpublished"
    )


def test_the_shops_own_list_is_read(callers):
    wrote = callers["admin"].post("/v1/write", json={"kind": "title", "items": ["garden-06"], "propose": False}).json()
    assert wrote["proposed"] == 0
    assert wrote["written"][0]["copies"] == []
    assert {why["kind"] for copy in wrote["written"][0]["refused"] for why in copy["objections"]} == {"own"}


def test_the_pen_is_one_a_shop_and_new_after_a_reload(shop):
    before = shop.pen
    assert shop.pen is before
    shop.reload()
    assert shop.pen is not before


@pytest.mark.parametrize(
    ("caller", "method", "path", "sent", "status"),
    [
        ("read", "post", "/v1/write", {"kind": "title", "items": [ITEM]}, {403}),
        ("read", "get", "/v1/copy", None, {403}),
        ("events", "get", f"/v1/copy/{ITEM}", None, {403}),
        ("read", "post", "/v1/copy/decide", {"subject": "a/b/c/d", "decision": "refuse"}, {403}),
        ("admin", "post", "/v1/write", {"kind": "poem", "items": [ITEM]}, {400, 422}),
        ("admin", "post", "/v1/write", {"kind": "title", "items": []}, {400, 422}),
        ("admin", "post", "/v1/write", {"kind": "title", "items": ["nothing"]}, {404}),
        ("admin", "post", "/v1/write", {"kind": "title", "items": [ITEM], "limit": 3}, {400, 422}),
        ("admin", "post", "/v1/write", {"kind": "push", "items": [ITEM], "segment": "s9"}, {404}),
        ("admin", "post", "/v1/copy/decide", {"subject": "nobody", "decision": "approve"}, {400, 404, 422}),
        ("admin", "post", "/v1/copy/decide", {"subject": "a/title/en/0", "decision": "perhaps"}, {400, 422}),
        ("read", "get", "/v1/copy/nothing", None, {404}),
        ("read", "get", f"/v1/copy/{ITEM}?kind=poem", None, {400, 422}),
        ("admin", "get", "/v1/copy?state=lost", None, {400, 422}),
    ],
)
def test_bad_calls_are_refused_with_a_cure(callers, caller, method, path, sent, status):
    answer = callers[caller].request(method, path, json=sent)
    assert answer.status_code in status
    assert re.search("detail|title|what", answer.text)


def test_copy_about_reviews_is_looked_at_every_minute_though_no_item_changed(shop, monkeypatch):
    looked: list[bool] = []
    monkeypatch.setattr(shop.pen.desk, "refresh", lambda: looked.append(True))
    monkeypatch.setattr(shop, "_copy_read", time.monotonic())
    shop.refresh()
    assert not looked
    monkeypatch.setattr(shop, "_copy_read", time.monotonic() - 60)
    shop.refresh()
    shop.refresh()
    assert len(looked) == 1
