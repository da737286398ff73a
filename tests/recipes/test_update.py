"""A live classifier goes on learning, on texts whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import Lora, Prefix
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.heads import TorchScorer
from shopkeeper.recipes.method import Lesson, Method, prepare, teach
from shopkeeper.recipes.texts.classify import train_classifier
from shopkeeper.recipes.texts.known_texts import KnownTexts, fingerprints
from shopkeeper.recipes.texts.labelled_texts import Texts
from shopkeeper.recipes.texts.update import FEWEST, KEPT, part, update_classifier
from shopkeeper.settings import load
from shopkeeper.training.supervised import class_numbers
from shopkeeper.training.texts import tokenise

THINGS = ["shoe", "shirt", "cup", "a", "b", "c", "d", "鞋", "杯"]
QUICK = Method(open_layers=1, rate=3e-3, head_rate=3.0, epochs=4, batch=16, tokens=16, bfloat16=False, dropout=0.0)

LATER = replace(QUICK, open_layers=None, rate=2e-2, epochs=12, patience=12)  # an update halves the rate


def written(rules, count, seed):
    """Distinct texts of random things with the words of a rule among them; a rule is words -> label."""
    rng = np.random.default_rng(seed)
    found = {}
    while len(found) < count:
        words = list(rules)[int(rng.integers(len(rules)))]
        found[" ".join([*rng.choice(THINGS, 5), *words.split()])] = rules[words]
    return Texts(list(found), list(found.values()))


def joined(*parts):
    return Texts([t for part in parts for t in part.texts], [label for part in parts for label in part.labels])


OLD = written({"red": "warm", "blue": "cold"}, 400, 1)
NEW = written({"x blue": "warm", "y red": "cold"}, 120, 2)  # the old words mislead, a letter tells
OLD_EXAM, NEW_EXAM = (
    written({"red": "warm", "blue": "cold"}, 100, 3),
    written({"x blue": "warm", "y red": "cold"}, 60, 4),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load(tmp_path_factory.mktemp("home"), environ={}, overrides={"compute.threads": 1})


@pytest.fixture(scope="module")
def live(settings):
    return train_classifier(
        OLD, settings, settings.home / "v1", task="warmth", base=tiny_bert(), method=QUICK, onnx=False
    )


@pytest.fixture(scope="module")
def updated(live, settings):
    return update_classifier(live, joined(OLD, NEW), settings, settings.home / "v2", method=LATER, onnx=False)


def accuracy(bundle, exam):
    shares = bundle.scorer().probabilities(exam.texts)
    return float(
        np.mean(
            [bundle.parameters["classes"][at] == label for at, label in zip(shares.argmax(1), exam.labels, strict=True)]
        )
    )


def test_what_came_since_is_learnt_and_the_rest_is_kept(live, updated):
    assert accuracy(live, OLD_EXAM) == 1.0
    assert accuracy(live, NEW_EXAM) < 0.5
    assert accuracy(updated, OLD_EXAM) > 0.95
    assert accuracy(updated, NEW_EXAM) > 0.95


def test_the_fine_tuned_model_forgets_less_than_a_naive_one(live, updated, settings):
    naive = live.classifier(settings)
    prepare(naive, QUICK)
    lesson = Lesson(tokenise(naive.backbone, NEW.texts, "query", 16), class_numbers(NEW.labels, ["cold", "warm"]))
    teach(naive, lesson, QUICK, minutes=1, seed=7)
    wanted = class_numbers(OLD_EXAM.labels, ["cold", "warm"])
    kept = [
        float((TorchScorer(model).probabilities(OLD_EXAM.texts).argmax(1) == wanted).mean())
        for model in (naive, updated.classifier())
    ]
    assert kept[0] < 0.8
    assert kept[1] > kept[0] + 0.15


def test_the_card_shows_old_and_new_texts_before_and_after(live, updated):
    card = updated.card
    assert card.parent == live.card.version
    assert card.data["kept in memory"] <= KEPT * card.data["old"]
    assert card.before["old texts"]["accuracy"]["value"] > 0.95 > 0.6 > card.before["new texts"]["accuracy"]["value"]
    assert card.after["new texts"]["accuracy"]["value"] > 0.9
    lost = card.before["old texts"]["accuracy"]["value"] - card.after["old texts"]["accuracy"]["value"]
    assert card.after["forgetting"]["value"] == pytest.approx(lost)


def test_a_test_text_stays_one(live, updated):
    before, after = KnownTexts.of(live), KnownTexts.of(updated)
    everything = joined(OLD, NEW)
    prints = fingerprints(everything.texts, everything.labels)
    assert np.array_equal(np.union1d(np.union1d(after.learnt, after.valid), after.test), np.unique(prints))
    for one, other in (("learnt", "valid"), ("learnt", "test"), ("valid", "test")):
        assert not len(np.intersect1d(getattr(after, one), getattr(after, other)))
    for name in ("learnt", "valid", "test"):
        assert np.isin(getattr(before, name), getattr(after, name)).all()


def test_a_class_that_was_not_there_becomes_one_more(live, settings, tmp_path):
    later = written({"z": "hot", "red": "warm"}, 120, 5)
    bundle = update_classifier(live, joined(OLD, later), settings, tmp_path / "v2", method=QUICK, onnx=False)
    assert bundle.parameters["classes"] == ["cold", "warm", "hot"]
    assert accuracy(bundle, written({"z": "hot"}, 40, 6)) > 0.9
    assert accuracy(bundle, OLD_EXAM) > 0.9
    assert bundle.card.before["new texts"]["accuracy"]["value"] < 0.7


def test_an_update_of_an_update(updated, settings, tmp_path):
    later = written({"z x": "cold", "z y": "warm"}, 60, 8)
    bundle = update_classifier(updated, joined(OLD, NEW, later), settings, tmp_path / "v3", method=QUICK, onnx=False)
    assert accuracy(bundle, written({"z x": "cold", "z y": "warm"}, 40, 9)) > 0.9
    assert accuracy(bundle, OLD_EXAM) > 0.9
    assert accuracy(bundle, NEW_EXAM) > 0.9


@pytest.mark.parametrize("remember", ["former", "elastic", "periods"])
def test_what_else_is_done_against_forgetting(live, updated, settings, tmp_path, remember):
    more = {"remember": remember, "method": LATER, "onnx": False}
    bundle = update_classifier(live, joined(OLD, NEW), settings, tmp_path / "v2", **more)
    assert accuracy(bundle, OLD_EXAM) > 0.95
    assert accuracy(bundle, NEW_EXAM) > accuracy(live, NEW_EXAM)
    head = [found.classifier(settings).linear.weight for found in (live, updated, bundle)]
    plain, moved = (float((other - head[0]).detach().norm()) for other in head[1:])
    assert moved > 0
    assert moved != plain
    assert remember == "former" or moved < plain, "weights are held in place"


@pytest.mark.parametrize("adapter", [Lora(rank=4), Prefix(tokens=4)], ids=["folded in", "kept apart"])
def test_adapters(live, settings, tmp_path, adapter):
    """A LoRA is a period's own and folded in; a bundle that is only an adapter goes on as one."""
    method = Method(adapter=adapter, rate=1e-2, head_rate=1.0, epochs=3, batch=16, tokens=16, bfloat16=False)
    if isinstance(adapter, Lora):
        bundle = update_classifier(live, joined(OLD, NEW), settings, tmp_path / "v2", method=method, onnx=False)
        assert bundle.backbone().adapters is None
        assert accuracy(bundle, NEW_EXAM) > 0.9
        return
    base = tmp_path / "base"
    replace(tiny_bert(), name=str(base)).save(base)
    named = settings.override({"models.encoder": str(base)})
    first = train_classifier(OLD, named, tmp_path / "p1", task="warmth", method=method, onnx=False)
    bundle = update_classifier(first, joined(OLD, NEW), named, tmp_path / "p2", method=method, onnx=False)
    assert not (bundle.folder / "backbone").exists()


def test_nothing_new_is_said(live, settings, tmp_path):
    with pytest.raises(TrainingError, match=f"0 of 400 texts are new to warmth; an update needs {FEWEST}"):
        update_classifier(live, OLD, settings, tmp_path / "v2")
    with pytest.raises(TrainingError, match="3 of 403 texts are new"):
        update_classifier(live, joined(OLD, NEW.take(range(3))), settings, tmp_path / "v2")
    assert not (tmp_path / "v2").exists()


def test_a_corrected_label_is_new(live):
    turned = Texts(
        OLD.texts, [*OLD.labels[:-20], *("warm" if label == "cold" else "cold" for label in OLD.labels[-20:])]
    )
    parts = part(live, turned, 7)
    assert {*parts.new.texts, *parts.new_valid.texts, *parts.new_test.texts} == set(OLD.texts[-20:])


def test_nothing_old_is_an_error(live, settings, tmp_path):
    with pytest.raises(TrainingError, match="the shop has none any more"):
        update_classifier(live, NEW, settings, tmp_path / "v2")


def test_another_backbone_is_an_error(live, settings, tmp_path):
    tiny_gpt().save(tmp_path / "other")
    asked = settings.override({"models.encoder": str(tmp_path / "other")})
    with pytest.raises(TrainingError, match=r"stands on tiny-bert, and the settings ask for .*other"):
        update_classifier(live, joined(OLD, NEW), asked, tmp_path / "v2")


def test_bundles_that_do_not_know_are_errors(settings, tmp_path):
    foreign = save_bundle(tmp_path / "one", Card(task="relevance"), arrays={"a": np.zeros(1)})
    with pytest.raises(TrainingError, match="relevance is no classifier of texts"):
        update_classifier(foreign, joined(OLD, NEW), settings, tmp_path / "v2")
    older = save_bundle(tmp_path / "two", Card(task="warmth"), parameters={"classes": ["cold", "warm"]})
    with pytest.raises(TrainingError, match="does not say which texts it learnt from"):
        update_classifier(older, joined(OLD, NEW), settings, tmp_path / "v2")


def test_a_new_class_is_learnt_whole_whatever_else_is_done_against_forgetting(live, settings, tmp_path):
    later = written({"z": "hot"}, 80, 5)
    more = {"remember": "periods", "method": LATER, "onnx": False}
    bundle = update_classifier(live, joined(OLD, later), settings, tmp_path / "v2", **more)
    assert bundle.card.settings["remember"] == "replay"
    tuned = TorchScorer(bundle.classifier(settings))
    exam = written({"z": "hot"}, 40, 6)
    assert (tuned.probabilities(exam.texts).argmax(1) == bundle.parameters["classes"].index("hot")).mean() > 0.8


def test_what_cannot_be_judged_is_not_learnt(settings, tmp_path):
    few = OLD.take(range(24))
    first = train_classifier(
        few, settings, tmp_path / "v1", task="warmth", base=tiny_bert(), method=replace(QUICK, refit=True), onnx=False
    )
    new = Texts([f"{word} {n}" for word in "abcde" for n in "xy"], [word * 2 for word in "abcde" for _ in "xy"])
    with pytest.raises(TrainingError, match="left to choose by"):
        update_classifier(first, joined(few, new), settings, tmp_path / "v2", method=QUICK, onnx=False)


def test_what_was_left_out_stays_out(settings, tmp_path):
    labels = [("cold" if label == "warm" else "warm") if n % 6 == 0 else label for n, label in enumerate(OLD.labels)]
    noisy = Texts(OLD.texts, labels)
    first = train_classifier(
        noisy, settings, tmp_path / "v1", task="warmth", base=tiny_bert(), method=replace(QUICK, clean=True), onnx=False
    )
    known = KnownTexts.of(first)
    assert len(known.left_out) > 30
    parts = part(first, joined(noisy, NEW), 7)
    own = fingerprints(parts.old.texts, parts.old.labels)
    assert not np.isin(own, known.left_out).any()
    assert len(own) + len(known.left_out) == len(known.learnt)
    assert not np.isin(fingerprints(parts.new.texts, parts.new.labels), known.left_out).any()
