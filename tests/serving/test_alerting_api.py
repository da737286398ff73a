"""Alerts through /v1: listed, read with their posts, answered."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.serving import alerting
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import Alert, feedback
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.shop import Shop

LATE = Series("topic", "late", negative=True)


@pytest.fixture
def raised(client: TestClient, shop: Shop) -> str:
    app = client.app
    assert isinstance(app, FastAPI)
    if not any(getattr(route, "path", "").startswith("/v1/alerts") for route in app.routes):
        app.include_router(alerting.router)
    time = now() - timedelta(hours=1)
    shop.store.words.put([Passage(id="said-1", kind=PassageKind.POST, text="It is late. <b>", time=time)])
    alert = Alert(
        id="alert-1", raised=time, start=time, end=time, series=(LATE,), detector="1 h", posts=40, weighed=30.0, expected=4.0,
        score=23.0, negative=1.0, authors=30, risk="delivery", severity=0.6, evidence=("said-1", "gone"),
        headline={"en": "More complaints", "zh": "投诉增多"}, summary={"en": "It is late."},
    )  # fmt: skip
    shop.store.alerts.put([Document(alert.id, time, {**alert.body(), "delivered": {"webhook": {"state": "dead"}}})])
    return alert.id


def test_listed_and_read(client: TestClient, raised: str):
    (listed,) = client.get("/v1/alerts").json()["alerts"]
    assert listed["chance"] == "1e-10"
    assert (listed["level"], listed["label"]) == ("high", "")
    assert listed["series"] == [{"by": "topic", "name": "late", "negative": True}]
    read = client.get(f"/v1/alerts/{raised}").json()
    assert [post["text"] for post in read["posts_shown"]] == ["It is late. <b>"]
    assert client.get("/v1/alerts/nothing").status_code == 404
    assert client.get("/v1/alerts", params={"days": -1}).status_code in (400, 422)


def test_answered_and_tried_again(client: TestClient, shop: Shop, raised: str):
    address = f"/v1/alerts/{raised}/feedback"
    assert (
        client.post(address, json={"label": "mute", "series": "topic:late", "days": 3}).json()["label"]
        == "mute:3:topic:late"
    )
    assert feedback(shop.store).silent(LATE, now())
    assert client.post(address, json={"label": "false"}).json()["label"] == "false"
    assert client.post(address, json={"label": "perhaps"}).status_code in (400, 422)
    assert client.post(address, json={"label": "mute", "series": "topic:price"}).status_code == 400
    again = client.post(f"/v1/alerts/{raised}/retry").json()
    (step,) = again["steps"]
    assert (step["level"], step["delivered"]["webhook"]["state"]) == ("high", "waiting")
