"""A search that finds nothing leaves a trace; a rule holds when it is written."""

from fastapi.testclient import TestClient

from shopkeeper.records import EventKind
from shopkeeper.tasks.shop import Shop

IMPOSSIBLE = {"brands": ["Nobody makes this"]}


def shown(client: TestClient, shop: Shop, session: str):
    client.app.state.desk.flush()
    return [event for event in shop.store.events.of_session(session) if event.kind is EventKind.IMPRESSION]


def test_a_query_that_finds_nothing_is_logged_once_and_reported(client: TestClient, shop: Shop):
    for n in range(3):
        asked = {"query": "时间机器 machine", "filters": IMPOSSIBLE, "session": f"lost-{n}"}
        assert client.post("/v1/search", json=asked).json()["hits"] == []
        client.post("/v1/search", json={**asked, "offset": 24})
    (event,) = shown(client, shop, "lost-0")
    assert event.query == "时间机器 machine"
    assert event.impression is not None
    assert event.impression.items == ()
    report = client.get("/v1/analytics/searches", params={"days": 2}).json()
    (row,) = [row for row in report["unanswered"] if row["query"] == "时间机器 machine"]
    assert (row["searches"], row["empty"]) == (3, 1.0)


def test_pages_beyond_the_end_and_empty_browsing_are_no_failed_searches(client: TestClient, shop: Shop):
    client.post("/v1/search", json={"query": "garden", "offset": 900, "session": "deep"})
    client.post("/v1/search", json={"filters": IMPOSSIBLE, "session": "browsing"})
    assert shown(client, shop, "deep") == []
    assert shown(client, shop, "browsing") == []


def test_a_rule_holds_when_its_request_returns(client: TestClient):
    def found() -> list[str]:
        return [hit["item"] for hit in client.get("/v1/search", params={"q": "frying pan"}).json()["hits"]]

    assert "kitchen-00" in found()
    rule = {"id": "now", "name": "Now", "when": {"contains": ["pan"]}, "then": {"hide": ["kitchen-00"]}}
    client.put("/v1/rules", json={"rules": [rule]})
    try:
        assert "kitchen-00" not in found()
    finally:
        client.delete("/v1/rules", params={"id": "now"})
    assert "kitchen-00" in found()
