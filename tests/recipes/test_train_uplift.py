"""Learning who is persuaded from trials whose truth is known."""

import numpy as np
import polars as pl
import pytest

from shopkeeper.errors import InputError, TrainingError
from shopkeeper.evaluation.uplift import Trial, qini
from shopkeeper.ranking.ads.uplift import Uplift, combined
from shopkeeper.recipes.ads.uplift import learn, train_uplift
from shopkeeper.recipes.ads.uplift_learners import BASES, Sample, estimated, learners, parted, response


def trial_of(n, seed=0, *, chance=None, effect=True):
    """Young customers are persuaded, rich ones buy anyway, and those on the phone are put off."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "spent": np.where(rng.random(n) < 0.1, np.nan, rng.exponential(50, n)),
            "channel": rng.choice(["web", "phone", "shop"], n),
        }
    )
    young, phone = (frame["age"] < 40).to_numpy(), (frame["channel"] == "phone").to_numpy()
    gain = (0.3 * young - 0.15 * phone) * effect
    share = np.full(n, 0.5) if chance is None else chance(young)
    treated = rng.random(n) < share
    base = 0.2 + 0.3 * (frame["spent"].fill_nan(0) > 50).to_numpy()
    outcome = (rng.random(n) < np.clip(base + gain * treated, 0, 1)).astype(float)
    return frame, treated, outcome, gain, share


def sample_of(frame, treated, outcome, share):
    columns = [(frame["age"] < 40).to_numpy(), (frame["channel"] == "phone").to_numpy()]
    table = np.stack([*columns, frame["spent"].fill_nan(0).to_numpy() / 100], axis=1).astype(np.float32)
    return Sample(table, Trial.of(treated, outcome, share), share)


@pytest.mark.parametrize("base", BASES)
def test_every_learner_finds_who_is_persuaded(base):
    frame, treated, outcome, gain, share = trial_of(6000)
    sample = sample_of(frame, treated, outcome, share)
    found, _ = learners(sample, BASES[base], 0)
    assert found.keys() == {"two-model", "X-learner", "doubly robust", "class transformation"}
    for parts, shift in found.values():
        guess = combined(parts, sample.table, shift)
        assert np.corrcoef(guess, gain)[0, 1] > 0.8
        assert guess.mean() == pytest.approx(gain.mean(), abs=0.04)
    likely = response(sample, BASES[base], 0).predict(sample.table)
    assert np.corrcoef(likely, gain)[0, 1] < 0.6


def test_unequal_chances_do_not_deceive():
    frame, treated, outcome, gain, share = trial_of(8000, chance=lambda young: np.where(young, 0.8, 0.3))
    sample = sample_of(frame, treated, outcome, share)
    assert np.abs(estimated(sample.table, treated, 0) - share).mean() < 0.03
    learnt = learn(sample)
    guess = combined(learnt.parts, sample.table, learnt.shift)
    assert guess.mean() == pytest.approx(gain.mean(), abs=0.04)
    assert np.corrcoef(guess, gain)[0, 1] > 0.85


def test_folds_hold_equally_many_treated():
    treated = np.arange(300) % 5 == 0
    fold = parted(treated, 3)
    assert np.bincount(fold[treated]).tolist() == [20, 20, 20]
    assert np.bincount(fold[~treated]).tolist() == [80, 80, 80]


def test_a_bundle_says_who_and_by_how_much(tmp_path):
    frame, treated, outcome, _, _ = trial_of(3000)
    bundle = train_uplift(frame, treated, outcome, tmp_path / "uplift", name="spring")
    model = Uplift.load(bundle)
    asked, side, bought, gain, _ = trial_of(3000, seed=1)
    guess = model.gain(asked)
    assert np.corrcoef(guess, gain)[0, 1] > 0.75
    assert qini(guess, Trial.of(side, bought)) > 0.1
    assert guess.mean() == pytest.approx(gain.mean(), abs=0.05)
    picked = model.treat(asked, share=0.3)
    assert gain[picked].mean() > gain.mean() + 0.1
    card = bundle.card
    assert card.after["cross-fitted"]["qini"] > card.before["cross-fitted"]["qini"]
    assert set(card.settings["columns"]) == {"age", "spent", "channel"}
    assert card.data["customers"] == 3000
    assert "foresee" not in card.notes
    with pytest.raises(InputError, match="'age'"):
        model.gain(asked.drop("age"))


def test_money_is_learnt_too(tmp_path):
    frame, treated, outcome, gain, _ = trial_of(3000)
    model = Uplift.load(train_uplift(frame, treated, 20 * outcome, tmp_path / "uplift"))
    assert np.corrcoef(model.gain(frame), gain)[0, 1] > 0.75
    assert model.gain(frame).mean() == pytest.approx(20 * gain.mean(), abs=1.0)


def test_a_card_warns_of_an_unfair_lot_and_of_no_difference(tmp_path):
    frame, treated, outcome, _, _ = trial_of(2500, chance=lambda young: np.where(young, 0.9, 0.2), effect=False)
    bundle = train_uplift(frame, treated, outcome, tmp_path / "unfair")
    assert "foresee who was treated" in bundle.card.notes
    frame, treated, outcome, _, _ = trial_of(1500, effect=False, seed=6)
    bundle = train_uplift(frame, treated, outcome, tmp_path / "nothing")
    assert "cannot be told from chance" in bundle.card.notes
    assert bundle.card.settings["slope"] <= 0.6


def test_too_little_to_learn_from(tmp_path):
    frame, treated, outcome, _, _ = trial_of(600)
    with pytest.raises(TrainingError, match="too little"):
        train_uplift(frame[:300], treated[:300], outcome[:300], tmp_path / "few")
    with pytest.raises(TrainingError, match="too little"):
        train_uplift(frame, treated, np.zeros(600), tmp_path / "none")
    with pytest.raises(InputError, match="were not"):
        train_uplift(frame, np.ones(600), outcome, tmp_path / "all")
    assert not list(tmp_path.iterdir())
