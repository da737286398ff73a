"""/v1/guard/reviews, catalogue, visitors: known mischief is found under the ids that decisions take, and nothing is written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from toyshop import toy_events, toy_items

from shopkeeper import settings as settings_module
from shopkeeper.recipes.guard.raters import train_raters
from shopkeeper.records import Event, EventKind, Passage, PassageKind, now
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard import catalogue_check, review_check, visitor_check
from shopkeeper.tasks.shop import Shop, open_shop

PRAISE = "Best thing I ever bought, everybody in the family is delighted with it, five stars"
CREW = {f"crew{n}" for n in range(12)}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The toy shop, one item listed twice, a robot that also clicks ads, and a crew of twelve that praises three items."""
    home = tmp_path_factory.mktemp("watched")
    given = settings_module.load(
        home, environ={}, overrides={"models.encoder": "use-multilingual", "serve.keys_required": True}
    )
    store = open_store(given.store_url)
    rng = np.random.default_rng(8)
    start = now() - timedelta(days=10)
    items = toy_items()
    store.catalogue.put([*items, replace(items[4], id="again")])
    store.events.append(toy_events())
    store.events.append(
        Event(id=f"w{n}", time=start + timedelta(seconds=2 * n), kind=EventKind.VIEW, session="walker", item=items[n % 40].id)
        for n in range(400)
    )  # fmt: skip
    store.events.append(
        Event(id=f"a{n}", time=start + timedelta(hours=1, seconds=2 * n), kind=EventKind.AD_CLICK, session="walker",
              item=items[0].id, value=0.25, properties={"campaign": "spring"})
        for n in range(3)
    )  # fmt: skip
    written = []
    for n in range(80):
        for item in rng.choice(30, 6, replace=False).tolist():
            day = float(rng.random() * 300)
            stars = float(np.clip(np.rint((1.8 if item < 3 else 3.6) + rng.normal()), 1, 5))
            written.append((f"v{n}", item, stars, day, f"Used it for {rng.integers(2, 99)} days {rng.bytes(20).hex()}"))
    store.events.append(
        Event(id=f"b{n}", time=start - timedelta(days=309 - day), kind=EventKind.PURCHASE, customer=who, item=items[item].id, value=9.0)
        for n, (who, item, _, day, _) in enumerate(written)
    )  # fmt: skip
    written += [(who, item, 5.0, 150 + float(rng.random() * 2), PRAISE) for who in sorted(CREW) for item in range(3)]
    store.words.put(
        Passage(
            id=f"r{n}", kind=PassageKind.REVIEW, customer=who, item=items[item].id, rating=stars, text=text,
            time=start - timedelta(days=300 - day),
        )
        for n, (who, item, stars, day, text) in enumerate(written)
    )  # fmt: skip
    store.close()
    shop = open_shop(given)
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def callers(watched: Shop) -> Iterator[dict[str, TestClient]]:
    keys = Keys(watched.settings.home / "keys.json")
    with TestClient(create_app(watched, keys=keys_of(watched))) as client:
        yield {
            scope: TestClient(client.app, headers={"Authorization": f"Bearer {keys.create(scope, [scope])[1]}"})
            for scope in ("read", "events", "admin")
        }


def asked(shop: Shop) -> int:
    tasks = (review_check.TASK, review_check.ITEM_TASK, catalogue_check.TASK, visitor_check.TASK)
    return sum(len(shop.store.labels.pending(task, 1_000)) for task in tasks)


def test_a_robot_is_found_its_clicks_refunded_and_a_decision_heeded(callers, watched):
    found = callers["admin"].get("/v1/guard/visitors").json()
    assert found.keys() == {"days", "suspects", "refunds"}
    walker = next(one for one in found["suspects"] if one["visitor"] == "session:walker")
    assert walker.keys() == {"visitor", "score", "rules", "flagged", "label", "text"}
    assert (walker["flagged"], walker["label"], bool(walker["rules"])) == (True, "", True)
    assert walker["text"].keys() == {"en", "zh"}
    assert [(one["campaign"], one["click"], one["amount"]) for one in found["refunds"]] == [
        ("spring", f"a{n}", 0.25) for n in range(3)
    ]
    scores = [one["score"] for one in found["suspects"]]
    assert scores == sorted(scores, reverse=True)
    few = callers["admin"].get("/v1/guard/visitors", params={"limit": 1}).json()
    assert (few["suspects"], few["refunds"]) == (found["suspects"][:1], found["refunds"][:1])
    assert callers["admin"].get("/v1/guard/visitors", params={"days": 5}).json()["refunds"] == []
    assert asked(watched) == 0
    visitor_check.propose(watched.store.labels, visitor_check.check_visitors(watched.store).findings)
    for one in found["suspects"]:
        watched.store.labels.decide(visitor_check.TASK, one["visitor"], visitor_check.PERSON)
    after = callers["admin"].get("/v1/guard/visitors").json()
    assert after["refunds"] == []
    assert {(one["flagged"], one["label"]) for one in after["suspects"]} == {(False, "person")}


def test_an_item_listed_twice_is_found_until_it_is_fine(callers, watched):
    found = callers["admin"].get("/v1/guard/catalogue").json()["doubts"]
    double = next(one for one in found if one["kind"] == "double")
    assert {double["item"], double["other"]} == {"again", toy_items()[4].id}
    assert double["text"].keys() == {"en", "zh"}
    few = callers["admin"].get("/v1/guard/catalogue", params={"limit": 1}).json()["doubts"]
    kinds = [one["kind"] for one in few]
    assert len(kinds) == len(set(kinds)) == len({one["kind"] for one in found})
    items = list(watched.store.catalogue.scan())
    catalogue_check.propose(watched.store.labels, items, watched.doubtful_items())
    watched.store.labels.decide(catalogue_check.TASK, double["item"], catalogue_check.FINE)
    left = callers["admin"].get("/v1/guard/catalogue").json()["doubts"]
    assert left == [one for one in found if one["item"] != double["item"]]


def test_a_crew_and_what_it_lifts_are_found_once_raters_were_learnt(callers, watched, tmp_path):
    refused = callers["admin"].get("/v1/guard/reviews")
    assert refused.status_code == 400
    assert refused.json()["cure"] == "Train on them: shopkeeper train reviewer"
    bundle = train_raters(watched.store, watched.settings, tmp_path / "raters")
    watched.registry.promote("reviewer", watched.registry.add(bundle.folder))
    found = callers["admin"].get("/v1/guard/reviews", params={"limit": 200}).json()
    assert {one["customer"] for one in found["suspects"]} == CREW
    assert all(one["ratings"] == 3 and one["reasons"][0]["text"].keys() == {"en", "zh"} for one in found["suspects"])
    lifted = {one["item"]: one for one in found["attacks"]}
    assert lifted.keys() == {item.id for item in toy_items()[:3]}
    for one in lifted.values():
        assert set(one["suspects"]) == CREW
        assert one["stars"] > one["honest"]
        assert 0 <= one["chance"] < 0.01
    few = callers["admin"].get("/v1/guard/reviews", params={"limit": 2}).json()
    assert few == {name: rows[:2] for name, rows in found.items()}
    review_check.ask(watched.store, review_check.check_reviews(watched.store, bundle, watched.settings.compute.seed))
    watched.store.labels.decide(review_check.TASK, found["suspects"][0]["customer"], review_check.GENUINE)
    watched.store.labels.decide(review_check.ITEM_TASK, found["attacks"][0]["item"], "sound")
    after = callers["admin"].get("/v1/guard/reviews").json()
    assert found["suspects"][0]["customer"] not in {one["customer"] for one in after["suspects"]}


@pytest.mark.parametrize("path", ["reviews", "catalogue", "visitors"])
@pytest.mark.parametrize("wrong", ["limit=0", "limit=1001", "limit=many"])
def test_bad_limits_and_other_keys_are_refused(callers, path, wrong):
    assert callers["admin"].get(f"/v1/guard/{path}?{wrong}").status_code == 400
    assert callers["read"].get(f"/v1/guard/{path}").status_code == 403
    assert callers["events"].get(f"/v1/guard/{path}").status_code == 403


@pytest.mark.parametrize("days", ["0", "-1", "366", "nan", "soon"])
def test_bad_days_are_refused(callers, days):
    assert callers["admin"].get(f"/v1/guard/visitors?days={days}").status_code == 400


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_empty_shop_has_nothing_to_look_at(tmp_path, count):
    given = settings_module.load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"})
    with open_store(given.store_url) as store:
        store.catalogue.put(toy_items()[:count])
    shop = open_shop(given)
    with TestClient(create_app(shop, keys=None)) as client:
        assert client.get("/v1/guard/catalogue").json() == {"doubts": []}
        assert client.get("/v1/guard/visitors").json() == {"days": 30.0, "suspects": [], "refunds": []}
    shop.close()
