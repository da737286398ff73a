"""What a domain may say, what the shipped ones say, and how the storefront speaks in their words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.domains import FILE, Domain, LabelSet, Rule, Wording, domain_file, domain_of, shipped
from shopkeeper.errors import InputError
from shopkeeper.settings import Settings
from shopkeeper.trust.logic_syntax import parse
from shopkeeper.web.i18n import TEXTS, translator

SAID = {"en": "Call now.", "zh": "请立即拨打。"}


@pytest.fixture(params=["city", "education", "finance", "media", "medicine"])
def domain(request):
    return domain_of(domain_file(request.param))


def test_five_are_shipped():
    assert shipped() == ["city", "education", "finance", "media", "medicine"]


def test_a_shipped_domain_can_be_used(domain):
    assert domain.name in shipped()
    assert domain.labels
    Settings().override(domain.settings)
    parse(domain.logic)
    for one in domain.labels:
        assert one.question.keys() == {"en", "zh"}
        assert all(re.search("[一-鿿]", text["zh"]) for text in (one.question, one.notice) if text)


def test_every_phrase_of_a_shipped_domain_stands_in_the_storefront(domain):
    for place, language in enumerate(("en", "zh")):
        sentences = " \n ".join(both[place] for both in TEXTS.values())
        for phrase in domain.words.get(language, {}):
            assert Wording.of({language: {phrase: "§"}}).say(sentences, language) != sentences, phrase


def test_the_storefront_speaks_the_words_of_the_domain_and_keeps_its_gaps(domain):
    for key, both in TEXTS.items():
        for text, language in zip(both, ("en", "zh"), strict=True):
            said = domain.wording.say(text, language)
            assert re.findall(r"{\w+}", said) == re.findall(r"{\w+}", text), key


def test_a_talk_is_no_product():
    media = domain_of(domain_file("media")).wording
    assert translator("en", media)("skip") == "Skip to the talks"
    assert translator("en", media)("count", count=3) == "3 talks"
    assert translator("en", media)("add") == "Watch later"
    assert translator("zh", media)("skip") == "跳到演讲"
    assert translator("en")("skip") == "Skip to the goods"


def test_what_is_inserted_is_not_reworded():
    media = domain_of(domain_file("media")).wording
    assert "goods" in translator("en", media)("results_for", query="goods")


@given(st.text(max_size=60))
def test_a_shop_of_its_own_words_says_what_stands_there(text):
    assert Wording().say(text, "en") == text
    assert Wording().say(text, "zh") == text


@given(st.dictionaries(st.sampled_from(["item", "items", "an item"]), st.sampled_from(["talk", "item", "items"])))
def test_each_phrase_is_replaced_once_and_the_longest_first(words):
    said = Wording(tuple(words.items())).say("an item, items, Item {item}", "en")
    first = words.get("an item", f"an {words.get('item', 'item')}")
    second, third = words.get("items", "items"), words.get("item", "item").capitalize()
    assert said == f"{first}, {second}, {third} {{item}}"


def test_urgent_words_call_for_help_and_say_where_they_stand():
    medicine = domain_of(domain_file("medicine"))
    text = "今天早上突然胸痛，喘不上气"
    held = list(medicine.held("department", text))
    assert [one.rule.kind for one in held] == ["emergency"]
    assert text[held[0].start : held[0].end] == held[0].word == "胸痛"
    assert "120" in held[0].rule.text["zh"]
    assert held[0].rule.human
    assert [one.rule.kind for one in medicine.held("department", "My father has CHEST PAIN")] == ["emergency"]


@pytest.mark.parametrize("text", ["年轻生病了怎么办", "a chest painting", "高血压能吃党参吗"])
def test_words_within_other_words_call_for_nothing(text):
    assert not list(domain_of(domain_file("medicine")).held("department", text))


@pytest.mark.parametrize(
    "text",
    ["I can't breathe", "I can’t breathe", "I can‘t  breathe", "chest pain", "chest  pain", "I have chest\npain"],
)
def test_urgent_words_are_found_however_they_are_typed(text):
    rule = Rule(kind="emergency", words={"en": ("can't breathe", "chest pain")}, text={"en": "Call.", "zh": "打电话。"})
    assert rule.pattern.search(text)


def test_a_rule_of_another_task_does_not_hold():
    rule = Rule(kind="urgent", words={"en": ["fire"]}, text=SAID, tasks=("office",))
    found = Domain(labels=(LabelSet(task="office", question=SAID), LabelSet(task="tone", question=SAID)), rules=(rule,))
    assert [one.word for one in found.held("office", "a fire!")] == ["fire"]
    assert not list(found.held("tone", "a fire!"))


def test_a_rule_without_words_holds_never():
    assert not Rule(kind="limit", words={}, text=SAID).pattern.search("anything")


def test_classes_go_by_any_of_their_names():
    labels = domain_of(domain_file("medicine")).label_set("department")
    assert labels.names["hepatology"] == labels.names["肝病科"] == "肝病科"
    assert labels.title("肝病科")["en"] == "Hepatology"
    assert labels.title("something else") == {"en": "something else", "zh": "something else"}


def test_a_task_nobody_named_has_no_limits():
    labels = Domain().label_set("sentiment")
    assert (labels.names, labels.least, labels.replies, labels.days) == ({}, 0.5, False, 0)


def test_a_folder_without_a_domain_is_a_shop(tmp_path):
    assert domain_of(tmp_path).name == "shop"
    assert domain_of(tmp_path).wording == Wording()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "cannot be read"),
        ('nam = "x"', "nam"),
        ('title = { en = "only English" }', "both languages"),
        ('[settings]\n"serch.limit" = 3', "search.limit"),
        ('[[labels]]\ntask = "Big"\nquestion = {}', "labels.0.task"),
        ('[[labels]]\ntask = "a"\nquestion = {}\n[[labels]]\ntask = "a"\nquestion = {}', "two label sets"),
        ('[[rules]]\nkind = "urgent"\ntext = { en = "a", zh = "啊" }\ntasks = ["b"]\nwords = {}', "no label set"),
        ('[[rules]]\nkind = "dire"\ntext = { en = "a", zh = "啊" }\nwords = {}', "rules.0.kind"),
        ('[[rules]]\nkind = "urgent"\ntext = { en = "a", zh = "啊" }\nlabel = "x"\nwords = {}', "no class"),
    ],
)
def test_a_domain_that_is_wrong_says_where(tmp_path, text, told):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        domain_of(tmp_path)
    assert caught.value.where.endswith(FILE)


def test_an_unknown_domain_names_those_there_are(tmp_path):
    with pytest.raises(InputError, match="medicine"):
        domain_file("law")
    own = tmp_path / "law.toml"
    own.write_text('name = "law"', encoding="utf-8")
    assert domain_of(domain_file(str(own))).name == "law"


def test_a_rule_reads_a_megabyte():
    medicine = domain_of(domain_file("medicine"))
    assert [held.word for held in medicine.held("department", "感冒了" * 300_000 + "抽搐")] == ["抽搐"]
