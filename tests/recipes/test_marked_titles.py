"""The tagger from a file of marked titles: parting, what is skipped and why, and the command that uses it."""

import json
import sys

import numpy as np
import pytest
from test_train_tagger import titles
from toyshop import toy_store

from shopkeeper.cli.main import main
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.recipes.texts.marked_titles import TAGGER, parted
from shopkeeper.settings import load
from shopkeeper.training.tagging import Marked


def write(file, marked):
    lines = [
        {"text": text, "mentions": [mention._asdict() for mention in own]}
        for text, own in zip(marked.texts, marked.mentions, strict=True)
    ]
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return str(file)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    def call(*arguments):
        given = ["--home", str(tmp_path / "shop"), "--set", "models.encoder=use-multilingual", *arguments, "--json"]
        monkeypatch.setattr(sys, "argv", ["shopkeeper", *given])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, json.loads(capsys.readouterr().out)

    return call


def test_a_title_keeps_its_side_wherever_it_stands():
    marked = titles(200, 0)
    turned = Marked(marked.texts[::-1], marked.mentions[::-1])
    parts, again = parted(marked), parted(turned)
    assert np.abs(np.array([len(part) for part in parts]) - [160, 20, 20]).max() < 10
    assert [sorted(part.texts) for part in parts] == [sorted(part.texts) for part in again]
    together = [pair for part in parts for pair in zip(part.texts, part.mentions, strict=True)]
    assert sorted(together) == sorted(zip(marked.texts, marked.mentions, strict=True))


def test_the_command_learns_and_tags_new_titles(run, tmp_path):
    run("init")
    file = write(tmp_path / "marks.jsonl", titles(200, 0))
    code, (outcome,) = run("train", TAGGER, "--marks", file)
    assert (code, outcome["version"]) == (0, "v1"), outcome
    assert outcome["after"]["test"]["span_f1"]["value"] > 0.9
    assert outcome["before"]["test"]["span_f1"]["value"] > 0.9
    code, found = run("tag", "华为红色水壶", "杯")
    assert code == 0
    assert found[0]["text"] == "华为红色水壶"
    assert found[0]["mentions"] == [
        {"start": 0, "end": 2, "kind": "brand", "mention": "华为"},
        {"start": 4, "end": 6, "kind": "product", "mention": "水壶"},
    ]
    assert found[1]["text"] == "杯"


def test_without_marks_it_is_skipped_and_without_a_tagger_the_error_says_what_to_run(run, tmp_path):
    run("init")
    assert "--marks FILE" in run("train", TAGGER)[1][0]["skipped"]
    few = write(tmp_path / "few.jsonl", titles(5, 0))
    assert "learning needs 30" in run("train", TAGGER, "--marks", few)[1][0]["skipped"]
    code, said = run("tag", "杯")
    assert (code, said["error"]["cure"]) == (1, "Run: shopkeeper train tagger --marks FILE")


def test_a_wrong_file_ends_training_with_its_line(run, tmp_path):
    run("init")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "杯", "mentions": []}\n{"text": "杯子", "mentions": [[0, 9, "x"]]}\n', encoding="utf-8")
    code, said = run("train", TAGGER, "--marks", str(bad))
    assert code == 1
    assert said["error"]["where"] == f"{bad}, line 2"


def test_an_untrained_shop_trains_as_before(tmp_path):
    settings = load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"})
    with toy_store(tmp_path) as store:
        (outcome,) = train(store, settings, Registry(settings.bundles), tasks=[TAGGER])
    assert outcome.skipped


def test_a_title_stays_on_its_side_whatever_is_added():
    titles = [f"title {n}" for n in range(300)]
    few, many = (Marked(titles[:count], [()] * count) for count in (150, 300))
    for before, after in zip(parted(few), parted(many), strict=True):
        assert set(before.texts) <= set(after.texts)
    assert all(len(side) for side in parted(Marked(titles[:3], [()] * 3)))
