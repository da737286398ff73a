"""The classification recipe on texts whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import Lora
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.blending import blend
from shopkeeper.recipes.texts.classify import _again, learn, method_for, notes, train_classifier
from shopkeeper.recipes.texts.cleaning import wrongly_labelled
from shopkeeper.recipes.texts.fine_tuning import ensemble_answers
from shopkeeper.recipes.texts.labelled_texts import Texts, held_out
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import FGM
from shopkeeper.training.averaging import ExponentialAverage
from shopkeeper.training.class_contrast import Contrast
from shopkeeper.training.plan import FitReport
from shopkeeper.training.supervised import class_numbers

RNG = np.random.default_rng(0)
WORDS = ["shoe", "shirt", "cup", "a", "b", "c", "d"]


def texts(count=240):
    labels = RNG.choice(["cold", "warm"], count)
    rows = [" ".join([*RNG.choice(WORDS, 3), "red warm" if label == "warm" else "blue cold"]) for label in labels]
    return Texts(rows, labels.tolist())


QUICK = Method(open_layers=None, rate=3e-3, head_rate=2.0, epochs=4, batch=32, tokens=16, bfloat16=False)
TRAIN, TEST = texts(), texts(80)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def right(taught, share):
    shares = replace(taught, share=share).scorer().probabilities(TEST.texts)
    return np.mean([taught.classes[place] == label for place, label in zip(shares.argmax(1), TEST.labels, strict=True)])


@pytest.mark.parametrize(
    "method",
    [
        QUICK,
        replace(QUICK, open_layers=1, head_rate=5.0),
        replace(QUICK, adapter=Lora(rank=4), rate=1e-2),
        replace(QUICK, agree=1.0),
        replace(QUICK, mix=0.3),
        replace(QUICK, smoothing=0.1, layer_decay=0.9),
        replace(QUICK, noise=0.5, gradual=True),
        replace(QUICK, hooks=(FGM, ExponentialAverage)),
        replace(QUICK, refit=True),
        replace(QUICK, refit=True, adapter=Lora(rank=4), rate=1e-2),
    ],
    ids=["all", "top", "lora", "r-drop", "mixup", "smoothing", "noise-gradual", "fgm-ema", "refit", "refit-lora"],
)
def test_every_method_learns_a_separable_task(settings, method):
    taught = learn(TRAIN, tiny_bert(), settings, method=method, minutes=5)
    assert taught.classes == ["cold", "warm"]
    assert right(taught, 1.0) > 0.9, "fine-tuned"
    assert right(taught, 0.0) > 0.9, "linear"


def test_a_causal_body_learns_too(settings):
    assert right(learn(TRAIN, tiny_gpt(), settings, method=replace(QUICK, epochs=8), minutes=5), 1.0) > 0.9


def test_the_bundle_answers_like_what_was_taught(settings, tmp_path):
    bundle = train_classifier(
        TRAIN, settings, tmp_path / "out", task="warmth", test=TEST, base=tiny_bert(), method=QUICK, minutes=5
    )
    assert bundle.parameters["classes"] == ["cold", "warm"]
    scorer = bundle.scorer()
    shares = scorer.probabilities(TEST.texts)
    found = [bundle.parameters["classes"][place] for place in shares.argmax(1)]
    assert np.mean([one == other for one, other in zip(found, TEST.labels, strict=True)]) > 0.9
    assert np.allclose(shares, bundle.scorer("torch").probabilities(TEST.texts), atol=0.05)
    assert bundle.card.after["test"]["blend"]["accuracy"]["value"] > 0.9
    assert "linear" in bundle.card.before["test"]


def test_the_blend_prefers_what_is_right():
    wanted = np.array([0, 1] * 50)
    good = np.where(np.eye(2, dtype=bool)[wanted], 0.9, 0.1).astype(np.float32)
    useless = np.full((100, 2), 0.5, dtype=np.float32)
    assert blend(wanted, good, useless)[0] == 1.0
    assert blend(wanted, useless, good)[0] == 0.0


def test_validation_shares_no_text_with_training():
    repeated = Texts(["one", "two", "three", "four"] * 10, ["a", "b"] * 20)
    held = held_out(repeated, 0)
    inside = {text for text, own in zip(repeated.texts, held, strict=True) if own}
    assert inside
    assert not inside & {text for text, own in zip(repeated.texts, held, strict=True) if not own}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Texts([], []), "no texts"),
        (Texts(["x", "y"], ["a", "a"]), "one class"),
        (Texts([" ", ""], ["a", "b"]), "empty"),
    ],
)
def test_what_cannot_be_learnt_is_said(settings, given, message):
    with pytest.raises(TrainingError, match=message):
        learn(given, tiny_bert(), settings)


def test_few_labels_are_learnt_by_contrast_and_validation_teaches_in_the_end(settings):
    method = Method(
        contrast=Contrast(steps=30, batch=16, layers=None, rate=3e-3), epochs=0, refit=True, tokens=16, bfloat16=False
    )
    few = TRAIN.take(np.arange(24))
    taught = learn(few, tiny_bert(), settings, method=method, minutes=5)
    assert right(taught, 1.0) > 0.9
    assert taught.report.steps == 30


def test_a_solved_head_knows_something_before_the_body_moves(settings):
    solved = replace(QUICK, solve=True, epochs=0)
    taught = learn(TRAIN, tiny_bert(), settings, method=solved, minutes=5)
    assert taught.report.steps == 0
    assert right(taught, 1.0) > 0.8
    taught = learn(TRAIN, tiny_bert(), settings, method=replace(solved, epochs=2), minutes=5)
    assert taught.report.scores[0][1] > -0.6, "validation begins well below log 2"
    assert right(taught, 1.0) > 0.9


def test_texts_without_labels_help_where_labels_are_few(settings):
    method = Method(
        contrast=Contrast(steps=30, batch=16, layers=None, rate=3e-3), epochs=0, refit=True, tokens=16, bfloat16=False
    )
    few = TRAIN.take(np.arange(8))
    taught = learn(few, tiny_bert(), settings, unlabelled=TRAIN.texts[8:150], method=method, minutes=5)
    assert right(taught, 1.0) > 0.9
    assert taught.classifier.classes == 2


@pytest.mark.parametrize("method", [QUICK, replace(QUICK, refit=True, epochs=2)], ids=["once", "refit"])
def test_an_ensemble_teaches_the_model_that_is_kept(settings, method):
    taught = learn(TRAIN, tiny_bert(), settings, method=replace(method, members=2), minutes=5)
    assert right(taught, 1.0) > 0.9
    alone = learn(TRAIN, tiny_bert(), settings, method=method, minutes=5)
    assert not torch.equal(taught.classifier.linear.weight, alone.classifier.linear.weight), "the ensemble had a say"


def test_members_start_alike_and_part_by_their_seeds():
    start = Classifier(tiny_bert(), classes=2)
    known = class_numbers(TRAIN.labels, ["cold", "warm"])
    how = {"names": ["cold", "warm"], "minutes": 5, "seed": 3}
    weights = [parameter.clone() for parameter in start.parameters()]
    pair = ensemble_answers(start, TRAIN.texts, known, TEST.texts, replace(QUICK, members=2), **how)
    assert all(torch.equal(*both) for both in zip(weights, start.parameters(), strict=True)), "the start is left alone"
    single = [
        ensemble_answers(start, TRAIN.texts, known, TEST.texts, replace(QUICK, members=1), **how | {"seed": seed})
        for seed in (3, 4)
    ]
    assert not torch.allclose(*single)
    torch.testing.assert_close(pair, (single[0] + single[1]) / 2)


def test_texts_with_wrong_labels_are_left_out(settings):
    labels = [
        ("warm" if label == "cold" else "cold") if row % 5 == 0 else label for row, label in enumerate(TRAIN.labels)
    ]
    noisy = Texts(TRAIN.texts, labels)
    wrong = set(range(0, len(noisy), 5))
    found = set(wrongly_labelled(noisy, ["cold", "warm"], 7).tolist())
    assert len(found & wrong) > 0.8 * len(wrong)
    assert len(found - wrong) < 0.2 * len(wrong)
    taught = learn(noisy, tiny_bert(), settings, method=replace(QUICK, clean=True), minutes=5)
    assert len(taught.left_out) > 30
    assert "were left out" in notes(taught)
    assert right(taught, 1.0) > 0.9


def test_cleaning_leaves_every_class_half_of_its_texts():
    rng = np.random.default_rng(3)
    texts = Texts([" ".join(rng.choice(WORDS, 4)) for _ in range(60)], ["rare"] * 6 + ["usual"] * 54)
    found = wrongly_labelled(texts, ["rare", "usual"], 7)
    assert np.sum(found < 6) <= 3


def test_few_labels_choose_contrast_and_many_do_not():
    asked = Settings().train
    assert method_for(TRAIN.take(np.arange(16)), asked).epochs == 0
    assert method_for(TRAIN, asked).epochs > 0
    assert method_for(TRAIN, asked).hooks == (FGM,)
    assert method_for(TRAIN.take(np.arange(20_001) % len(TRAIN)), asked).hooks == ()
    assert method_for(TRAIN.take(np.arange(16)), asked.model_copy(update={"contrast": -1})).epochs > 0


class Prefixed:
    """A body that wants a prefix before queries and passages, as e5 does, and notes the tokens it is given."""

    def __init__(self):
        self.backbone = replace(tiny_bert(), prefixes={"query": "shoe: ", "passage": "cup: "})
        self.seen = []
        self.backbone.model.register_forward_pre_hook(self.note, with_kwargs=True)

    def note(self, _, given, named):
        ids = given[0] if given else named["input_ids"]
        self.seen += [[int(token) for token in row if token] for row in ids]


@pytest.mark.parametrize("method", [QUICK, replace(QUICK, solve=True), replace(QUICK, members=2, epochs=1)])
def test_what_is_learnt_is_what_is_served(settings, method):
    body = Prefixed()
    taught = learn(TRAIN, body.backbone, settings, method=method, minutes=5)
    learnt = {tuple(row) for row in body.seen}
    body.seen.clear()
    TorchScorer(taught.classifier).probabilities(TRAIN.texts)
    assert {tuple(row) for row in body.seen} == learnt, "training, validation and serving read the same tokens"


def test_refit_takes_as_many_epochs_as_led_to_the_best_state():
    done = FitReport(steps=130, epochs=13.0, seconds=1, losses=(), scores=(), best_step=100, stopped="patience")
    assert _again(replace(QUICK, epochs=30), done).epochs == 10
    assert _again(replace(QUICK, epochs=0), done).epochs == 0
    assert _again(replace(QUICK, hooks=(FGM, ExponentialAverage)), done).hooks == (FGM,)


def test_few_labels_need_no_four_layers(settings):
    taught = learn(
        TRAIN.take(np.arange(24)),
        tiny_bert(),
        settings,
        method=method_for(TRAIN.take(np.arange(24)), settings.train),
        minutes=5,
    )
    assert taught.refitted
