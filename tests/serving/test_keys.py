"""Keys, scopes and rates."""

import json
import stat
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from test_api_answers import assert_problem

from shopkeeper.errors import InputError, NotFoundError, StoreError
from shopkeeper.serving.app import create_app
from shopkeeper.serving.auth import Keys, Limiter, Scope
from shopkeeper.tasks.shop import Shop


def test_only_hashes_are_kept_and_only_the_owner_reads_them(tmp_path: Path):
    path = tmp_path / "keys.json"
    key, text = Keys(path).create("till", ["read"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text.split("_", 2)[2] not in path.read_text()
    found = Keys(path).check(text)
    assert found == key
    assert found.may(Scope.READ)
    assert not found.may(Scope.EVENTS)


def test_a_wrong_key_is_nobody(tmp_path: Path):
    keys = Keys(tmp_path / "keys.json")
    key, text = keys.create("till", ["admin"])
    for wrong in ("", "sk", "sk__", f"sk_{key.id}_", text[:-1], text + "x", text.replace("sk_", "pk_"), "sk_x_\ud800"):
        assert keys.check(wrong) is None


def test_another_process_makes_and_revokes_keys(tmp_path: Path):
    served, typed = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    key, text = typed.create("new", ["events"])
    assert served.check(text) == key
    typed.revoke(text)
    served._looked = 0.0  # a second has gone by
    assert served.check(text) is None
    assert typed.list() == ()


def test_bad_scopes_ids_and_files_say_what_to_do(tmp_path: Path):
    keys = Keys(tmp_path / "keys.json")
    with pytest.raises(InputError, match="read, events, admin"):
        keys.create("x", ["write"])
    with pytest.raises(InputError, match="at least one"):
        keys.create("x", [])
    with pytest.raises(NotFoundError):
        keys.revoke("sk_none")
    (tmp_path / "keys.json").write_text(json.dumps([{"id": 1}]))
    with pytest.raises(StoreError, match=r"keys\.json"):
        Keys(tmp_path / "keys.json").list()


def test_each_scope_opens_its_doors_only(shop: Shop, keys: dict[str, str]):
    allowed = {
        "read": {("GET", "/v1/search")},
        "events": {("POST", "/v1/events")},
        "admin": {("GET", "/v1/search"), ("POST", "/v1/events"), ("DELETE", "/v1/items/none"), ("GET", "/v1/metrics")},
    }
    allowed["read"].add(("GET", "/v1/metrics"))
    client = TestClient(create_app(shop, keys=Keys(shop.settings.home / "keys.json")))
    for scope, text in keys.items():
        for method, path in allowed["admin"]:
            body = {"events": []} if path == "/v1/events" else None
            response = client.request(method, path, json=body, headers={"X-Api-Key": text})
            if (method, path) in allowed[scope]:
                assert response.status_code == 200, response.text
            else:
                assert scope not in assert_problem(response, 403)["detail"].split("scope")[1]


def test_without_a_key_only_the_state_is_told(shop: Shop):
    client = TestClient(create_app(shop, keys=Keys(shop.settings.home / "keys.json")))
    for path in ("/v1/health", "/v1/ready", "/v1/version", "/v1/openapi.json"):
        assert client.get(path).status_code == 200
    refused = client.get("/v1/search", params={"q": "x"}, headers={"Authorization": "Bearer sk_no_no"})
    assert_problem(refused, 401)
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_keys_can_be_switched_off(shop: Shop):
    assert TestClient(create_app(shop, keys=None)).get("/v1/search", params={"q": "pan"}).status_code == 200


def test_a_bucket_lets_a_burst_through_and_then_the_rate():
    limiter = Limiter(rate=2, burst=3)
    assert [limiter.wait("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait("a", 0.0) == pytest.approx(0.5)
    assert limiter.wait("b", 0.0) == 0
    assert limiter.wait("a", 0.5) == 0
    assert limiter.wait("a", 0.5) > 0
    assert Limiter(rate=0).wait("a") == 0


def test_a_bucket_forgets_the_longest_silent():
    limiter = Limiter(rate=1, burst=1, callers=2)
    for caller in ("a", "b", "c"):
        limiter.wait(caller, 0.0)
    assert limiter.wait("c", 0.0) > 0
    assert limiter.wait("a", 0.0) == 0


def test_too_many_requests_are_told_when_to_come_back(shop: Shop, keys: dict[str, str]):
    app = create_app(shop, keys=Keys(shop.settings.home / "keys.json"))
    app.state.gate._limiter = Limiter(rate=0.5, burst=2)
    client = TestClient(app, headers={"X-Api-Key": keys["read"]})
    codes = [client.get("/v1/search", params={"q": "pan"}).status_code for _ in range(4)]
    assert codes == [200, 200, 429, 429]
    assert client.get("/v1/search").headers["Retry-After"] == "2"
