"""The desk's page of alerts and charts: both languages, nothing of a post becomes markup, answers are noted, charts are right."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shopkeeper.records import Passage, PassageKind, now
from shopkeeper.serving.auth import Keys
from shopkeeper.store.documents import Document
from shopkeeper.tasks.listen.alerts import TASK, Alert
from shopkeeper.tasks.listen.counts import Series
from shopkeeper.tasks.listen.course import Course
from shopkeeper.tasks.listen.reading import Reading
from shopkeeper.tasks.listen.steps import Step, with_steps
from shopkeeper.tasks.shop import Shop
from shopkeeper.web import charts

Arrive = Callable[..., TestClient]
HOSTILE_SOURCE = "<b>forum</b>"


@pytest.fixture(scope="module")
def written(shop: Shop) -> Shop:
    """Twelve days of posts with a rhythm, a storm two hours ago, and an alert about it that became graver."""
    rng = np.random.default_rng(1)
    end = now().replace(minute=0, second=0, microsecond=0)
    storm = end - timedelta(hours=2)
    readings = []
    for hour in range(12 * 24):
        time = end - timedelta(hours=hour + 1)
        busy = 1 + 0.8 * np.sin(2 * np.pi * time.hour / 24)
        for topic, level in (("late", 3), ("delivery", 8), ("quality", 5), ("price", 2)):
            for _ in range(rng.poisson(level * busy * (6 if topic == "late" and time >= storm else 1))):
                bad = rng.random() < (0.9 if topic == "late" and time >= storm else 0.3)
                moment = time + timedelta(seconds=float(rng.uniform(0, 3_599)))
                readings.append(
                    Reading(
                        post=f"w{len(readings)}", time=moment, topics=(topic,), sentiment=-0.8 if bad else 0.6, author="a",
                        source=HOSTILE_SOURCE if rng.random() < 0.5 else "weibo", brand="Acme" if topic == "quality" else "",
                        item="garden-18" if topic == "quality" else "",
                    )
                )  # fmt: skip
    time = end - timedelta(hours=1)
    shop.store.words.put([Passage(id="said-1", kind=PassageKind.POST, text="<script>late</script>", time=time)])
    alert = Alert(
        id="alert-1", raised=time, start=time, end=time, series=(Series("topic", "late", True),), detector="1 h", posts=40,
        weighed=30.0, expected=4.0, score=23.0, negative=1.0, authors=30, risk="", severity=0.6, evidence=("said-1",),
        headline={"en": "More complaints", "zh": "投诉增多：<b>"}, summary={"en": "It is <i>late</i>.", "zh": "<i>晚</i>了。"},
    )  # fmt: skip
    steps = [Step(time, 0.35, {}), Step(time + timedelta(minutes=20), 0.6, {})]
    shop.store.alerts.put([with_steps(Document(alert.id, time, alert.body()), steps)])
    shop.alarms.observe(readings)
    shop.alarms.look()
    return shop


@pytest.fixture(scope="module")
def key(shop: Shop) -> str:
    return Keys(shop.settings.home / "keys.json").create("desk", ["admin"])[1]


@pytest.fixture
def staff(site: TestClient, visitor: Arrive, written: Shop, key: str) -> Arrive:
    assert isinstance(site.app, FastAPI)

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
    assert ("rose to serious" if language == "en" else "升级为 严重") in re.sub(r"\s+", " ", text)


def test_decisions_and_posts_are_read_once_for_all_alerts(staff: Arrive, shop: Shop, monkeypatch: pytest.MonkeyPatch):
    (first,) = [one for one in shop.store.alerts.scan() if one.id == "alert-1"]
    posts = [Passage(id=f"said-{n}", kind=PassageKind.POST, text=f"said {n}", time=first.time) for n in (2, 3, 4)]
    shop.store.words.put(posts)
    others = [
        replace(first, id=f"alert-{n}", body={**first.body, "evidence": [f"said-{n}", "said-1", "gone"]})
        for n in (2, 3, 4)
    ]
    shop.store.alerts.put(others)
    browser = staff()
    asked: list[str] = []
    decided, get = shop.store.labels.decided, shop.store.words.get

    def counted_decided(task: str) -> Any:
        if threading.current_thread().name != "shopkeeper-ear":  # the watch looks at them now and then
            asked.append(task)
        return decided(task)

    def counted_get(ids: Any) -> Any:
        asked.append("posts")
        return get(ids)

    monkeypatch.setattr(shop.store.labels, "decided", counted_decided)
    monkeypatch.setattr(shop.store.words, "get", counted_get)
    text = browser.get("/desk/opinions").text
    monkeypatch.undo()
    assert text.count("&lt;script&gt;late") == 4
    assert all(text.count(f"<q>said {n}</q>") == 1 for n in (2, 3, 4))
    assert sorted(asked) == ["opinion", "posts"]
    shop.store.alerts.put([replace(one, time=first.time - timedelta(days=60)) for one in others])  # out of sight


def test_each_split_shows_its_own_series(staff: Arrive):
    browser = staff()

    def names(address: str) -> list[str]:
        return re.findall(r"<h3[^>]*><strong>([^<]*)</strong>", browser.get(address).text)

    assert set(names("/desk/opinions")) >= {"late", "price"}
    assert names("/desk/opinions?by=brand") == ["Acme"]
    assert "&lt;b&gt;forum&lt;/b&gt;" in names("/desk/opinions?by=source")
    assert names("/desk/opinions?by=item") == [browser.app.state.desk.shop.store.catalogue.get(["garden-18"])["garden-18"].title]  # fmt: skip
    assert names("/desk/opinions?by=entity&days=30") == []
    assert names("/desk/opinions?by=nonsense&days=oops") == names("/desk/opinions")


@pytest.mark.parametrize(("days", "rows"), [(2, 48), (7, 28), (30, 30)])
def test_what_is_drawn_stands_in_the_table(staff: Arrive, days: int, rows: int):
    text = staff().get(f"/desk/opinions?by=topic&days={days}").text
    (part,) = [piece for piece in text.split("<h3")[1:] if "<strong>late</strong>" in piece]
    table = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", part)
    assert len(table) == rows
    assert len(re.findall(r'<polyline class="every" points="([^"]*)"', part)[0].split()) == rows
    assert 'class="band"' in part
    assert 'class="mark"' in part
    assert 'href="#alert-1"' in part
    cells = [re.sub("<[^>]*>", " ", row).split() for row in table]
    first = cells[0]
    low, high = map(float, first[5].split("–"))
    assert float(first[2]) > high >= float(first[4]) >= low or days > 2
    assert re.search(r'aria-labelledby="(chart-\d+)".*?<title id="\1">', part, re.DOTALL)


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


def course(seen: list[float], expected: list[float]) -> Course:
    usual = np.array(expected)
    return Course(np.array(seen), usual, usual / 2, usual * 2)


def test_a_chart_by_hand():
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    every = course([5, 10, 0, 20], [np.nan, 4, 4, 4])
    bad = course([0, 0, 0, 10], [np.nan] * 4)
    raised = [start - timedelta(hours=1), start + timedelta(hours=18)]
    drawn = charts.chart(every, bad, start, 6, raised, ZoneInfo("Europe/Berlin"))
    assert drawn.posts == "70.5,87.0 151.5,62.0 232.5,112.0 313.5,12.0"
    assert drawn.bad.endswith("313.5,62.0")
    assert drawn.expected == "151.5,92.0 232.5,92.0 313.5,92.0"
    assert drawn.band == "151.5,72.0 232.5,72.0 313.5,72.0 313.5,102.0 232.5,102.0 151.5,102.0"
    assert drawn.marks == (273.0,)
    assert drawn.days == ((178.5, "3/29"),), "midnight in Berlin is eleven in the evening in UTC"
    assert drawn.grid == ((112.0, "0"), (62.0, "10"), (12.0, "20"))
    assert [point.alerts for point in drawn.points] == [0, 0, 0, 1]
    assert [point.known for point in drawn.points] == [False, True, True, True]
    assert [point.time.hour for point in drawn.points] == [13, 19, 1, 8], "a night without its third hour"


@pytest.mark.parametrize("seen", [[], [0.0], [0.0, 0.0]])
def test_a_chart_of_nothing(seen: list[float]):
    nothing = course(seen, [np.nan] * len(seen))
    drawn = charts.chart(nothing, nothing, datetime(2026, 1, 1, tzinfo=UTC), 1, [], UTC)
    assert drawn.band == drawn.expected == ""
    assert len(drawn.points) == len(seen)


@pytest.mark.browser
def test_as_people_see_it(window: Any, address: str, look: str, pictures: Path, written: Shop, key: str):
    window.goto(f"{address}/desk")
    window.fill("input[name=key]", key)
    window.locator(".desk-door button").click()
    for by, days in (("topic", 7), ("source", 2), ("brand", 30)):
        window.goto(f"{address}/desk/opinions?by={by}&days={days}")
        window.screenshot(path=pictures / f"{look}-opinions-{by}.png", full_page=True)
        assert window.locator(".choices [aria-current]").count() == 2
        assert window.locator("svg.chart polyline.every").count() == window.locator("svg.chart").count() > 0
    window.locator(".choices a", has_text="2" if look.startswith("en") else "2 天").first.click()
    window.locator("details.rests summary", has_text="table" if look.startswith("en") else "表格").first.click()
    assert window.locator(".scrolls table").first.is_visible()
    box = window.locator("svg.chart").first.bounding_box()
    assert box["width"] > 250
    assert box["height"] > 80
