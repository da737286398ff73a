"""Copy by a language model behind a real endpoint: used when it is true, refused when it lies, done without when it fails."""

import time

import pytest
from penshop import PenShop
from talkative import talkative

from shopkeeper import settings as settings_module
from shopkeeper.models.generate.generator import open_generator
from shopkeeper.tasks.write.briefs import Brief
from shopkeeper.tasks.write.prompt import messages, tidied
from shopkeeper.tasks.write.task import Pen


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def writes(folder, url, kind="description", items=("rake",), seconds=5.0, **brief):
    given = settings_module.load(folder, environ={}, overrides={"generate.url": url, "generate.model": "toy"})
    shop = PenShop(folder, pen=lambda: Pen(open_generator(given), seconds=seconds))
    try:
        return shop.task.write(Brief(kind=kind, candidates=6, **brief), list(items))
    finally:
        shop.store.close()


def of_model(copies):
    return [copy for copy in copies if copy.source != "template"]


def test_true_words_of_the_model_stand_beside_the_templates(folder):
    said = 'Title: "Rake leaves and soil with the Greenleaf steel rake."'
    with talkative(lambda _: said) as (url, asked):
        (found,) = writes(folder, url)
    assert [copy.text for copy in of_model(found.copies)] == ["Rake leaves and soil with the Greenleaf steel rake."]
    assert any(copy.source == "template" for copy in found.copies)
    assert found.note is None
    told = asked[0]["messages"]
    assert told[0]["role"] == "system"
    assert "<facts>" in told[1]["content"]
    assert "$24.99" in told[1]["content"]
    assert len({request["messages"][1]["content"].rsplit("\n", 1)[1] for request in asked}) == len(asked) > 1


@pytest.mark.parametrize(
    ("lie", "kind"),
    [
        ("The handle is 190 cm long.", "number"),
        ("Only $9.99 today.", "price"),
        ("The Acme Tools rake.", "name"),
        ("It is suitable for children.", "negation"),
        ("The best rake ever made.", "superlative"),
        ("Never rusts, guaranteed.", "guarantee"),
        ("A red plastic rake.", "attribute"),
        ("A rake.<script>alert(1)</script>", "markup"),
    ],
)
def test_a_lie_is_never_offered_and_says_why(folder, lie, kind):
    with talkative(lambda _: lie) as (url, _):
        (found,) = writes(folder, url)
    assert of_model(found.copies) == []
    refused = of_model(found.refused)
    assert refused
    assert kind in {one.kind for one in refused[0].objections}
    assert found.copies  # the shop's own words stand


def test_chinese_lies_too(folder):
    with talkative(lambda _: "全网最低价，手柄防水，只要9元。") as (url, _):
        (found,) = writes(folder, url, items=["knife"])
    assert {"superlative", "negation", "price"} <= {one.kind for one in of_model(found.refused)[0].objections}


def test_a_model_that_is_down_is_said_to_be_and_asked_once(folder):
    (found, second) = writes(folder, "http://127.0.0.1:9/v1", items=["rake", "knife"])
    assert found.copies
    assert second.copies
    assert found.note["en"].startswith("The language model did not answer")
    assert second.note is None


def test_a_slow_model_costs_its_time_once(folder):
    begun = time.monotonic()
    with talkative(lambda _: "word " * 400, delay=0.2) as (url, asked):
        (found, second) = writes(folder, url, items=["rake", "knife"], seconds=0.5)
    assert time.monotonic() - begun < 30
    assert len(asked) == 1
    assert found.copies
    assert second.copies
    assert found.note


def test_a_server_that_fails_or_talks_without_end_costs_nothing(folder):
    with talkative(lambda _: "", status=500) as (url, _):
        (found,) = writes(folder, url)
    assert found.copies
    assert found.note
    with talkative(lambda _: "rake " * 20_000) as (url, _):
        (found,) = writes(folder, url)
    assert of_model(found.copies) == []
    assert {one.kind for one in of_model(found.refused)[0].objections} == {"length"}


def test_what_the_model_is_told_holds_the_rules_and_no_markup(folder):
    shop = PenShop(folder)
    try:
        facts = shop.task.facts(shop.items["rake"])
        rules, told = messages(facts, Brief(kind="ad", tone="brisk"), "price")
        assert "at most 40 characters, then a line of at most 90" in rules.content
        assert told.content.count("</facts>") == 1
        zh = messages(shop.task.facts(shop.items["knife"]), Brief(kind="title"), "brand")
        assert "不超过30字" in zh[0].content
    finally:
        shop.store.close()


def test_answers_are_tidied():
    assert tidied('```\nHeadline: "Steel rake"\n- Line: For leaves\n```', "ad") == "Steel rake\nFor leaves"
    assert tidied("标题：“钢耙”", "title") == "钢耙"
    assert tidied("one\n\ntwo", "description") == "one two"
    assert tidied("1. one\n2) two\n3.three\n4、四", "bullets") == "one\ntwo\nthree\n四"
    assert tidied("1.7 litre kettle in steel", "title") == "1.7 litre kettle in steel"
    assert tidied("-20 °C in an hour", "title") == "-20 °C in an hour"
