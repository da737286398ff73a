"""Tuning the recipes on the toy shop, what is kept of it, and that training takes it up and shows it."""

import json
import logging

import numpy as np
import pytest
import torch
from test_purchase import two_tastes
from toybackbone import toy_backbone
from toyshop import toy_store

from shopkeeper.errors import InputError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.registry import Registry
from shopkeeper.recipes import curriculum
from shopkeeper.recipes.customers.purchase import PurchaseOptions
from shopkeeper.recipes.search.contrast import RelevanceOptions
from shopkeeper.recipes.search_spaces import PURCHASE, RELEVANCE
from shopkeeper.recipes.tune import load_start, tune
from shopkeeper.recipes.tuned import judge, keep, tuned_values, with_tuned
from shopkeeper.settings import load
from shopkeeper.training.runs import list_runs
from shopkeeper.training.search_space import check_inside
from shopkeeper.training.tracking import read_log
from shopkeeper.training.tuning import Attempt, SearchReport


def few_tastes(path):
    return two_tastes(path, visits=14, customers=12)


def two_layers():
    return toy_backbone(layers=2)


def settings(home, epochs=2):
    return load(home, environ={}, overrides={"train.epochs": epochs, "train.batch": 32, "compute.threads": 1})


def report(*rows, rowless=False):
    attempts = tuple(
        Attempt(n, {"rate": float(n + 1)}, "done", float(np.mean(row)), rows=None if rowless else np.array(row))
        for n, row in enumerate(rows)
    )
    return SearchReport(attempts, attempts[0], 1.0)


def test_the_defaults_of_the_recipes_lie_in_their_spaces():
    for options, space in ((RelevanceOptions(), RELEVANCE), (PurchaseOptions(), PURCHASE)):
        check_inside(space, {name: getattr(options, name) for name in space})


def test_a_clear_gain_is_better_and_a_lucky_one_is_not():
    rng = np.random.default_rng(0)
    base = rng.random(400)
    clear = judge(report(base, base + 0.05 + 0.01 * rng.normal(size=400)))
    assert clear.better
    assert 0.04 < clear.low < clear.gain < clear.high < 0.06
    lucky = judge(report(base, *(base + 0.3 * rng.normal(size=400) for _ in range(40))))
    assert lucky.gain > 0
    assert not lucky.better
    assert (lucky.compared, lucky.level) == (40, 1 - 0.05 / 40)
    assert "not clearly better" in str(lucky)


def test_without_rows_the_verdict_admits_it_and_no_gain_keeps_the_defaults():
    assert "no rows to tell it from chance" in str(judge(report([0.1], [0.2], rowless=True)))
    verdict = judge(report([0.3], [0.2]))
    assert not verdict.better
    assert "None of 1 trials beat the defaults" in str(verdict)


def test_only_what_is_better_is_kept_and_only_for_its_encoder(tmp_path, caplog):
    assert tuned_values(tmp_path, "relevance", "minilm") == {}
    found = report([0.1] * 9, [0.9] * 9)
    file = keep(tmp_path, "relevance", found, judge(found), encoder="minilm")
    assert tuned_values(tmp_path, "relevance", "minilm") == {"rate": 2.0}
    with caplog.at_level(logging.WARNING):
        assert tuned_values(tmp_path, "relevance", "e5-small") == {}
    assert "was tuned for minilm, not for e5-small" in caplog.text
    options = with_tuned(RelevanceOptions(), {"rate": 2.0})
    assert (options.rate, options.tuned) == (2.0, ("rate",))
    worse = report([0.9] * 9, [0.1] * 9)
    keep(tmp_path, "relevance", worse, judge(worse), encoder="minilm")
    assert tuned_values(tmp_path, "relevance", "minilm") == {}
    file.write_text("{")
    with pytest.raises(InputError, match=r"relevance\.json"):
        tuned_values(tmp_path, "relevance", "minilm")
    with pytest.raises(InputError, match="warmth"):
        with_tuned(RelevanceOptions(), {"warmth": 1})


@pytest.mark.parametrize(("task", "make"), [("relevance", toy_store), ("purchase", few_tastes)])
def test_a_recipe_is_tuned_on_validation_and_goes_on_when_called_again(tmp_path, task, make):
    store = make(tmp_path)
    try:
        first = tune(store, settings(tmp_path), task, trials=2, minutes=5, load=two_layers)
        again = tune(store, settings(tmp_path), task, trials=3, minutes=5, load=two_layers)
    finally:
        store.close()
    assert [a.number for a in again.report.attempts] == [0, 1, 2]
    assert again.report.attempts[:2] == first.report.attempts
    assert again.report.defaults.rows.mean() == pytest.approx(again.report.defaults.score, abs=1e-6)
    assert again.plot.read_bytes().startswith(b"\x89PNG")
    kept = json.loads(again.file.read_text())
    assert kept["values"] == (dict(again.report.best.values) if again.verdict.better else {})
    assert len(kept["trials"]) == 3


def test_a_search_starts_where_training_does_from_the_backbone_that_has_read_the_shop(tmp_path):
    toy_backbone(layers=2).save(tmp_path / "encoder")
    chosen = settings(tmp_path).override({"models.encoder": str(tmp_path / "encoder")})
    reader = toy_backbone(seed=5, layers=2)
    card = Card(task="domain")
    bundle = save_bundle(
        tmp_path / "read", card, backbone=reader, onnx=False, parameters={"encoder": str(tmp_path / "encoder")}
    )
    registry = Registry(chosen.bundles)
    registry.promote("domain", registry.add(bundle.folder))
    started = load_start(str(tmp_path / "encoder"), chosen)
    found = dict(started.model.named_parameters())
    for name, value in reader.model.named_parameters():
        assert torch.equal(found[name], value), name
    assert not torch.equal(next(toy_backbone(layers=2).model.parameters()), next(started.model.parameters()))


def test_other_tasks_cannot_be_tuned(tmp_path):
    store = toy_store(tmp_path)
    with pytest.raises(InputError, match="Choose among relevance, purchase"):
        tune(store, settings(tmp_path), "search", trials=1, minutes=1, load=two_layers)
    store.close()


@pytest.mark.slow
def test_training_uses_what_was_tuned_and_the_card_and_the_run_show_it(tmp_path):
    store = toy_store(tmp_path)
    toy_backbone().save(tmp_path / "toy-encoder")
    name = str(tmp_path / "toy-encoder")
    chosen = load(
        tmp_path,
        environ={},
        overrides={"models.encoder": name, "train.epochs": 1, "train.batch": 32, "compute.threads": 1},
    )
    found = report([0.1] * 9, [0.9] * 9)
    attempts = tuple(
        Attempt(a.number, {"rate": 3e-3, "negatives": "none"}, "done", a.score, rows=a.rows) for a in found.attempts
    )
    found = SearchReport(attempts, attempts[0], 1.0)
    keep(tmp_path, "relevance", found, judge(found), encoder=name)
    registry = Registry(chosen.bundles)
    (outcome,) = curriculum.train(store, chosen, registry, ["relevance"])
    store.close()
    assert outcome.version == "v1"
    bundle = registry.live("relevance")
    assert (bundle.card.settings["rate"], bundle.card.settings["negatives"]) == (3e-3, "none")
    assert bundle.card.settings["tuned"] == ["negatives", "rate"]
    assert "![learning-curve](plots/learning-curve.png)" in (bundle.folder / "card.md").read_text()
    (run,) = list_runs(tmp_path)
    assert (run.name, run.state, run.settings["rate"]) == ("relevance/1", "done", 3e-3)
    assert run.metrics["after"]["validation"]["mrr"]["value"] == bundle.card.after["validation"]["mrr"]["value"]
    folder = tmp_path / "runs" / "relevance" / "1"
    assert read_log(folder)[-1]["stopped"] == "epochs"
    assert (folder / "plots" / "learning-curve.png").is_file()
    assert list(folder.glob("events.out.tfevents.*"))


def test_a_search_that_had_no_time_says_so():
    assert "No trial but the defaults was finished" in str(judge(report([0.1])))
