"""Intents: one linear system whose leave-one-out answers make everything honest."""

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from shopkeeper.errors import TrainingError
from shopkeeper.models import intent_fitting
from shopkeeper.models.intent_fitting import best_threshold, fit_intents
from shopkeeper.models.intent_seeds import LANGUAGES, intent_names, seeds
from shopkeeper.models.intents import IntentModel, grams
from shopkeeper.models.logistic import logistic
from shopkeeper.models.term_space import TermSpace

ORDER = ["where is my parcel", "track my parcel", "parcel status please", "has the parcel left", "my parcel is late"]
MONEY = ["refund my money", "money back please", "I want a refund", "refund the money now", "is the refund on its way"]
BOTH = ["where is my parcel and refund my money", "track the parcel, refund the money"]
FOREIGN = ["sing a song", "weather in Rome", "who wrote Hamlet", "boil an egg", "tell me a joke"]


def encode(texts):
    return HashEncoder().encode(list(texts))


@pytest.fixture(scope="module")
def model() -> IntentModel:
    texts = ORDER + MONEY + BOTH + FOREIGN * 5
    wanted = [("order",)] * 5 + [("money",)] * 5 + [("money", "order")] * 2 + [()] * 25
    return fit_intents(texts, wanted, encode)


def test_intents_hold_alone_together_or_not_at_all(model):
    read = model.read(["my parcel please", "refund please", "refund my money, track my parcel", "who sings in Rome"])
    held = read.chances >= model.threshold
    assert model.names == ("money", "order")
    assert held[:3].tolist() == [[False, True], [True, False], [True, True]]
    assert (read.outside[:3] < 0.5).all()
    assert read.outside[3] > 0.5


def test_nothing_to_read_is_nothing_read(model):
    assert model.read([]).chances.shape == (0, 2)
    assert np.isfinite(model.read(["", "\0", "🙂"]).chances).all()


def test_a_saved_model_reads_the_same(model):
    arrays, values = model.save()
    again = IntentModel.load(arrays, values, encode)
    texts = ["my parcel please", "一句话", "who sings"]
    assert np.allclose(again.read(texts).chances, model.read(texts).chances, atol=1e-6)
    assert np.allclose(again.read(texts).outside, model.read(texts).outside, atol=1e-6)


def test_the_leave_one_out_answer_is_that_of_a_regression_without_the_example():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((9, 4))
    kernel, held = points @ points.T + 1, rng.random((9, 2)) < 0.5
    solved = intent_fitting._solve(kernel, held, 0.3)
    for left in range(9):
        rest = np.delete(np.arange(9), left)
        weights = np.linalg.solve(kernel[np.ix_(rest, rest)] + 0.3 * np.eye(8), np.where(held[rest], 1.0, -1.0))
        assert np.allclose(solved.margins[left], kernel[left, rest] @ weights)


def test_without_foreign_examples_hidden_intents_show_what_is_foreign():
    texts = [f"{word} {other}" for word in ("parcel", "refund", "price", "size", "hello") for other in "abcdef"]
    model = fit_intents(texts, [(text.split()[0],) for text in texts], encode)
    read = model.read(["parcel b", "giraffe z"])
    assert read.outside[0] < read.outside[1]


def test_no_intent_is_an_error():
    with pytest.raises(TrainingError):
        fit_intents(["a", "b"], [(), ()], encode)


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=2, max_size=12))
def test_no_other_threshold_has_a_better_f1(pairs):
    chances = np.array([[pair[0]] for pair in pairs])
    held = np.array([[pair[1]] for pair in pairs])

    def f1(threshold):
        given_ = chances >= threshold
        return 2 * (given_ & held).sum() / max(given_.sum() + held.sum(), 1)

    inside = [value for value in np.unique(chances) if 0.05 < value < 0.95]
    if held.any() and len(np.unique(chances)) == len(chances) == len(inside):
        assert f1(best_threshold(chances, held)) >= max(f1(value) for value in inside) - 1e-9


def test_logistic_agrees_with_the_library():
    rng = np.random.default_rng(1)
    table = rng.standard_normal((200, 3))
    truth = rng.random(200) < 1 / (1 + np.exp(-(table @ [1.0, -2.0, 0.5] + 0.7)))
    for balanced in (False, True):
        weights, offset = logistic(table, truth, penalty=0.5, balanced=balanced)
        known = LogisticRegression(C=2.0, class_weight="balanced" if balanced else None, tol=1e-8).fit(table, truth)
        assert np.allclose(weights, known.coef_[0], atol=1e-3)
        assert offset == pytest.approx(known.intercept_[0], abs=1e-3)


def test_term_spaces_weigh_what_is_rare():
    space = TermSpace(["a b", "a c", "a"], str.split)
    rows = space.rows(["a b", "b a", "c", ""]).toarray()
    assert np.allclose(rows[0], rows[1])
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1, 1, 1, 0])
    common, rare = np.sort(rows[0][rows[0] > 0])
    assert rare > common
    assert rare / common == pytest.approx(np.log1p(3.5 / 1.5) / np.log1p(3.5 / 3.5))


@given(st.text(max_size=60))
def test_grams_read_anything(text):
    assert all(grams(text))


def test_shipped_examples_are_many_and_say_each_thing_once():
    assert len(intent_names()) == 23
    for language in LANGUAGES:
        own = [seed for seed in seeds() if seed.language == language]
        assert len({seed.text for seed in own}) == len(own)
        assert all(sum(seed.intents == (name,) for seed in own) >= 25 for name in intent_names())
        assert sum(not seed.intents for seed in own) >= 40
