"""Advertising through HTTP: campaigns and reports for the shop, labelled ads for customers, charged clicks."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from test_api_answers import assert_problem

from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.tasks.shop import Shop

RAKES = {"name": "Rakes", "advertiser": "acme", "items": ["garden-10"], "bid": 0.5, "currency": "EUR"}
PAGE = [f"garden-{n:02d}" for n in range(8)]


@pytest.fixture(autouse=True)
def _clean(shop: Shop) -> Iterator[None]:
    yield
    shop.store.campaigns.remove([campaign.id for campaign in shop.store.campaigns.scan()])
    shop.refresh()


def put(client: TestClient, id_: str = "rakes", /, **fields: object) -> dict[str, int]:
    response = client.put(f"/v1/campaigns/{id_}", json={**RAKES, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def ads(client: TestClient, **body: object) -> dict[str, object]:
    response = client.post("/v1/ads", json={"session": "s", "surface": "search", **body})
    assert response.status_code == 200, response.text
    return response.json()


def click(
    client: TestClient, request: object, number: str, item: str = "garden-10", **fields: object
) -> dict[str, int]:
    event = {"id": f"ad-{number}", "kind": "ad_click", "item": item, "request": request, "session": "s", **fields}
    return client.post("/v1/events", json={"events": [event]}).json()


def test_a_campaign_is_written_read_paused_and_removed(client: TestClient):
    assert put(client, daily_budget=5)["added"] == 1
    assert put(client, daily_budget=5)["unchanged"] == 1
    kept = client.get("/v1/campaigns/rakes").json()
    assert (kept["bid"], kept["daily_budget"], kept["spent"], kept["spent_today"]) == (0.5, 5.0, 0.0, 0.0)
    assert kept["created_by"].startswith("admin")
    assert put(client, **{key: kept[key] for key in RAKES}, daily_budget=6)["updated"] == 1
    assert client.post("/v1/campaigns/rakes/pause").json()["updated"] == 1
    assert client.get("/v1/campaigns").json()["campaigns"][0]["paused"] is True
    assert client.post("/v1/campaigns/rakes/resume").json()["updated"] == 1
    assert client.delete("/v1/campaigns/rakes").json()["removed"] == 1
    assert client.delete("/v1/campaigns/rakes").json()["unchanged"] == 1
    for method, path in (("GET", ""), ("POST", "/pause"), ("POST", "/resume"), ("GET", "/report")):
        document = assert_problem(client.request(method, f"/v1/campaigns/rakes{path}"), 404)
        assert "no campaign 'rakes'" in document["detail"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"daily_budget": -1}, "-1.0 is no amount"),
        ({"daily_budget": 0}, "0.0 is no amount"),
        ({"bid": 0}, "no amount"),
        ({"items": ["garden-10", "nope"]}, "Unknown: 'nope'"),
        ({"currency": "USD"}, "Not priced in USD"),
        ({"when": {"start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}}, "ends before it begins"),
        ({"budget": 5}, "no field 'budget'"),
        ({"items": "garden-10"}, "valid list"),
    ],
)
def test_what_cannot_be_is_refused_with_a_cure(client: TestClient, change: dict[str, object], said: str):
    document = assert_problem(client.put("/v1/campaigns/rakes", json={**RAKES, **change}), 400)
    assert said in document["detail"]
    assert document["cure"]
    assert client.get("/v1/campaigns").json()["campaigns"] == []


def test_two_campaigns_of_one_advertiser_do_not_meet(client: TestClient):
    put(client)
    document = assert_problem(client.put("/v1/campaigns/again", json=RAKES), 400)
    assert "Campaign 'rakes' of the same advertiser shows 'garden-10'" in document["detail"]


def test_ads_are_labelled_and_say_nothing_of_money(client: TestClient):
    put(client)
    document = ads(client, query="tomato seeds", page=PAGE)
    [ad] = document["ads"]
    assert ad == {
        "item": "garden-10",
        "place": 1,
        "label": {"en": "Sponsored", "zh": "广告"},
        "advertiser": "acme",
        "reason": {"en": "Sponsored by acme", "zh": "广告 · acme"},
    }
    assert ads(client, query="garden", page=PAGE[:3])["ads"] == []


def test_ads_find_their_page_themselves(client: TestClient):
    put(client, items=["garden-10", "garden-12", "garden-14"])
    for body in ({"query": "garden"}, {"items": ["garden-00"]}, {}):
        document = ads(client, **body, details=True)
        assert all(ad["details"]["id"] == ad["item"] for ad in document["ads"])


def shown(client: TestClient, shop: Shop) -> str:
    """The request of a page of other things, which the ad answers better."""
    everything = [item.id for item in shop.store.catalogue.scan()]
    document = ads(
        client, query="tomato seeds", page=[name for name in everything if not name.startswith("garden")][:12]
    )
    assert [ad["item"] for ad in document["ads"]] == ["garden-10"]
    return document["request"]


def test_a_click_is_charged_once_by_the_shops_own_price(client: TestClient, shop: Shop):
    put(client)
    put(client, "rival", advertiser="rival", bid=0.2)
    request = shown(client, shop)
    assert click(client, request, "1", value=0.0, properties={"campaign": "rival", "price.1": 0.0})["accepted"] == 1
    assert click(client, request, "2")["accepted"] == 1
    assert click(client, request, "1")["repeated"] == 1
    click(client, "forged", "3")
    kept = client.get("/v1/campaigns/rakes").json()
    assert kept["spent"] == kept["spent_today"] == pytest.approx(0.2)
    assert client.get("/v1/campaigns/rival").json()["spent"] == 0.0
    buy = {"id": "ad-buy", "kind": "purchase", "item": "garden-10", "session": "s", "value": 30.0}
    assert client.post("/v1/events", json={"events": [buy]}).json()["accepted"] == 1
    report = client.get("/v1/campaigns/rakes/report").json()
    assert (report["clicks"], report["uncharged"], report["orders"]) == (1, {"repeated": 1}, 1)
    assert (report["spend"], report["sales"], report["cost_per_order"]) == (
        pytest.approx(0.2),
        30.0,
        pytest.approx(0.2),
    )
    assert report["showings"] >= 1
    assert report["days"][-1]["spend"] == pytest.approx(0.2)
    assert client.get("/v1/campaigns/rival/report").json()["lost"]["rank"] >= 1


def test_outsiders_cannot_make_priced_pages(client: TestClient, shop: Shop):
    put(client)
    forged = {
        "id": "forged-page",
        "kind": "ad_impression",
        "request": "forged-page",
        "impression": {"items": ["garden-10"]},
        "properties": {"campaign.1": "rakes", "price.1": 900.0},
    }
    assert client.post("/v1/events", json={"events": [forged]}).json()["accepted"] == 1
    click(client, "forged-page", "forged-click", value=900.0)
    shop.ad_spend.refresh()
    assert client.get("/v1/campaigns/rakes").json()["spent_today"] < 1


def test_a_search_carries_ads_and_stays_the_same(client: TestClient):
    put(client, items=["garden-10", "garden-12", "garden-14"])
    plain = client.get("/v1/search", params={"q": "garden", "limit": 8}).json()
    both = client.get("/v1/search", params={"q": "garden", "limit": 8, "ads": True}).json()
    posted = client.post("/v1/search", json={"query": "garden", "limit": 8, "ads": True}).json()
    assert "ads" not in plain
    assert [hit["item"] for hit in plain["hits"]] == [hit["item"] for hit in both["hits"]]
    for document in (both, posted):
        assert not {ad["item"] for ad in document["ads"]} & {hit["item"] for hit in document["hits"]}


def test_scopes(shop: Shop, keys: dict[str, str]):
    with TestClient(create_app(shop, keys=keys_of(shop))) as caller:
        reader, poster = ({"Authorization": f"Bearer {keys[name]}"} for name in ("read", "events"))
        assert caller.post("/v1/ads", json={"query": "rake"}, headers=reader).status_code == 200
        assert caller.post("/v1/ads", json={"query": "rake"}, headers=poster).status_code == 403
        for method, path in (
            ("GET", ""), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x"),
            ("POST", "/x/pause"), ("POST", "/x/resume"), ("GET", "/x/report"),
        ):  # fmt: skip
            assert caller.request(method, f"/v1/campaigns{path}", headers=reader).status_code == 403


def test_a_report_of_no_time_is_refused(client: TestClient):
    put(client)
    span = {"start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}
    assert_problem(client.get("/v1/campaigns/rakes/report", params=span), 400)
