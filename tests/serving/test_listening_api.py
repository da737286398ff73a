"""/v1/posts and /v1/opinions: posts in, read, counted, found and corrected; and who may do what."""

import time
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from shopkeeper.records import now
from shopkeeper.tasks.listen.phrases import Phrases
from shopkeeper.tasks.listen.reader import Reader


@pytest.fixture(scope="module")
def ear(client, shop):
    """A caller of a shop whose reader needs no encoder."""
    shop.listen._reader = Reader(Phrases([("Bosch", "brand:Bosch")]))
    yield client
    shop.listen.renew()


def read(shop):
    deadline = time.monotonic() + 60
    while shop.store.readings.unread() or shop.listen.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_posts_are_taken_read_counted_and_found(ear, shop):
    moment = now() - timedelta(hours=2)
    posts = [
        {"id": "a-1", "text": "Bosch 快递太慢了，三天没到", "source": "weibo", "time": moment.isoformat()},
        {"id": "a-2", "text": "The Bosch kettle is great", "source": "forum", "author": "mia"},
    ]
    answer = ear.post("/v1/posts", json={"posts": posts})
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("accepted", "repeated", "rejected")} == {
        "accepted": 2, "repeated": 0, "rejected": [],
    }  # fmt: skip
    assert ear.post("/v1/posts", json=posts).json()["repeated"] == 2
    read(shop)
    found = ear.get("/v1/opinions", params={"by": "brand", "days": 1, "step_hours": 6}).json()
    assert [(one["key"], one["posts"], one["negative"]) for one in found["series"]] == [("Bosch", 2, 1)]
    assert len(found["series"][0]["points"]) == 4
    assert ear.get("/v1/opinions", params={"by": "topic"}).json()["series"][0]["names"] == {
        "en": "delivery",
        "zh": "物流",
    }
    bad = ear.get("/v1/opinions/posts", params={"negative": True, "by": "source", "key": "weibo"}).json()["posts"]
    assert [(one["id"], one["topics"], one["entities"][0]["name"]) for one in bad] == [("a-1", ["delivery"], "Bosch")]
    assert ear.get("/v1/opinions/posts", params={"q": "kettle great"}).json()["posts"][0]["id"] == "a-2"


def test_feedback_changes_the_post_at_once(ear, shop):
    ear.post("/v1/posts", json={"posts": [{"id": "b-1", "text": "质量很差", "source": "other"}]})
    read(shop)
    changed = ear.post("/v1/opinions/feedback", json={"post": "b-1", "task": "sentiment", "label": "positive"})
    assert (changed.status_code, changed.json()["sentiment"]) == (200, 1.0)
    assert ear.post("/v1/opinions/feedback", json={"post": "b-1", "task": "about", "label": "not_us"}).json()["muted"]
    assert not [one for one in ear.get("/v1/opinions/posts").json()["posts"] if one["id"] == "b-1"]
    assert ear.post("/v1/opinions/feedback", json={"post": "none", "task": "about", "label": "us"}).status_code == 404
    assert ear.post("/v1/opinions/feedback", json={"post": "b-1", "task": "about", "label": "so"}).status_code == 400
    refused = ear.post("/v1/opinions/feedback", json={"post": "b-1", "task": "risk", "label": "bad"})
    assert (refused.status_code, refused.json()["where"]) == (400, "label")
    assert refused.json()["cure"].startswith("Use safety, fraud, legal")
    both = ear.post("/v1/opinions/feedback", json={"post": "b-1", "task": "topic", "label": "price|quality"})
    assert both.json()["topics"] == ["price", "quality"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"posts": "x"}, "body.posts"),
        ({"posts": [{"id": "", "text": "x"}]}, "posts.0"),
        ({"posts": [{"id": "x", "txet": "x"}]}, "posts.0"),
        ({"posts": [{"id": "x"}] * 10_001}, "body"),
    ],
)
def test_what_is_no_post_is_refused_and_says_where(ear, body, where):
    answer = ear.post("/v1/posts", json=body)
    assert answer.status_code in (400, 413)
    assert answer.json()["where"].startswith(where) or answer.status_code == 413


def test_faulty_posts_are_named_and_the_others_kept(ear, shop):
    posts = [{"id": "c-1", "text": "<b>好用</b>\x00😀", "time": "3000-01-01T00:00:00Z"}, {"id": "c-2", "rating": 9}]
    answer = ear.post("/v1/posts", json={"posts": posts}).json()
    assert (answer["accepted"], answer["rejected"][0]["index"]) == (1, 1)
    kept = shop.store.words.get(["c-1"])["c-1"]
    assert (kept.text, kept.time <= now()) == ("好用😀", True)
    assert ear.post("/v1/posts", content=b"\xff").status_code == 400


def test_a_full_queue_asks_to_come_again(ear, shop, monkeypatch):
    monkeypatch.setattr(shop.listen._queue, "_most", 0)
    monkeypatch.setattr(shop.listen._queue, "_promised", 1)
    answer = ear.post("/v1/posts", json={"posts": [{"id": "d-1", "text": "x"}]})
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert shop.store.words.get(["d-1"]) == {}


def test_scopes(ear, keys):
    def caller(scope):
        return TestClient(ear.app, headers={"Authorization": f"Bearer {keys[scope]}"})

    assert caller("events").post("/v1/posts", json={"posts": []}).status_code == 200
    assert caller("read").post("/v1/posts", json={"posts": []}).status_code == 403
    assert caller("events").get("/v1/opinions").status_code == 403
    assert ear.get("/v1/opinions", params={"by": "nothing"}).status_code == 400
    assert ear.get("/v1/opinions", params={"days": 3_000, "step_hours": 0.01}).status_code == 400
