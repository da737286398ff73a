"""`shopkeeper guard`: judge, alerts, decide, drift, as people and programs call them."""

import json
from datetime import timedelta

import numpy as np
import pytest
from test_commands import run  # noqa: F401 - a fixture

pytest.importorskip("pyod")

from shopkeeper import settings as settings_module
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import Event, EventKind, now
from shopkeeper.store.database import open_store


@pytest.fixture
def guarded(run, tmp_path):  # noqa: F811
    run("init")
    rng = np.random.default_rng(2)
    start = now() - timedelta(days=30)
    given = settings_module.load(tmp_path / "shop", environ={}, overrides={})
    store = open_store(given.store_url)
    store.events.append([
        Event(id=f"e{n}", time=start + timedelta(hours=2 * n), kind=EventKind.PURCHASE, customer=f"c{n % 20}",
              item="i1", value=round(float(rng.uniform(10, 40)), 2), properties={"device": f"d{n % 25}"})
        for n in range(300)
    ])  # fmt: skip
    bundle = train_fraud(store, given, tmp_path / "made", options=FraudOptions(reviews_a_day=0.5))
    registry = Registry(given.bundles)
    registry.promote("fraud", registry.add(bundle.folder))
    store.close()
    return run


def test_payments_are_judged_decided_and_watched(guarded, tmp_path):
    file = tmp_path / "payments.jsonl"
    lines = [
        {"id": f"{n}", "kind": "purchase", "customer": "c1", "item": "i1", "value": value, "properties": {"payment": f"p{n}"}}
        for n, value in ((1, 20), (2, 90_000))
    ]  # fmt: skip
    file.write_text("\n".join(json.dumps(line) for line in lines))
    code, out, err = guarded("guard", "judge", str(file), "--json")
    assert code == 0, err
    assert [verdict["action"] for verdict in json.loads(out)] == ["allow", "review"]
    _, out, _ = guarded("guard", "alerts", "--json")
    assert [alert["payment"] for alert in json.loads(out)] == ["p2"]
    assert "p2=fraud" not in guarded("guard", "alerts")[1]
    _, out, _ = guarded("guard", "decide", "p2=fraud", "e3=genuine", "--json")
    assert [alert["label"] for alert in json.loads(out)] == ["fraud", "genuine"]
    code, out, _ = guarded("guard", "drift", "--days", "20", "--json")
    assert code == 0
    assert "score" in json.loads(out)["psi"]


def test_a_drift_is_noticed_once_and_stands_in_the_status(guarded, tmp_path):
    def told(*arguments):
        code, out, err = guarded(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    assert told("guard", "status") == {"model": "v1", "waiting": 0, "drift": None}
    given = settings_module.load(tmp_path / "shop", environ={}, overrides={})
    with open_store(given.store_url) as store:
        store.events.append(
            Event(id=f"dear{n}", time=now() - timedelta(hours=n), kind=EventKind.PURCHASE, customer=f"c{n % 20}",
                  item="i1", value=5_000.0 + n, properties={"device": f"d{n % 25}"})
            for n in range(60)
        )  # fmt: skip
    first = told("--set", "listen.webhook=https://127.0.0.1:1/alerts", "guard", "watch", "--days", "3")
    assert first["delivered"] == 0
    drift = first["drift"]
    assert (drift["model"], drift["level"], drift["columns"][0]["name"]) == ("fraud-v1", "high", "score")
    assert drift["steps"][0]["delivered"]["webhook"]["state"] == "waiting"
    again = told("guard", "watch", "--days", "3")["drift"]
    assert (again["id"], len(again["steps"])) == (drift["id"], 1)
    assert told("guard", "status")["drift"]["id"] == drift["id"]
    said = guarded("guard", "status")[1]
    assert "支付数据已偏离" in said
    assert "webhook waiting" in said
    assert told("alerts", "list") == []


def test_wrong_calls_say_how_to_mend_them(run, tmp_path):  # noqa: F811
    run("init")
    assert run("guard", "decide", "p1")[0] == 2
    code, _, err = run("guard", "decide", "p1=fraud")
    assert code == 1
    assert "no payment" in err
    assert "no verdict" in run("guard", "decide", "p1=perhaps")[2]
    file = tmp_path / "bad.jsonl"
    file.write_text("{}")
    assert "line 1" in run("guard", "judge", str(file))[2]
    file.write_text('{"id":"1","kind":"purchase","item":"i","value":3}')
    code, _, err = run("guard", "judge", str(file))
    assert code == 1
    assert "train fraud" in err
