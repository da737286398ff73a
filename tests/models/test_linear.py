"""The linear model of words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.models.blended import Blended, mixed
from shopkeeper.models.linear import CHINESE, LATIN, LinearText, grams_for
from shopkeeper.recipes.texts.linear_text import fit_linear

GOOD = ["great shoes, very warm", "warm and great", "great price", "a warm shirt, great"]
BAD = ["cold and broken", "broken zip, awful", "awful smell", "cold, awful shoes"]
TEXTS, LABELS = GOOD + BAD, np.array([1] * 4 + [0] * 4)
ZH = ["很好很喜欢", "质量很好", "太差了", "很差不喜欢"]


def test_words_decide():
    model, _ = fit_linear(TEXTS, LABELS, 2)
    shares = model.probabilities(["warm", "awful", ""])
    assert shares.argmax(1)[:2].tolist() == [1, 0]
    assert np.allclose(shares.sum(1), 1, atol=1e-6)
    assert model.score(["warm"])[0] == shares[0, 1]


def test_chinese_is_read_by_characters():
    assert grams_for(ZH) == CHINESE
    assert grams_for(TEXTS) == LATIN
    model, _ = fit_linear(ZH, np.array([1, 1, 0, 0]), 2)
    assert model.probabilities(["好", "差"]).argmax(1).tolist() == [1, 0]


def test_saved_and_loaded_it_says_the_same():
    model, _ = fit_linear([*TEXTS, "kettle"], np.array([*LABELS, 2]), 4)
    again = LinearText.load(*model.save())
    asked = ["warm kettle", "awful", "nothing of the kind"]
    assert np.array_equal(model.probabilities(asked), again.probabilities(asked))
    assert model.probabilities(asked)[:, 3].max() < 1e-6, "a class without an example is never chosen"


def test_validation_makes_margins_honest():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    texts = [
        ("warm" if (label if rng.random() < 0.8 else 1 - label) else "cold") + f" w{n}"
        for n, label in enumerate(labels)
    ]
    model, _ = fit_linear(texts[:300], labels[:300], 2, texts[300:450], labels[300:450])
    sure = model.probabilities(texts[450:])[:, 1]
    warm = np.array([text.startswith("warm") for text in texts[450:]])
    assert sure[warm].mean() == pytest.approx(0.8, abs=0.1)
    assert sure[~warm].mean() == pytest.approx(0.2, abs=0.1)


def test_one_class_alone_and_no_text_at_all():
    model, _ = fit_linear(["a b", "a c"], np.array([1, 1]), 2)
    assert model.probabilities(["whatever"]).argmax(1).tolist() == [1]
    assert model.probabilities([]).shape == (0, 2)


@given(st.floats(0, 1), st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5))
def test_a_blend_of_honest_models_is_their_mean(share, ones):
    first = np.stack([1 - np.array(ones), np.array(ones)], axis=1).astype(np.float32)
    second = first[:, ::-1].copy()
    assert np.allclose(mixed(first, second, share, (1.0, 1.0)), share * first + (1 - share) * second, atol=1e-5)


def test_a_model_without_a_share_is_not_run():
    class Never:
        name = "never"

        def probabilities(self, *_, **__):
            raise AssertionError

    linear, _ = fit_linear(TEXTS, LABELS, 2)
    blended = Blended(Never(), linear, 0.0, (1.0, 1.0))
    assert np.allclose(blended.probabilities(TEXTS), linear.probabilities(TEXTS), atol=1e-6)
