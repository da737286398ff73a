"""A recipe that is cut off at any moment, and called again, ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from interruption import Cut
from safetensors.torch import load_file
from test_classify import QUICK, TRAIN
from test_domain import FAST, reader
from test_train_tagger import SMALL, tiny_backbone, titles
from tinymodels import tiny_bert
from toybackbone import toy_backbone
from toyshop import toy_events, toy_store

from shopkeeper.models.registry import Registry
from shopkeeper.recipes.customers.purchase import PurchaseOptions, train_purchase
from shopkeeper.recipes.fingerprint import checkpoint
from shopkeeper.recipes.language.domain import train_domain
from shopkeeper.recipes.search.contrast import RelevanceOptions
from shopkeeper.recipes.search.relevance import train_relevance
from shopkeeper.recipes.texts.classify import train_classifier
from shopkeeper.recipes.texts.tagger import TaggerOptions, train_tagger
from shopkeeper.settings import load
from shopkeeper.training.averaging import ExponentialAverage
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.class_contrast import Contrast


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    store = toy_store(tmp_path_factory.mktemp("shop"))
    yield store
    store.close()


def relevance(shop, settings, folder, **more):
    """The two lower of three layers are frozen: a trunk keeps what they say of queries and of items."""
    options = RelevanceOptions(open_share=1 / 3, rate=3e-3)
    return train_relevance(shop, settings, folder, base=toy_backbone(layers=3), options=options, onnx=False, **more)


def purchase(shop, settings, folder, **more):
    options = PurchaseOptions(open_layers=1, rate=3e-3, tokens=64, most=(600, 200, 200))
    return train_purchase(shop, settings, folder, base=toy_backbone(layers=2), options=options, onnx=False, **more)


def classify(shop, settings, folder, **more):
    method = replace(QUICK, hooks=(ExponentialAverage,), contrast=Contrast(steps=5, batch=16, layers=1))
    return train_classifier(TRAIN, settings, folder, task="warmth", base=tiny_bert(), method=method, onnx=False, **more)


def domain(shop, settings, folder, **more):
    torch.manual_seed(0)  # of the embedding of the mask, which the toy's tokenizer lacks
    return train_domain(shop, settings, folder, base=reader(), options=FAST, objective="mlm", **more)


def tagger(shop, settings, folder, **more):
    options = TaggerOptions(rate=3e-3, head_rate=3.0, batch=16, rehearsal=0.5, blend=False, linear=SMALL)
    return train_tagger(titles(60, 0), titles(20, 1), settings, folder, base=tiny_backbone(), options=options, **more)


def content(bundle):
    """Everything that was learnt, by name; BERT's own pooler gives no vector and is drawn anew where it is missing."""
    files = sorted(bundle.folder.rglob("*.safetensors"))
    return {
        f"{file.name} {name}": value
        for file in files
        for name, value in load_file(file).items()
        if "pooler." not in name
    }


@pytest.mark.parametrize("recipe", [relevance, purchase, classify, domain, tagger])
def test_a_recipe_that_is_cut_off_goes_on(recipe, shop, tmp_path):
    settings = load(tmp_path, environ={}, overrides={"train.epochs": 2, "train.batch": 32, "compute.threads": 1})
    whole = recipe(shop, settings, tmp_path / "whole")
    kept = Checkpoint(tmp_path / "kept", "this shop", seconds=0)
    with pytest.raises(ConnectionAbortedError):
        recipe(shop, settings, tmp_path / "cut", hooks=[Cut(3)], checkpoint=kept)
    bundle = recipe(shop, settings, tmp_path / "rest", hooks=[Cut(-1)], checkpoint=kept)
    assert "taken up at step 2" in bundle.card.notes
    assert (bundle.card.before, bundle.card.after) == (whole.card.before, whole.card.after)
    expected, found = content(whole), content(bundle)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


_FIGURES = {"train.epochs": 3, "train.batch": 16, "compute.threads": 1, "train.checkpoint_seconds": 0.0}


def home(tmp_path, name):
    """A shop's folder whose encoder is a tiny one."""
    folder = tmp_path / name
    folder.mkdir()
    toy_store(folder).close()
    encoder = tmp_path / "encoder"
    if not encoder.exists():
        toy_backbone(layers=2).save(encoder)
    return folder, [f"{key}={value}" for key, value in (_FIGURES | {"models.encoder": str(encoder)}).items()]


def command(folder, given, *arguments):
    options = [part for one in given for part in ("--set", one)]
    return [sys.executable, "-m", "shopkeeper.cli", "--home", str(folder), *options, "--json", *arguments]


def outcome(folder, given):
    done = subprocess.run(command(folder, given, "train", "purchase"), capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_the_command_killed_with_nine_goes_on_from_the_last_state(tmp_path):
    folder, given = home(tmp_path, "killed")
    state = folder / "checkpoints" / "purchase" / "state" / "state.json"
    child = subprocess.Popen(
        command(folder, given, "train", "purchase"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not state.exists() and child.poll() is None:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert child.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert state.parent.parent.exists()
    found = outcome(folder, given)
    assert "taken up at step" in found["notes"]
    assert not (folder / "checkpoints" / "purchase").exists()
    expected = outcome(*home(tmp_path, "whole"))
    assert "taken up" not in expected["notes"]
    assert (found["before"], found["after"]) == (expected["before"], expected["after"])
    first, second = (Registry(tmp_path / name / "models").live("purchase") for name in ("killed", "whole"))
    for name, value in content(second).items():
        assert torch.equal(content(first)[name], value), name


def test_a_state_is_of_its_data_and_settings(tmp_path):
    store = toy_store(tmp_path)
    settings = load(tmp_path, environ={})
    first = checkpoint(store, settings, "purchase", "about")
    assert first.folder == tmp_path / "checkpoints" / "purchase"
    assert checkpoint(store, settings, "purchase", "about") == first
    other = [
        checkpoint(store, settings, "purchase", "about more"),
        checkpoint(store, settings.override({"train.smoothing": 0.1}), "purchase", "about"),
        checkpoint(store, settings.override({"train.checkpoint_seconds": 9.0}), "purchase", "about"),
    ]
    store.events.append(toy_events(seed=1)[:1])
    other.append(checkpoint(store, settings, "purchase", "about"))
    store.close()
    assert [one.of == first.of for one in other] == [False, False, True, False]
