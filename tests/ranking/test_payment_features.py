"""Features against a plain loop, and the running state against the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paylog import START, columns, simulated

from shopkeeper.errors import InputError
from shopkeeper.ranking.payments import runs as payment_runs
from shopkeeper.ranking.payments.columns import DAY, NEVER, Payment
from shopkeeper.ranking.payments.features import payment_features
from shopkeeper.ranking.payments.table import UNIT, Feature
from shopkeeper.ranking.payments.windows import PaymentWindows

BASE = int(START.timestamp())


def paid(number, time, amount=10.0, customer="c1", currency="EUR", **counterparts):
    return Payment(f"p{number}", BASE + time, customer, amount, currency, "", counterparts)


def named(payments, **options):
    features, table = payment_features(payments, **options)
    return {str(feature): table[:, place] for place, feature in enumerate(features)}


def test_windows_agree_with_a_plain_loop():
    log = simulated(300, 3)
    found = named(log)
    units = np.rint(UNIT * log.amount / np.median(log.amount)) / UNIT
    for row in range(len(log)):
        before = [r for r in range(row) if log.customer[r] == log.customer[row]]
        for window, seconds in (("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY)):
            within = [r for r in before if log.time[r] > log.time[row] - seconds]
            assert found[f"velocity.customer.count.{window}"][row] == len(within)
            mean = np.mean(units[within]) if within else np.nan
            np.testing.assert_allclose(found[f"spending.customer.mean.{window}"][row], mean, rtol=1e-5)
        if within:
            deviation = np.std(units[within])
            np.testing.assert_allclose(found["spending.customer.deviation.30d"][row], deviation, rtol=1e-4, atol=1e-6)
            unusual = (units[row] - mean) / max(deviation, 0.25 * mean)
            np.testing.assert_allclose(found["spending.customer.unusual.30d"][row], unusual, rtol=1e-4, atol=1e-5)
        at = [r for r in range(row) if log.counterparts["terminal"][r] == log.counterparts["terminal"][row]]
        month = [r for r in at if log.time[r] > log.time[row] - 30 * DAY]
        met = [r for r in month if log.customer[r] == log.customer[row]]
        expected = log.time[row] - log.time[met[-1]] if met else np.nan
        np.testing.assert_equal(float(found["counterpart.terminal.met."][row]), float(expected))
        until = (log.time[row] - 7 * DAY) // 3600 - 1
        hours = log.time // 3600
        old = [r for r in range(len(log)) if log.counterparts["terminal"][r] == log.counterparts["terminal"][row]
               and until - 30 * 24 < hours[r] <= until]  # fmt: skip
        assert found["labels.terminal.settled.30d"][row] == len(old)
        assert found["labels.terminal.known.30d"][row] == log.fraud[old].sum()


def test_fraud_counts_once_the_delay_has_passed_and_not_before_it_is_known():
    log = columns(
        [paid(0, 0, terminal="t"), paid(1, 6 * DAY, terminal="t"), paid(2, 8 * DAY, terminal="t"), paid(3, 12 * DAY, terminal="t")],
        fraud=[1, -1, -1, -1],
        known=[BASE + DAY, NEVER, NEVER, NEVER],
    )  # fmt: skip
    assert named(log)["labels.terminal.known.7d"].tolist() == [0, 0, 1, 1]
    late = columns(
        [paid(n, d * DAY, terminal="t") for n, d in enumerate((0, 8, 12))],
        fraud=[1, -1, -1],
        known=[BASE + 10 * DAY, NEVER, NEVER],
    )
    assert named(late)["labels.terminal.known.7d"].tolist() == [0, 0, 1]
    assert named(late)["labels.terminal.genuine_since.60d"][2] == 0
    assert np.isnan(named(late)["labels.terminal.hours_since.60d"][0])


def test_amounts_are_compared_within_a_currency_only():
    euros = [paid(n, n * DAY, 10.0 + n % 2) for n in range(10)]
    yen = [paid(20 + n, n * DAY + 60, 1600.0 + n % 2, currency="JPY") for n in range(10)]
    log = columns(sorted([*euros, *yen], key=lambda payment: payment.time))
    found = named(log)
    ratios = found["spending.customer.ratio.30d"]
    assert np.nanmax(ratios) < 1.2
    assert np.nanmin(ratios) > 0.8
    assert np.isnan(found["sequence.customer.ratio.1"][1])  # euros before yen
    assert found["velocity.customer.count.30d"][-1] == 19


def test_words_tell_what_a_customer_never_bought():
    vectors = np.eye(3, dtype=np.float32)
    log = columns([paid(n, n * DAY) for n in range(4)], words=[0, 0, 1, -1])
    distance = named(log, vectors=vectors)["text.customer.distance.30d"]
    np.testing.assert_allclose(distance, [np.nan, 0, 1, np.nan], atol=1e-6)


def test_nobody_known_has_no_history():
    log = columns([paid(n, n * DAY, customer="") for n in range(3)])
    found = named(log)
    assert np.isnan(found["velocity.customer.count.30d"]).all()
    assert np.isfinite(found["amount.payment.amount."]).all()


payment = st.tuples(
    st.integers(0, 40 * 24 * 4), st.sampled_from("ab"), st.sampled_from(["", "t", "u"]), st.sampled_from(["", "d"]),
    st.floats(0.5, 900), st.sampled_from(["EUR", "JPY"]), st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1, 2]),
    st.integers(0, 12),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(payment, min_size=1, max_size=25), st.integers(0, 25))
def test_the_running_state_gives_the_same_numbers_as_the_batch(rows, filled):
    rows = sorted(rows, key=lambda row: row[0])
    given_ = [
        Payment(f"p{n}", BASE + 900 * quarter, customer, round(amount, 2), currency, "",
                {kind: value for kind, value in (("terminal", terminal), ("device", device)) if value})
        for n, (quarter, customer, terminal, device, amount, currency, *_) in enumerate(rows)
    ]  # fmt: skip
    fraud, words = [row[6] for row in rows], [row[7] for row in rows]
    known = [p.time + row[8] * DAY if row[6] >= 0 else NEVER for p, row in zip(given_, rows, strict=True)]
    log = columns(given_, fraud, known, words)
    vectors = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    medians = log.medians()
    features, table = payment_features(log, vectors=vectors)
    kinds = list(log.counterparts)
    filled = min(filled, len(rows))
    state = PaymentWindows(kinds, medians, vectors)
    if filled:
        state = PaymentWindows.of(log.take(np.arange(filled)), kinds, medians, vectors)
    told = set(range(filled))
    for place, one in enumerate(given_):
        for other in range(place):
            if other not in told and fraud[other] >= 0 and known[other] <= one.time:
                assert state.learn(f"p{other}", fraud[other] == 1, known[other])
                told.add(other)
        if place < filled:
            continue
        names, values = state.look(one, words[place])
        order = [names.index(feature) for feature in features]
        np.testing.assert_allclose(values[order], table[place], rtol=1e-6, err_msg=str(features))
        assert state.add(one, words[place])
    assert len(state) <= len(rows)


def test_a_replayed_payment_counts_once_and_looks_the_same():
    state = PaymentWindows(["terminal"], {"EUR": 10.0})
    for n in range(5):
        state.add(paid(n, n * 3600, terminal="t"))
    _, first = state.look(paid(5, 5 * 3600, terminal="t"))
    assert state.add(paid(5, 5 * 3600, terminal="t"))
    _, again = state.look(paid(5, 5 * 3600, terminal="t"))
    np.testing.assert_equal(first, again)
    assert not state.add(paid(5, 5 * 3600, terminal="t"))
    assert len(state) == 6


def test_a_late_payment_sees_its_own_past_and_leaves_the_state_as_if_in_time():
    given_ = [paid(n, n * 3600, 10.0 + n, terminal="t") for n in range(6)]
    late, *rest = given_[2:3] + given_[:2] + given_[3:]
    state = PaymentWindows(["terminal"], {"EUR": 10.0})
    for one in rest:
        state.add(one)
    names, values = state.look(late)
    assert values[names.index(Feature("velocity", "customer", "count", "30d"))] == 2
    state.add(late)
    orderly = PaymentWindows(["terminal"], {"EUR": 10.0})
    for one in given_:
        orderly.add(one)
    names, values = state.look(paid(9, 9 * 3600, terminal="t"))
    same = [place for place, feature in enumerate(names) if not feature.measure.startswith("unusual")]
    np.testing.assert_equal(values[same], orderly.look(paid(9, 9 * 3600, terminal="t"))[1][same])


def test_a_customer_with_very_many_payments_takes_bounded_room_and_agrees_with_the_batch(monkeypatch):
    log = columns([paid(n, 60 * n, 10.0 + n % 7, terminal="t") for n in range(1_400)])
    features, table = payment_features(log)
    state = PaymentWindows.of(log.take(np.arange(1_390)), ["terminal"], log.medians())
    for n in range(1_390, 1_400):
        one = paid(n, 60 * n, 10.0 + n % 7, terminal="t")
        names, values = state.look(one)
        assert names == features
        np.testing.assert_allclose(values, table[n], rtol=1e-6)
        state.add(one)
    place = features.index(Feature("velocity", "customer", "count", "30d"))
    assert table[-1, place] == payment_runs.LIMIT - 1
    assert max(len(ring) for ring in state._recent.values()) == payment_runs.LIMIT
    assert max(len(hours) for hours in state._hours.values()) <= 24 + 1


def test_an_amount_that_is_none_is_refused():
    with pytest.raises(InputError, match="is none"):
        PaymentWindows(["terminal"]).look(paid(1, 0, float("nan")))
    assert not PaymentWindows(["terminal"]).learn("unknown", True, BASE)


def test_a_history_without_counterparts_is_taken_up():
    state = PaymentWindows.of(columns([paid(0, 0), paid(1, 60)]), ["terminal"])
    names, values = state.admit(paid(2, 120, terminal="t"))
    assert values[names.index(Feature("velocity", "customer", "count", "1h"))] == 2
    assert values[names.index(Feature("counterpart", "terminal", "count", "30d"))] == 0
    assert len(state) == 3
