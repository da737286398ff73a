"""Pictures are real PNG files of what they were given; a missing font or package is no crash."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from shopkeeper.errors import ExtraMissingError
from shopkeeper.evaluation.plots import confusion_matrix, drawable, learning_curve, reliability_diagram, search_history

RNG = np.random.default_rng(0)
HONEST = RNG.random(500)
PICTURES = {
    "curve": lambda: learning_curve([2.0, 1.0, 0.5] * 20, [(0, 0.1), (30, 0.4), (60, 0.3)], best_step=30, score="MRR"),
    "losses alone": lambda: learning_curve([1.0]),
    "confusions": lambda: confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2], ["好评", "差评", "neutral"]),
    "many classes": lambda: confusion_matrix(np.arange(77), np.arange(77), [f"intent {n}" for n in range(77)]),
    "reliability": lambda: reliability_diagram((RNG.random(500) < HONEST).astype(int), HONEST),
    "history": lambda: search_history([0.5, 0.4, None, 0.6], [False, True, False, False]),
    "no trials": lambda: search_history([], []),
}


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_a_picture_with_something_on_it(name):
    found = pixels(PICTURES[name]())
    assert found.shape[0] > 200
    assert found.shape[1] > 200
    assert 0.02 < (found != 255).any(axis=2).mean() < 0.98


def test_the_same_figures_give_the_same_bytes():
    assert PICTURES["curve"]() == PICTURES["curve"]()


def test_a_class_never_confused_is_dark_only_on_the_diagonal():
    found = pixels(confusion_matrix([0, 0, 1, 1], [0, 0, 1, 1], ["a", "b"])).astype(int)
    dark = np.abs(found - np.array([8, 48, 107])).sum(axis=2) < 12  # the darkest blue of the scale
    dark = dark[:, : int(0.8 * dark.shape[1])]  # without the colour bar
    rows, columns = np.nonzero(dark)
    middle_row, middle_column = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    assert (dark[rows, columns] & ((rows < middle_row) == (columns < middle_column))).mean() > 0.98


def test_no_font_for_chinese_is_no_crash(monkeypatch):
    import matplotlib.font_manager as fonts

    latin = [font for font in fonts.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(fonts.fontManager, "ttflist", latin)
    assert pixels(confusion_matrix([0, 1], [0, 1], ["好评", "差评"])).size


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    assert drawable()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ExtraMissingError, match=r"shopkeeper\[plots\]"):
        learning_curve([1.0])
