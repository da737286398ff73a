"""Profiles through /v1: read, mute, scopes, bad input."""

import pytest
from fastapi.testclient import TestClient


def test_read_mute_and_take_back(client: TestClient):
    found = client.get("/v1/customers/c02/profile").json()
    assert found["customer"] == "c02"
    assert found["deeds"] > 0
    key = next(one["key"] for one in found["interests"] if one["kind"] == "category")
    after = client.post("/v1/customers/c02/interests", json={"mute": [key]}).json()
    assert after["muted"] == [key]
    assert key not in {one["key"] for one in after["interests"]}
    back = client.post("/v1/customers/c02/interests", json={"unmute": [key]}).json()
    assert back["muted"] == []
    assert key in {one["key"] for one in back["interests"]}


def test_the_unknown_have_an_empty_profile(client: TestClient):
    found = client.get("/v1/customers/nobody-at-all/profile").json()
    assert (found["deeds"], found["interests"], found["tags"], found["segment"]) == (0, [], [], None)


def test_no_segments_before_training(client: TestClient):
    assert client.get("/v1/segments").json() == {"segments": []}


@pytest.mark.parametrize(
    "body", [{"mute": ["Bosch"]}, {"mutes": []}, {"mute": ["brand:x"] * 101}, {"mute": ["brand:"]}]
)
def test_bad_bodies(client: TestClient, body: dict[str, object]):
    response = client.post("/v1/customers/c02/interests", json=body)
    assert response.status_code in (400, 422)
    assert response.json()["cure"] or response.json()["detail"]


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("events", 200)])
def test_scopes(client: TestClient, keys: dict[str, str], scope: str, status: int):
    headers = {"Authorization": f"Bearer {keys[scope]}"}
    assert client.post("/v1/customers/c04/interests", json={}, headers=headers).status_code == status
    reading = client.get("/v1/customers/c04/profile", headers=headers).status_code
    assert reading == (200 if scope == "read" else 403)
