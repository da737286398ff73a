"""Choosing whom to treat, and a model that comes back from its bundle as it was."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError, ModelError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.ranking.ads.hashed_features import HashedFeatures
from shopkeeper.ranking.ads.uplift import LinearModel, Part, Uplift, chosen

CUSTOMERS = pl.DataFrame({"spent": [0.0, 5.0, None, 90.0], "channel": ["web", "phone", None, "fax"]})


def model_of(frame=CUSTOMERS):
    features = HashedFeatures.fit(frame)
    rng = np.random.default_rng(0)
    parts = [
        Part(1.0, LinearModel(rng.normal(size=features.width), 0.2, True)),
        Part(-0.5, LinearModel(rng.normal(size=features.width), 0.1, False)),
    ]
    return Uplift(features, parts, 0.05)


def test_the_sum_is_what_it_says():
    model = model_of()
    table = model.features.matrix(CUSTOMERS).toarray()
    first, second = (table @ part.model.weights + part.model.bias for part in model.parts)
    assert model.gain(CUSTOMERS) == pytest.approx(0.05 + 1 / (1 + np.exp(-first)) - 0.5 * second, abs=1e-6)
    assert len(model.gain(CUSTOMERS[:0])) == 0


def test_a_bundle_gives_it_back(tmp_path):
    model = model_of()
    arrays, parameters = model.save()
    bundle = save_bundle(tmp_path / "uplift", Card(task="uplift"), arrays=arrays, parameters=parameters)
    again = Uplift.load(bundle)
    assert (again.gain(CUSTOMERS) == model.gain(CUSTOMERS)).all()
    other = save_bundle(tmp_path / "other", Card(task="purchase"), parameters={"parts": []})
    with pytest.raises(ModelError, match="purchase"):
        Uplift.load(other)


def test_columns_are_named_when_they_are_missing():
    with pytest.raises(InputError, match="lacks 'channel'"):
        model_of().gain(CUSTOMERS.drop("channel"))
    more = CUSTOMERS.with_columns(pl.lit(1).alias("another"))
    assert (model_of().gain(more) == model_of().gain(CUSTOMERS)).all()


def test_only_who_is_worth_it():
    gain = np.array([0.10, -0.02, 0.03, 0.30, 0.0])
    assert chosen(gain).tolist() == [True, False, True, True, False]
    assert chosen(gain, share=0.4).tolist() == [True, False, False, True, False]
    assert chosen(gain, cost=1.0, benefit=20.0).tolist() == [True, False, False, True, False]
    assert not chosen(gain, share=0.0).any()
    model = model_of()
    assert (model.treat(CUSTOMERS, share=0.5) == chosen(model.gain(CUSTOMERS), share=0.5)).all()


def test_equal_customers_at_the_border_are_drawn_not_taken_in_order():
    first = sum(chosen(np.ones(100), share=0.5, seed=seed).astype(int) for seed in range(200))
    assert first.mean() == 100
    assert 60 < first.min() < first.max() < 140


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1, 1), max_size=30),
    st.floats(0, 1),
    st.floats(0, 5),
    st.floats(0.1, 10),
    st.integers(0, 99),
)
def test_a_budget_is_kept_and_nobody_better_is_left_out(gains, share, cost, benefit, seed):
    gain = np.array(gains, dtype=float)
    picked = chosen(gain, share=share, cost=cost, benefit=benefit, seed=seed)
    assert picked.sum() <= share * len(gain) + 1e-6
    assert (gain[picked] * benefit > cost).all()
    if picked.any() and not picked.all():
        worth = gain[~picked] * benefit > cost
        assert not worth.any() or gain[~picked][worth].max() <= gain[picked].min()


@pytest.mark.parametrize(
    "wrong", [{"share": 1.2}, {"share": -0.1}, {"cost": -1.0}, {"benefit": 0.0}, {"cost": float("nan")}]
)
def test_budgets_that_make_no_sense(wrong):
    with pytest.raises(InputError, match="budget"):
        chosen(np.ones(3), **wrong)
