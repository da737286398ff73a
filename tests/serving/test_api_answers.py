"""Search, recommend and similar through HTTP."""

import time
from collections.abc import Mapping

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopkeeper.records import EventKind
from shopkeeper.tasks.shop import Shop

KEYS_OF_PROBLEM = {"type", "title", "status", "detail", "instance", "where", "cure"}


def found(response) -> list[str]:
    assert response.status_code == 200, response.text
    return [hit["item"] for hit in response.json()["hits"]]


def assert_problem(response, status: int) -> Mapping[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document.keys() >= KEYS_OF_PROBLEM
    assert document["status"] == status
    assert document["cure"]
    assert document["instance"].endswith(response.headers["X-Request-Id"])
    return document


@pytest.mark.parametrize(
    ("query", "first"), [("frying pan", "kitchen-00"), ("电热水壶", "kitchen-07"), ("rake", "garden-00")]
)
def test_search_finds_in_both_languages(client: TestClient, query: str, first: str):
    assert first in found(client.get("/v1/search", params={"q": query}))[:3]
    assert first in found(client.post("/v1/search", json={"query": query}))[:3]


def test_an_answer_has_the_shape_it_promises(client: TestClient):
    document = client.get("/v1/search", params={"q": "knife", "explain": True, "details": True, "limit": 3}).json()
    assert len(document["hits"]) <= 3 <= document["total"] + 2
    hit = document["hits"][0]
    assert hit["details"]["id"] == hit["item"]
    assert 0 < hit["propensity"] <= 1
    assert document["facets"]
    assert document["model"]


def test_filters_by_address_and_by_body_agree(client: TestClient):
    by_address = client.get(
        "/v1/search",
        params={
            "q": "",
            "brand": "Hearth",
            "category": "Kitchen > Tools",
            "attribute": "colour:red",
            "price_max": 40,
            "limit": 50,
        },
    )
    filters = {
        "brands": ["Hearth"],
        "categories": ["Kitchen > Tools"],
        "attributes": {"colour": ["red"]},
        "price_max": 40,
    }
    by_body = client.post("/v1/search", json={"filters": filters, "limit": 50})
    assert found(by_address) == found(by_body)
    assert set(found(by_body)) == {"kitchen-00", "kitchen-04", "kitchen-08"}


def test_sorting_by_price(client: TestClient):
    details = client.get("/v1/search", params={"q": "garden", "sort": "price_desc", "details": True}).json()["hits"]
    prices = [hit["details"]["price"] for hit in details]
    assert prices == sorted(prices, reverse=True)


def test_pages_do_not_overlap_and_the_last_is_empty(client: TestClient):
    pages = [found(client.get("/v1/search", params={"q": "garden", "limit": 4, "offset": n})) for n in (0, 4, 8)]
    together = [item for page in pages for item in page]
    assert len(together) == len(set(together))
    beyond = client.get("/v1/search", params={"q": "garden", "offset": 100_000})
    assert found(beyond) == []
    assert beyond.json()["total"] > 0


def test_sold_out_and_hidden_never_show(client: TestClient):
    for items in (
        found(client.get("/v1/search", params={"q": "garden", "limit": 100})),
        found(client.post("/v1/recommend", json={"customer": "c00", "limit": 100})),
        found(client.get("/v1/similar", params={"item": "garden-18", "limit": 100})),
    ):
        assert not {"garden-18", "garden-19", "kitchen-18", "kitchen-19"} & set(items)


def test_similar_items_share_the_taste(client: TestClient):
    items = found(client.get("/v1/similar", params={"item": "kitchen-04", "limit": 6}))
    assert "kitchen-04" not in items
    assert sum(item.startswith("kitchen") for item in items) >= 4
    assert items == found(client.post("/v1/similar", json={"item": "kitchen-04", "limit": 6}))


def test_the_next_recommendation_knows_the_event_just_posted(client: TestClient):
    session = "fresh-session"
    events = [
        {"id": f"fresh-{n}", "kind": "view", "session": session, "item": item}
        for n, item in enumerate(["kitchen-00", "kitchen-02", "kitchen-04"])
    ]
    before = found(client.post("/v1/recommend", json={"session": session, "limit": 8}))
    assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 3
    after = found(client.post("/v1/recommend", json={"session": session, "limit": 8}))
    assert before != after
    assert sum(item.startswith("kitchen") for item in after) >= 6


def test_what_was_shown_is_logged_with_places_propensities_and_model(client: TestClient, shop: Shop):
    asked = {"query": "garden", "session": "logged", "limit": 3, "offset": 2, "surface": "test"}
    response = client.post("/v1/search", json=asked, headers={"X-Request-Id": "request-under-test"})
    assert response.headers["X-Request-Id"] == "request-under-test" == response.json()["request"]
    client.app.state.desk.flush()
    (event,) = [e for e in shop.store.events.of_session("logged") if e.kind is EventKind.IMPRESSION]
    assert event.request == "request-under-test"
    assert event.impression is not None
    assert list(event.impression.items) == found(response)
    assert event.impression.positions == (3, 4, 5)
    assert all(0 < p <= 1 for p in event.impression.propensities)
    assert event.impression.model == response.json()["model"]
    assert event.impression.surface == "test"


@pytest.mark.parametrize("sent", ["short", "with space in it", "x" * 65, "<script>alert(1)</script>"])
def test_a_strange_request_id_is_replaced(client: TestClient, sent: str):
    given_back = client.get("/v1/health", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
    assert given_back != sent
    assert len(given_back) == 32


@pytest.mark.parametrize(
    ("parameters", "where", "cure"),
    [
        ({"q": "x", "brnad": "y"}, "query", "brand"),
        ({"q": "x", "sort": "best"}, "sort", ""),
        ({"q": "x", "limit": 0}, "limit", ""),
        ({"q": "x", "limit": 201}, "limit", ""),
        ({"q": "x", "offset": -1}, "offset", ""),
        ({"q": "x", "price_min": "cheap"}, "price_min", ""),
        ({"q": "x", "price_min": "nan"}, "price_min", ""),
        ({"q": "x", "price_min": 9, "price_max": 1}, "query", "Swap"),
        ({"q": "x", "attribute": "red"}, "attribute", "colour:red"),
        ({"q": "x" * 501}, "q", ""),
    ],
)
def test_a_bad_parameter_says_where_and_how_to_mend_it(client: TestClient, parameters, where: str, cure: str):
    problem = assert_problem(client.get("/v1/search", params=parameters), 400)
    assert where in str(problem["where"])
    assert cure in str(problem["cure"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"query": 3}',
        b'{"query": "\\ud800"}',
        b'{"filters": {"color": "red"}}',
        b"\xff\xfe",
    ],
)
def test_a_bad_body_is_a_problem(client: TestClient, body: bytes):
    assert_problem(client.post("/v1/search", content=body, headers={"Content-Type": "application/json"}), 400)


def test_unknown_addresses_methods_and_items_are_problems(client: TestClient):
    assert_problem(client.get("/v1/nothing"), 404)
    assert_problem(client.put("/v1/search"), 405)
    assert_problem(client.get("/v1/similar", params={"item": "no-such"}), 404)
    assert_problem(client.get("/v1/items/no-such"), 404)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80), st.sampled_from(["relevance", "price_asc", "newest", "popular"]), st.integers(0, 60))
def test_no_query_breaks_search(client: TestClient, query: str, sort: str, offset: int):
    response = client.post("/v1/search", json={"query": query, "sort": sort, "offset": offset})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "query", ["AND", "OR NOT", '"', "title:", "a:b^9~", "*", "[a TO z]", "\\", "(((", "+-&&||!", "%00", "😀" * 20]
)
def test_query_syntax_is_only_words(client: TestClient, query: str):
    assert client.get("/v1/search", params={"q": query}).status_code == 200


def test_the_api_describes_itself(client: TestClient):
    document = client.get("/v1/openapi.json").json()
    assert {"/v1/search", "/v1/recommend", "/v1/similar", "/v1/events", "/v1/items", "/v1/health"} <= document[
        "paths"
    ].keys()
    text = str(document)
    for name in ("EventIn", "ProblemOut", "SearchIn", "ItemDoc"):
        assert name in document["components"]["schemas"]
    assert "HTTPValidationError" not in text
    for path in document["paths"].values():
        for operation in path.values():
            assert "422" not in operation["responses"]
    references = {word.split("'")[0] for word in text.split("#/components/schemas/")[1:]}
    assert references <= document["components"]["schemas"].keys()


def test_security_headers_are_everywhere(client: TestClient):
    for path in ("/v1/health", "/v1/nothing"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "access-control-allow-origin" not in headers


def test_state_and_figures(client: TestClient):
    assert client.get("/v1/ready").json() == {"status": "ready", "items": 36}
    assert client.get("/v1/version").json()["model"]
    client.get("/v1/search", params={"q": "pan"})
    text = client.get("/v1/metrics").text
    assert 'shopkeeper_requests_total{method="GET",route="/v1/search",status="200"}' in text
    assert "shopkeeper_items 36.0" in text
    began = time.perf_counter()
    client.get("/v1/health")
    assert time.perf_counter() - began < 1
