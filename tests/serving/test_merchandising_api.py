"""Merchandising through HTTP: write, try out, see who did what; and the requests of docs/merchandising.md."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from test_api_answers import assert_problem

from shopkeeper.records import Customer
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.tasks.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "merchandising.md").read_text(encoding="utf-8")
PAN = {"id": "pan", "name": "Pans", "when": {"contains": ["pan", "煎锅"]}, "then": {"hide": ["kitchen-00"]}}


@pytest.fixture(autouse=True)
def _clean(shop: Shop) -> Iterator[None]:
    yield
    shop.store.rules.remove([rule.id for rule in shop.store.rules.scan()])
    shop.refresh()


def put(client: TestClient, *rules: dict[str, object]) -> dict[str, int]:
    response = client.put("/v1/rules", json={"rules": list(rules)})
    assert response.status_code == 200, response.text
    return response.json()


def preview(client: TestClient, **body: object) -> dict[str, object]:
    response = client.post("/v1/rules/preview", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def items(document: dict[str, object]) -> list[str]:
    return [hit["item"] for hit in document["hits"]]


def test_rules_are_written_read_and_removed_and_every_change_is_named(client: TestClient, shop: Shop):
    assert put(client, PAN) == {"added": 1, "updated": 0, "unchanged": 0, "removed": 0}
    kept = client.get("/v1/rules").json()
    (rule,) = kept["rules"]
    assert {name: rule[name] for name in PAN} == PAN
    assert re.fullmatch(r"admin \([0-9a-f]{12}\)", rule["changed_by"])
    assert put(client, rule)["unchanged"] == 1  # what was read can be sent back
    assert put(client, {**rule, "enabled": False})["updated"] == 1
    assert client.delete("/v1/rules", params={"id": ["pan", "none"]}).json()["removed"] == 1
    changes = client.get("/v1/rules/changes", params={"rule": "pan", "limit": 3}).json()["changes"]
    assert [(c["before"] is None, c["after"] is None) for c in changes] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    assert changes[1]["before"] == rule
    assert changes[1]["after"]["enabled"] is False
    assert all(c["actor"] == rule["changed_by"] for c in changes)
    assert shop.store.rules.version == changes[0]["number"]
    older = client.get("/v1/rules/changes", params={"before": changes[0]["number"], "limit": 1}).json()["changes"]
    assert older == changes[1:2]


@pytest.mark.parametrize(("query", "gone"), [("frying pan", "kitchen-00"), ("铸铁煎锅", "kitchen-01")])
def test_a_preview_shows_what_unsaved_rules_would_do(client: TestClient, shop: Shop, query: str, gone: str):
    version = shop.store.rules.version
    plain = preview(client, query=query, limit=50)
    assert gone in items(plain)
    assert [hit["before"] for hit in plain["hits"]] == list(range(1, len(plain["hits"]) + 1))
    draft = {**PAN, "then": {"hide": [gone], "pins": [{"item": "garden-04", "position": 2}]}}
    ruled = preview(client, query=query, rules=[draft], limit=50)
    assert gone not in items(ruled)
    place = min(1, len(plain["hits"]) - 1)  # a pin beyond the end stands at the end
    assert items(ruled)[place] == "garden-04"
    assert ruled["hits"][place]["pinned"] is True
    assert ruled["fired"] == [{"id": "pan", "name": "Pans"}]
    assert ruled["total"] == len(ruled["hits"])
    assert shop.store.rules.version == version
    assert client.get("/v1/rules").json()["rules"] == []


def test_a_preview_looks_into_the_future_at_a_customer_and_at_a_replaced_query(client: TestClient):
    banner = {"text": {"zh": "双十一", "en": "Singles' Day <script>"}, "link": "/search?q=pan"}
    rules = [
        {
            "id": "day",
            "name": "Day",
            "when": {"start": "2030-11-11T00:00:00+08:00", "end": "2030-11-12T00:00:00+08:00"},
            "then": {"banner": banner},
        },
        {"id": "word", "name": "Word", "when": {"exact": ["skillet"]}, "then": {"query": "frying pan"}},
        {
            "id": "gold",
            "name": "Gold",
            "when": {"segments": {"tier": ["gold"]}},
            "then": {"filters": {"brands": ["Hearth"]}},
        },
    ]
    put(client, *rules)
    assert preview(client, query="skillet")["banner"] is None
    future = preview(client, query="skillet", time="2030-11-11T01:00:00+08:00")
    assert future["banner"] == banner
    assert future["query"] == "frying pan"
    assert items(future)[0] == "kitchen-00"
    assert [rule["id"] for rule in future["fired"]] == ["day", "word"]
    assert preview(client, query="skillet", time="2030-11-11T00:00:00Z", saved=False)["fired"] == []
    replaced = {**rules[0], "enabled": False}
    assert preview(client, query="pan", time="2030-11-11T00:00:00Z", rules=[replaced])["banner"] is None


def test_a_preview_knows_the_customer(client: TestClient, shop: Shop):
    shop.store.customers.put([Customer(id="gold-1", attributes={"tier": "gold"})])
    rule = {"id": "g", "name": "G", "when": {"segments": {"tier": ["gold"]}}, "then": {"redirect": "/club"}}
    assert preview(client, query="pan", customer="gold-1", rules=[rule])["redirect"] == "/club"
    assert preview(client, query="pan", customer="c00", rules=[rule])["redirect"] == ""
    assert preview(client, query="pan", rules=[rule])["redirect"] == ""


def test_a_pin_never_shows_what_the_shop_or_the_customer_will_not_have(client: TestClient):
    then = {"pins": [{"item": item, "position": n} for n, item in enumerate(("garden-18", "garden-19", "nope"), 1)]}
    ruled = preview(client, query="frying pan", rules=[{**PAN, "then": then}], limit=50)
    assert not {"garden-18", "garden-19", "nope"} & set(items(ruled))
    then = {"pins": [{"item": "garden-00", "position": 1}]}
    ruled = preview(
        client, query="pan", rules=[{**PAN, "then": then}], filters={"brands": ["Hearth"], "sellable": False}
    )
    assert "garden-00" not in items(ruled)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"then": {"redirect": "//evil.example"}}, "then.redirect", "leads out of the shop"),
        ({"then": {"redirect": "https://evil.example"}}, "then.redirect", "leads out of the shop"),
        ({"then": {"banner": {"text": {"en": "x"}, "link": "javascript:alert(1)"}}}, "then.banner", "leads out"),
        ({"then": {"banner": {"text": {"en": "a\u0007"}}}}, "then.banner", "Control"),
        ({"then": {"banner": {"text": {"fr": "a"}}}}, "banner.text", "zh"),
        ({"then": {}}, "then", "does nothing"),
        ({"then": {"pins": [{"item": "a", "position": 0}]}}, "then.pins", "no position 0"),
        ({"then": {"pinned": []}}, "then", "pinned"),
        ({"when": {"contain": ["x"]}}, "when", "contain"),
        ({"when": {"start": "tomorrow"}}, "when.start", "date"),
        ({"priority": "high"}, "priority", "integer"),
        ({"id": ""}, "id", "1 character"),
    ],
)
def test_a_wrong_rule_is_refused_and_says_why(client: TestClient, change, where: str, words: str):
    for method, path in (("PUT", "/v1/rules"), ("POST", "/v1/rules/preview")):
        document = assert_problem(client.request(method, path, json={"rules": [{**PAN, **change}]}), 400)
        assert where in document["where"]
        assert words in document["detail"]
    assert client.get("/v1/rules").json()["rules"] == []


def test_one_id_twice_is_refused(client: TestClient):
    assert "index 0" in assert_problem(client.put("/v1/rules", json={"rules": [PAN, PAN]}), 400)["detail"]


def test_only_admins_may(shop: Shop, keys: dict[str, str]):
    app = create_app(shop, keys=keys_of(shop))
    calls = (
        ("GET", "/v1/rules"),
        ("PUT", "/v1/rules"),
        ("DELETE", "/v1/rules?id=a"),
        ("POST", "/v1/rules/preview"),
        ("GET", "/v1/rules/changes"),
    )
    for scope in ("read", "events"):
        caller = TestClient(app, headers={"X-Api-Key": keys[scope]})
        for method, path in calls:
            assert_problem(caller.request(method, path, json={"rules": [PAN]}), 403)


def test_every_request_of_the_page_works(client: TestClient):
    shown = re.findall(r"^```http\n(GET|PUT|POST|DELETE) (\S+)\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    replies = []
    for method, path, body in shown:
        headers = {"Content-Type": "application/json"}
        response = client.request(method, path, content=body.encode() or None, headers=headers)
        assert response.status_code == 200, (method, path, response.text)
        replies.append(response.json())
    assert replies[0]["added"] == 1
    assert items(replies[1])[0] == "garden-08"
    assert "garden-00" not in items(replies[1])
    assert replies[1]["banner"]["text"]["zh"] == "春天来了"
    assert replies[2]["changes"][0]["after"]["id"] == "spring"
    assert replies[3]["removed"] == 1
