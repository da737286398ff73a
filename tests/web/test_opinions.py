"""The desk's page of alerts: headlines in both languages, nothing of a post becomes markup, answers are noted."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.serving.auth import Keys
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import TASK, Alert
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.tasks.shop import Shop
from shopkeeper.web import opinions

Arrive = Callable[..., TestClient]


@pytest.fixture
def staff(site: TestClient, visitor: Arrive, shop: Shop) -> Arrive:
    app = site.app
    assert isinstance(app, FastAPI)
    paths = [getattr(route, "path", "") for route in app.router.routes]
    if "/desk/opinions" not in paths:
        app.include_router(opinions.router)
        app.router.routes.insert(0, app.router.routes.pop())
        app.router.routes.insert(0, app.router.routes.pop())
    time = now() - timedelta(hours=2)
    shop.store.words.put([Passage(id="said-1", kind=PassageKind.POST, text="<script>late</script>", time=time)])
    shop.store.readings.put([Reading(post="said-1", time=time, topics=("late",), sentiment=-0.9).document()])
    alert = Alert(
        id="alert-1", raised=time, start=time, end=time, series=(Series("topic", "late", True),), detector="1 h", posts=40,
        weighed=30.0, expected=4.0, score=23.0, negative=1.0, authors=30, risk="", severity=0.6, evidence=("said-1",),
        headline={"en": "More complaints", "zh": "投诉增多：<b>"}, summary="It is <i>late</i>.",
    )  # fmt: skip
    shop.store.alerts.put([Document(alert.id, time, alert.body())])
    _, key = Keys(shop.settings.home / "keys.json").create("desk", ["admin"])

    def arrive(language: str = "en") -> TestClient:
        browser = visitor(language)
        browser.post("/desk/enter", data={"key": key})
        return browser

    return arrive


@pytest.mark.parametrize(("language", "words"), [("en", "More complaints"), ("zh", "投诉增多：&lt;b&gt;")])
def test_alerts_and_charts(staff: Arrive, language: str, words: str):
    text = staff(language).get("/desk/opinions").text
    assert words in text
    assert "&lt;script&gt;late" in text
    assert "<script>late" not in text
    assert "<i>late" not in text
    assert "<polyline" in text


def test_an_answer_is_noted_once_it_comes_from_the_page(staff: Arrive, shop: Shop):
    browser = staff()
    token = re.search(r'name="token" value="([^"]+)"', browser.get("/desk/opinions").text)
    assert token is not None
    assert browser.post("/desk/opinions/alert-1", data={"label": "false", "token": "guess"}).status_code == 403
    assert browser.post("/desk/opinions/alert-1", data={"label": "false", "token": token[1]}).status_code == 200
    assert [decision.label for decision in shop.store.labels.decided(TASK)] == ["false"]
    assert browser.post("/desk/opinions/alert-1", data={"label": "x", "token": token[1]}).status_code == 400


def test_nobody_else_comes_in(staff: Arrive, visitor: Arrive):
    answered = visitor().get("/desk/opinions", follow_redirects=False)
    assert answered.status_code == 303
    assert answered.headers["location"] == "/desk"
