"""The guard from the log to the verdict: learnt, judged, decided, learnt from, and watched for drift."""

from datetime import timedelta

import numpy as np
import pytest

pytest.importorskip("pyod")

from shopkeeper import settings as settings_module
from shopkeeper.errors import InputError, NotFoundError, TrainingError
from shopkeeper.evaluation.drift import drift
from shopkeeper.ranking.payments.columns import TASK
from shopkeeper.ranking.payments.model import Action
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import Event, EventKind, now
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.task import GuardTask

DAYS = 80
OPTIONS = FraudOptions(members=1, review_cost=3.0)


def log(n=1_600, seed=4, *, labelled=True):
    """Payments up to an hour ago: three devices cheat for a while, and two customers are robbed."""
    rng = np.random.default_rng(seed)
    start = now() - timedelta(days=DAYS)
    events = []
    for number, at in enumerate(np.sort(rng.uniform(0, DAYS - 0.05, n))):
        customer, device = int(rng.integers(60)), int(rng.integers(25))
        cheated = device < 3 and (at + 7 * device) % 30 < 22
        robbed = customer < 2 and at % 20 > 14
        value = float(np.exp(rng.normal(3 + customer % 3 / 2, 0.3))) * (6 if robbed else 1)
        properties = {"device": f"d{device}", "currency": "EUR"}
        if labelled and at < DAYS - 7:
            properties["fraud"] = bool(cheated or robbed)
        events.append(
            Event(
                id=f"e{number}",
                time=start + timedelta(days=float(at)),
                kind=EventKind.PURCHASE,
                customer=f"c{customer}",
                item=f"i{number % 40}",
                value=round(value, 2),
                properties=properties,
            )
        )
    return events


def shop(folder, events):
    store = open_store(f"sqlite:///{folder / 'shop.db'}")
    store.events.append(events)
    return store, settings_module.load(folder, environ={}, overrides={})


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard")
    store, given = shop(folder, log())
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    bundle = train_fraud(store, given, folder / "bundle", vectors=vectors, row=row, options=OPTIONS)
    yield store, bundle, vectors
    store.close()


def row(item):
    return int(item[1:])


def paying(number, value, *, customer="c5", device="d10", seconds=0, **properties):
    return Event(
        id=f"new{number}",
        time=now() - timedelta(seconds=seconds),
        kind=EventKind.PURCHASE,
        customer=customer,
        item="i1",
        value=value,
        properties={"device": device, "currency": "EUR", **properties},
    )


def test_the_card_proves_what_labels_and_groups_bring(taught):
    card = taught[1].card
    assert card.after["test"]["auc"]["value"] > 0.85
    assert (
        card.after["test"]["average_precision"]["value"] > card.before["without labels"]["average_precision"]["value"]
    )
    assert card.after["test"]["average_precision"]["low"] <= card.after["test"]["average_precision"]["value"]
    assert card.after["cost of a payment"]["value"] < card.before["cost of a payment"]["value"]
    groups = {name for name in card.after if name.startswith("trees without")}
    assert {"trees without labels", "trees without graph", "trees without sequence", "trees without text"} <= groups


def test_a_large_payment_is_held_with_reasons_and_an_ordinary_one_is_let_through(taught):
    store, bundle, vectors = taught
    guard = GuardTask(store, bundle, vectors, row)
    ordinary, large = guard.judge([paying(1, 25.0)]), guard.judge([paying(2, 900.0, device="d0")])
    assert ordinary.action is Action.ALLOW
    assert large.action is not Action.ALLOW
    assert large.probability > ordinary.probability
    assert 1 <= len(large.reasons) <= 3
    assert set(large.reasons[0].text) == {"en", "zh"}
    assert large.reasons[0].kind in {"amount", "spending", "sequence", "labels", "counterpart"}
    assert [alert.subject for alert in guard.alerts()] == ["new2"]
    assert guard.alerts()[0].customer == "c5"
    store.labels.withdraw(TASK)


def test_the_same_payment_again_gives_the_same_verdict_and_counts_once(taught):
    store, bundle, vectors = taught
    guard = GuardTask(store, bundle, vectors, row)
    line = paying(3, 30.0)
    first, again = guard.judge([line]), guard.judge([line])
    assert first == again
    assert guard.note([line]) == 0
    assert guard.note([paying(4, 12.0), paying(5, 12.0)]) == 2


def test_what_humans_decide_counts_at_once_and_is_a_label(taught):
    store, bundle, vectors = taught
    guard = GuardTask(store, bundle, vectors, row)
    guard.judge([paying(6, 2_000.0, device="d1")])
    decision = guard.decide("new6", "fraud", "anna")
    assert (decision.label, decision.rater) == ("fraud", "anna")
    assert [found.subject for found in store.labels.decided(TASK)] == ["new6"]
    assert guard.decide("e7", "genuine").subject == "e7"  # let through, and never an alert
    with pytest.raises(InputError, match="no verdict"):
        guard.decide("new6", "perhaps")
    with pytest.raises(NotFoundError, match="no payment"):
        guard.decide("nobody", "fraud")


def test_bad_payments_are_refused(taught):
    store, bundle, vectors = taught
    guard = GuardTask(store, bundle, vectors, row)
    with pytest.raises(InputError, match="future"):
        guard.judge([paying(8, 10.0, seconds=-3_600)])
    with pytest.raises(InputError, match="is none"):
        guard.judge([paying(8, -10.0)])
    with pytest.raises(InputError, match="differ"):
        guard.judge([paying(8, 10.0, payment="p"), paying(9, 10.0, payment="p", currency="CNY")])
    assert guard.judge([paying(10, 10.0, currency="CNY", seconds=-60)]).payment == "new10"  # a currency never seen


def test_drift_names_what_moved(taught):
    store, bundle, vectors = taught
    guard = GuardTask(store, bundle, vectors, row)
    still = drift(guard, 30)
    assert "amount.payment.amount." not in {column.name for column in still if column.moved}
    later = now() + timedelta(days=1)
    store.events.append([
        Event(id=f"dear{n}", time=later + timedelta(minutes=n), kind=EventKind.PURCHASE, customer=f"c{n % 60}",
              item="i1", value=700.0 + n, properties={"device": "d9", "currency": "EUR"}) for n in range(150)
    ])  # fmt: skip
    moved = {column.name for column in drift(guard, 1, later + timedelta(hours=3)) if column.moved}
    assert {"amount.payment.amount.", "score"} <= moved
    with pytest.raises(InputError, match="no payments"):
        drift(guard, 1, now() + timedelta(days=50))


def test_without_labels_outliers_go_to_review_within_the_budget(tmp_path):
    store, given = shop(tmp_path, log(400, labelled=False))
    bundle = train_fraud(store, given, tmp_path / "bundle", options=FraudOptions(reviews_a_day=0.5))
    guard = GuardTask(store, bundle)
    assert guard.model.trees == ()
    _, table = guard.recent(DAYS)
    assert (guard.model.scores(table) >= guard.model.threshold).sum() == pytest.approx(0.5 * DAYS, abs=4)
    verdict = guard.judge([paying(1, 90_000.0, device="d99")])
    assert verdict.probability is None
    assert verdict.action is Action.REVIEW
    assert "too few to learn from" in bundle.card.notes
    store.close()


def test_too_few_payments_are_a_clear_error(tmp_path):
    store, given = shop(tmp_path, log(20))
    with pytest.raises(TrainingError, match="20 payments are too few"):
        train_fraud(store, given, tmp_path / "bundle")
    store.close()
