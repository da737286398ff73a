"""Outlier models score as pyod does, from plain arrays, and find what is planted."""

import numpy as np
import pytest

pytest.importorskip("pyod")

from pyod.models.auto_encoder import AutoEncoder as PyodAutoEncoder
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest

from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.models.outliers import Outliers, Scaling
from shopkeeper.recipes.guard.outlier_fitting import autoencoder_of, fit_outliers, forest_of, tails_of


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    table = rng.normal(size=(600, 6))
    table[:, 3] = np.exp(table[:, 3])  # leans to one side
    table[:, 4] = 0.0
    return table


def test_the_forest_scores_as_pyods_does(rows):
    fitted = IForest(n_estimators=30, max_samples=128, random_state=1).fit(rows)
    asked = np.random.default_rng(6).normal(size=(200, 6)) * 2
    ours = forest_of(fitted).score(asked)
    np.testing.assert_allclose(ours + fitted.offset_, fitted.decision_function(asked), atol=1e-9)
    assert ours.min() > 0
    assert ours.max() < 1


def test_tails_score_as_ecod_does(rows):
    rows = np.delete(rows, 4, axis=1)  # pyod has no score where a column is constant
    tails = tails_of(rows)
    fitted = ECOD().fit(rows)
    asked = np.random.default_rng(7).normal(size=(30, 5)) * 2
    for row in asked:
        assert tails.score(row[None, :])[0] == pytest.approx(fitted.decision_function(row[None, :])[0], rel=1e-9)
    np.testing.assert_allclose(tails.contributions(asked).sum(axis=1), tails.score(asked))


def test_the_autoencoder_scores_as_pyods_does(rows):
    fitted = PyodAutoEncoder(epoch_num=2, hidden_neuron_list=[8, 3], preprocessing=False, verbose=0, device="cpu").fit(
        rows
    )
    np.testing.assert_allclose(autoencoder_of(fitted).score(rows), fitted.decision_function(rows), rtol=1e-4)


def test_together_they_find_what_is_planted_and_survive_saving(rows):
    table = rows.astype(np.float32)
    table[::7, 1] = np.nan
    found = fit_outliers(table, 3, columns=[0, 1, 2, 3, 4], epochs=3)
    odd = np.array([[6, -6, 6, 200, 0, -6]], dtype=np.float32)
    assert found.score(odd)[0] > 0.98
    assert found.score(table).mean() == pytest.approx(0.5, abs=0.02)
    again = Outliers.load(found.save())
    np.testing.assert_array_equal(again.parts(table), found.parts(table))
    assert again.contributions(odd)[0].argmax() != 4
    assert again.contributions(odd)[0, 5] == 0
    np.testing.assert_array_equal(fit_outliers(table, 3, columns=range(5), epochs=3).score(table), found.score(table))


def test_missing_values_become_the_median_and_empty_columns_nothing():
    table = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan]])
    scaled = Scaling.fit(table)(table)
    assert np.isfinite(scaled).all()
    assert scaled[:, 1].tolist() == [0, 0, 0]
    assert scaled[0, 0] < scaled[2, 0] < scaled[1, 0]


def test_too_few_rows_and_missing_arrays_are_clear_errors(rows):
    with pytest.raises(TrainingError, match="too few"):
        fit_outliers(rows[:10].astype(np.float32), 1)
    with pytest.raises(ModelError, match="missing"):
        Outliers.load({"outliers.ranks": np.zeros((3, 2))})
