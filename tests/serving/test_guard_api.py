"""/v1/guard: a payment judged, its alert decided, drift, and who may do what."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

pytest.importorskip("pyod")

from shopkeeper import settings as settings_module
from shopkeeper.evaluation import drift_watch
from shopkeeper.evaluation.drift import Drift
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import Event, EventKind, Item, now
from shopkeeper.serving.app import create_app, keys_of
from shopkeeper.serving.auth import Keys
from shopkeeper.store.database import open_store
from shopkeeper.tasks.shop import Shop, open_shop


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Shop]:
    """A shop with 300 unlabelled payments, of which nothing but outliers can be learnt."""
    home = tmp_path_factory.mktemp("guarded")
    given = settings_module.load(
        home, environ={}, overrides={"models.encoder": "use-multilingual", "serve.keys_required": True}
    )
    store = open_store(given.store_url)
    store.catalogue.put([Item(id=f"i{n}", title=f"Kettle {n}", language="en", price=10.0) for n in range(3)])
    rng = np.random.default_rng(2)
    start = now() - timedelta(days=30)
    store.events.append([
        Event(id=f"e{n}", time=start + timedelta(hours=2 * n), kind=EventKind.PURCHASE, customer=f"c{n % 20}",
              item=f"i{n % 3}", value=round(float(rng.uniform(10, 40)), 2), properties={"device": f"d{n % 25}"})
        for n in range(300)
    ])  # fmt: skip
    shop = open_shop(given)
    options = FraudOptions(reviews_a_day=0.5)
    bundle = train_fraud(store, given, home / "made", options=options)
    shop.registry.promote("fraud", shop.registry.add(bundle.folder))
    shop.reload()
    yield shop
    shop.close()
    store.close()


@pytest.fixture(scope="module")
def callers(guarded: Shop) -> Iterator[dict[str, TestClient]]:
    keys = Keys(guarded.settings.home / "keys.json")
    with TestClient(create_app(guarded, keys=keys_of(guarded))) as client:
        made = {}
        for scope in ("read", "events", "admin"):
            made[scope] = TestClient(client.app, headers={"Authorization": f"Bearer {keys.create(scope, [scope])[1]}"})
        yield made


def body(payment, value, **changed):
    line = {
        "id": f"{payment}-1",
        "kind": "purchase",
        "customer": "c1",
        "item": "i1",
        "value": value,
        "properties": {"payment": payment, "device": "d1"},
    }
    return {"events": [line | changed]}


def test_an_odd_payment_is_held_decided_and_gone_from_the_alerts(callers):
    fine = callers["events"].post("/v1/guard/payments", json=body("p1", 20)).json()
    odd = callers["events"].post("/v1/guard/payments", json=body("p2", 90_000)).json()
    assert (fine["action"], odd["action"]) == ("allow", "review")
    assert odd["probability"] is None
    assert odd["reasons"][0]["text"].keys() == {"en", "zh"}
    waiting = callers["admin"].get("/v1/guard/alerts").json()["alerts"]
    assert [alert["payment"] for alert in waiting] == ["p2"]
    decided = callers["admin"].post("/v1/guard/alerts/p2", json={"label": "fraud"}).json()
    assert decided["label"] == "fraud"
    assert decided["rater"].startswith("admin")
    assert callers["admin"].get("/v1/guard/alerts").json()["alerts"] == []


def test_drift_is_a_table_of_columns(callers):
    found = callers["admin"].get("/v1/guard/drift", params={"days": 20}).json()
    assert {"name", "psi", "limit", "moved", "before", "after"} == found["columns"][0].keys()
    assert found["moved"] == sum(column["moved"] for column in found["columns"])
    assert found["alarm"] is None


def test_a_drift_that_lasts_is_told_with_whom_it_reached(callers, guarded, monkeypatch):
    moved = [Drift("score", 0.6, 0.25, 0.1, 0.3), Drift("amount", 0.1, 0.25, 1.0, float("nan"))]
    monkeypatch.setattr(drift_watch, "moved_since", lambda *_: moved)
    assert drift_watch.watch(guarded.store, guarded.guard, ["webhook"]) is not None
    monkeypatch.undo()
    alarm = callers["admin"].get("/v1/guard/drift", params={"days": 20}).json()["alarm"]
    assert (alarm["model"], alarm["level"], alarm["moved"]) == (guarded.guard.bundle.name, "high", 1)
    assert alarm["columns"] == [{"name": "score", "psi": 0.6, "limit": 0.25}]
    assert alarm["headline"].keys() == {"en", "zh"}
    assert [step["delivered"] for step in alarm["steps"]] == [{"webhook": {"state": "waiting"}}]
    assert callers["admin"].get("/v1/alerts").json() == {"alerts": []}
    assert callers["admin"].get(f"/v1/alerts/{alarm['id']}").status_code == 404
    assert callers["admin"].post(f"/v1/alerts/{alarm['id']}/retry").status_code == 404


@pytest.mark.parametrize(
    ("caller", "method", "path", "sent", "status"),
    [
        ("read", "post", "/v1/guard/payments", body("p3", 20), 403),
        ("events", "get", "/v1/guard/alerts", None, 403),
        ("events", "post", "/v1/guard/payments", body("p3", -20), 400),
        ("events", "post", "/v1/guard/payments", body("p3", 20, kind="view"), 400),
        ("events", "post", "/v1/guard/payments", body("p3", 20, time="2999-01-01T00:00:00Z"), 422),
        ("events", "post", "/v1/guard/payments", {"events": []}, 422),
        ("admin", "post", "/v1/guard/alerts/p2", {"label": "perhaps"}, 422),
        ("admin", "post", "/v1/guard/alerts/nobody", {"label": "fraud"}, 404),
        ("admin", "get", "/v1/guard/drift?days=0", None, 422),
    ],
)
def test_bad_calls_are_refused(callers, caller, method, path, sent, status):
    answer = callers[caller].request(method, path, json=sent)
    assert answer.status_code in {status, 400 if status == 422 else status}
