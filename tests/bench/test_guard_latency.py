"""The bench of waiting times: its payments and customers are what it says, and both clocks stop at the right moment."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hash_encoder import HashEncoder
from profileshop import SHOP, lived

pytest.importorskip("pyod")

from bench.guard_latency import folded, judged, timed
from bench.guard_log import lives, paid, purchases
from shopkeeper import settings as settings_module
from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.serving import Encoders
from shopkeeper.recipes.guard.fraud import FraudOptions, train_fraud
from shopkeeper.records import now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import open_store
from shopkeeper.tasks.guard.task import GuardTask
from shopkeeper.tasks.profile.task import ProfileTask

COUNT, ASKED = 400, 40


def cards():
    """Sixty days of 900 payments by 30 customers."""
    rng = np.random.default_rng(3)
    return pl.DataFrame({
        "time_s": np.sort(rng.integers(0, 60 * 86_400, 900)),
        "customer": rng.integers(0, 30, 900),
        "terminal": rng.integers(0, 12, 900),
        "amount_cents": rng.integers(500, 9_000, 900),
        "fraud": rng.random(900) < 0.05,
    })  # fmt: skip


@pytest.fixture(scope="module")
def payments():
    return paid(cards(), SHOP, COUNT, ASKED, np.random.default_rng(0))


@pytest.fixture(scope="module")
def store(tmp_path_factory, payments):
    home = tmp_path_factory.mktemp("bench")
    with open_store(f"sqlite:///{home / 'shop.db'}") as opened:
        opened.catalogue.put(SHOP)
        opened.events.append(payments[:-ASKED])
        opened.events.append(lives(lived(), 50, np.random.default_rng(1)))
        yield opened


def test_payments_are_the_last_ones_and_end_now(payments):
    times = [event.time for event in payments]
    assert len(payments) == len({event.id for event in payments}) == COUNT
    assert times == sorted(times)
    assert timedelta() <= now() - times[-1] < timedelta(minutes=5)
    assert all({"terminal", "device", "address", "card"} <= event.properties.keys() for event in payments)
    known = [event for event in payments if "fraud" in event.properties]
    assert known
    assert max(event.time for event in known) < now() - timedelta(days=7)


def test_a_payment_is_timed_to_its_verdict(store, payments, tmp_path):
    given = settings_module.load(tmp_path, environ={}, overrides={})
    bundle = train_fraud(store, given, tmp_path / "bundle", options=FraudOptions(members=1))
    rows = {row.system: row for row in judged(GuardTask(store, bundle), payments[-ASKED:])}
    assert rows.keys() == {"shopkeeper judge, in process", "model alone"}
    for row in rows.values():
        assert 0 < row.metrics["p50_ms"].value <= row.metrics["p95_ms"].value <= row.metrics["p99_ms"].value


def test_a_purchase_is_timed_to_the_profile_after_it(store, tmp_path):
    encoder, shelf = HashEncoder(16), Shelf(SHOP)
    encoders = Encoders(encoder, CachedEncoder(encoder, tmp_path / "hash.bin"))

    def anew():
        return ProfileTask(shelf, store.events, store.words, lambda _: None, encoders)

    events = purchases(SHOP, 50, "here", 12, np.random.default_rng(2))
    assert len(store.events.tail(customer=events[0].customer)) == 50
    rows = list(folded(store.events.append, anew().profile, anew, 50, events))
    assert [row.system for row in rows] == ["shopkeeper profile of 50 events, in process", "refold of 50 events"]
    with pytest.raises(AssertionError, match="does not show"):
        list(folded(lambda _: None, anew().profile, anew, 50, purchases(SHOP, 51, "lost", 1, np.random.default_rng(2))))


def test_the_first_calls_do_not_count():
    found = timed([lambda: sum(range(100))] * 30)
    assert found.keys() == {"p50_ms", "p95_ms", "p99_ms", "cpu_p95_ms"}
