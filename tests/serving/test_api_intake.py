"""Products and events through HTTP, good and bad."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_api_answers import assert_problem, found

from shopkeeper.tasks.shop import Shop


def event(number: int = 0, **fields: object) -> dict[str, object]:
    return {"id": f"intake-{number}", "kind": "view", "session": "intake", "item": "garden-00", **fields}


def test_a_new_product_is_found_at_once_and_gone_when_deleted(client: TestClient):
    item = {"id": "new/1", "title": "Zephyr paraglider", "category": "Sport > Air", "price": 999, "currency": "EUR"}
    began = time.perf_counter()
    assert client.post("/v1/items", json={"items": [item]}).json() == {
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "removed": 0,
    }
    assert found(client.get("/v1/search", params={"q": "paraglider"}))[0] == "new/1"
    assert time.perf_counter() - began < 1
    kept = client.get("/v1/items/new/1").json()
    assert kept["category"] == ["Sport", "Air"]
    assert kept["price"] == 999
    assert client.post("/v1/items", json={"items": [item]}).json()["unchanged"] == 1
    assert client.delete("/v1/items/new/1").json()["removed"] == 1
    assert "new/1" not in found(client.get("/v1/search", params={"q": "paraglider"}))
    assert client.delete("/v1/items", params={"id": ["new/1", "never"]}).json()["unchanged"] == 2


def test_what_comes_out_can_go_in_again(client: TestClient):
    document = client.get("/v1/items/kitchen-04").json()
    assert client.post("/v1/items", json={"items": [document]}).json()["unchanged"] == 1


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({"id": "", "title": "x"}, "id"),
        ({"id": "a\nb", "title": "x"}, "id"),
        ({"id": "x" * 201, "title": "x"}, "id"),
        ({"id": "a"}, "title"),
        ({"id": "a", "title": "x", "price": -1}, "price"),
        ({"id": "a", "title": "x", "price": "dear"}, "price"),
        ({"id": "a", "title": "x", "availability": "maybe"}, "availability"),
        ({"id": "a", "title": "x", "colour": "red"}, "items.0"),
        ({"id": "a", "title": "x", "currency": "euros"}, "currency"),
    ],
)
def test_a_bad_product_is_refused_with_its_place(client: TestClient, item: dict[str, object], where: str):
    assert where in str(assert_problem(client.post("/v1/items", json={"items": [item]}), 400)["where"])


def test_one_id_twice_is_refused(client: TestClient):
    twice = [{"id": "a", "title": "x"}, {"id": "a", "title": "y"}]
    assert assert_problem(client.post("/v1/items", json={"items": twice}), 400)["where"] == "body.items.1.id"


def test_events_are_kept_once(client: TestClient, shop: Shop):
    batch = {"events": [event(1), event(2)]}
    assert client.post("/v1/events", json=batch).json() == {"accepted": 2, "repeated": 0, "rejected": []}
    assert client.post("/v1/events", json=batch).json() == {"accepted": 0, "repeated": 2, "rejected": []}
    assert {e.id for e in shop.store.events.of_session("intake")} >= {"intake-1", "intake-2"}


def test_faulty_events_are_named_and_the_others_kept(client: TestClient):
    rows = [
        event(10),
        event(11, kind="stare"),
        event(12, item=""),
        {"kind": "view", "item": "garden-00"},
        event(14, time=(datetime.now(UTC) + timedelta(days=2)).isoformat()),
        event(15, kind="search", item=""),
        event(16, impression={"items": ["a", "b"], "positions": [1]}, kind="impression"),
        event(17, sesion="typo"),
        "not an event",
    ]
    document = client.post("/v1/events", json={"events": rows}).json()
    assert document["accepted"] == 1
    assert [fault["index"] for fault in document["rejected"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(fault["what"] and fault["cure"] for fault in document["rejected"])
    assert "'session'" in document["rejected"][6]["cure"]


def test_strict_refuses_the_batch_for_one_fault(client: TestClient):
    rows = [event(20), event(21, kind="stare")]
    problem = assert_problem(client.post("/v1/events?strict=true", json={"events": rows}), 400)
    assert problem["where"] == "events.1"
    assert client.post("/v1/events", json={"events": [event(20)]}).json()["accepted"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"3", b'{"events": 3}', b'{"evens": []}', b"\xff"])
def test_what_is_no_batch_is_a_problem(client: TestClient, body: bytes):
    assert_problem(client.post("/v1/events", content=body), 400)


def test_too_many_events_and_too_large_bodies_are_refused(client: TestClient):
    assert_problem(client.post("/v1/events", json={"events": [event(n) for n in range(51)]}), 400)
    assert_problem(client.post("/v1/events", content=b"x" * 20_001), 413)
    chunks = (b"x" * 1_000 for _ in range(30))
    assert_problem(client.post("/v1/events", content=chunks), 413)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "kind", "time", "item", "value", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_no_event_breaks_the_server(client: TestClient, row: object):
    assert client.post("/v1/events", json={"events": [row]}).status_code in (200, 400)
