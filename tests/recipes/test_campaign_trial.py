"""A campaign in the shop's log, read as a trial."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shopkeeper.errors import InputError
from shopkeeper.recipes.ads.campaign_trial import customers_at, read_trial
from shopkeeper.records import Event, EventKind, Impression, Item
from shopkeeper.store.database import open_store

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def drawn(customer, arm, day=0.0, campaign="spring"):
    shown = Impression(items=("a",), positions=(1,), propensities=(1.0,), surface="mail")
    return Event(
        id=f"i-{customer}-{arm}-{day}-{campaign}",
        time=START + day * DAY,
        kind=EventKind.IMPRESSION,
        customer=customer,
        impression=shown,
        properties={"campaign": campaign, "arm": arm},
    )


def deed(customer, kind, day, value=None):
    return Event(
        id=f"{kind}-{customer}-{day}", time=START + day * DAY, kind=kind, customer=customer, item="a", value=value
    )


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        opened.catalogue.put([Item(id="a", title="Rake", category=("Garden",), price=9.0, currency="EUR")])
        opened.events.append(
            [
                drawn("ann", "treated"),
                drawn("ann", "treated", 3),
                drawn("bob", "control"),
                drawn("cat", "treated"),
                drawn("dan", "control", 1),
                drawn("both", "control"),
                drawn("both", "treated", 1),
                drawn("late", "treated", 25),
                drawn("eve", "treated", campaign="autumn"),
                deed("ann", EventKind.VIEW, -2),
                deed("ann", EventKind.PURCHASE, 5, 30.0),
                deed("ann", EventKind.PURCHASE, 6, 10.0),
                deed("bob", EventKind.PURCHASE, -1, 20.0),  # before
                deed("bob", EventKind.VIEW, 2),
                deed("cat", EventKind.PURCHASE, 14.5, 20.0),  # too late
                deed("dan", EventKind.PURCHASE, 14.5, 7.0),  # within 14 days of the second day
            ]
        )
        yield opened


def test_who_was_drawn_and_who_bought(store):
    trial = read_trial(store, "spring", until=START + 30 * DAY)
    found = dict(zip(trial.customers, zip(trial.treated.tolist(), trial.outcome.tolist(), strict=True), strict=True))
    assert found == {"ann": (True, 1.0), "bob": (False, 0.0), "cat": (True, 0.0), "dan": (False, 1.0)}
    assert trial.left_out == 2
    paid = read_trial(store, "spring", money=True, until=START + 30 * DAY)
    assert dict(zip(paid.customers, paid.outcome.tolist(), strict=True))["ann"] == 40.0


def test_features_end_where_the_outcome_begins(store):
    trial = read_trial(store, "spring", until=START + 30 * DAY)
    row = {who: trial.features.row(place, named=True) for place, who in enumerate(trial.customers)}
    assert row["ann"]["ever_looks"] == pytest.approx(np.log1p(1))
    assert row["ann"]["ever_purchases"] == 0
    assert row["bob"]["ever_purchases"] == pytest.approx(np.log1p(1))
    assert row["bob"]["ever_looks"] == 0
    now = customers_at(store, ["ann"], np.array([(START + 30 * DAY).timestamp()]))
    assert now.columns == trial.features.columns
    assert now["ever_purchases"][0] == pytest.approx(np.log1p(2))


def test_what_comes_after_the_end_is_not_known(store):
    trial = read_trial(store, "spring", days=5.5, until=START + 5.6 * DAY)
    assert dict(zip(trial.customers, trial.outcome.tolist(), strict=True)) == {
        "ann": 1.0,
        "bob": 0.0,
        "cat": 0.0,
    }


def test_wrong_campaigns(store):
    with pytest.raises(InputError, match="'winter'"):
        read_trial(store, "winter")
    store.events.append([drawn("fay", "maybe", 2)])
    with pytest.raises(InputError, match="'maybe'"):
        read_trial(store, "spring")
