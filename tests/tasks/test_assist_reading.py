"""What is read out of a customer's message."""

from datetime import date

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.models.cache import CachedEncoder
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.tasks.assist.dates import dates
from shopkeeper.tasks.assist.goods import Goods
from shopkeeper.tasks.assist.mentions import mentions
from shopkeeper.tasks.assist.naming import read_unnamed
from shopkeeper.tasks.assist.reading import Understanding, clauses
from shopkeeper.tasks.assist.recalling import RecallingEncoder
from shopkeeper.tasks.assist.tone import feeling, sentiment, urgency

TODAY = date(2026, 11, 26)  # a Thursday
ITEMS = [
    Item(id="chair", title="Blue garden chair", brand="Hollow"),
    Item(id="chair-red", title="Red garden chair", brand="Hollow"),
    Item(id="phones", title="Acme WH-1000XM4 wireless headphones", brand="Acme", codes=("WH-1000XM4",)),
    Item(id="cup", title="不锈钢保温杯 500毫升", brand="暖暖"),
    Item(id="secret", title="Unreleased hammock stand", hidden=True),
]


@pytest.fixture(scope="module")
def understanding(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reading")
    encoders = Encoders(HashEncoder(), CachedEncoder(HashEncoder(), folder / "vectors.bin"))
    settings = Settings.model_validate({"home": str(folder)})
    return Understanding(Registry(folder / "models"), Shelf(ITEMS), settings, encoders)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("where is my order", "track_order"),
        ("please cancel my order", "cancel_order"),
        ("我要退货", "return_item"),
        ("转人工", "human"),
        ("你好", "greeting"),
        ("how much is the kettle", "price"),
        ("可以", "yes"),
    ],
)
def test_plain_wishes_are_understood(understanding, text, intent):
    read = understanding.read(text)
    assert read.intents[0][0] == intent
    assert read.has(intent, understanding.threshold)
    assert read.out_of_scope < 0.5


def test_a_message_may_want_two_things(understanding):
    read = understanding.read("Cancel my order please. What is your return policy?")
    assert read.has("cancel_order", understanding.threshold)
    assert read.has("return_item", understanding.threshold)


def test_what_is_no_business_of_a_shop(understanding):
    assert understanding.read("write a poem about the sea").out_of_scope > 0.5
    assert understanding.read("法国首都是哪里").out_of_scope > 0.5


def test_language_is_guessed_or_given(understanding):
    assert understanding.read("我的订单").language == "zh"
    assert understanding.read("12345").language == "en"
    assert understanding.read("12345", language="zh-CN").language == "zh"


@pytest.mark.parametrize("text", ["", " ", "\x00\x01", "🙂🙂", "<b>hi</b>", "a" * 1_000_000, "？" * 300, "\ud800"])
def test_bad_input_is_read_as_well_as_it_can_be(understanding, text):
    read = understanding.read(text, focus=("nothing", "chair"))
    assert -1 <= read.sentiment <= 1
    assert 0 <= read.urgency <= 1
    assert 0 <= read.out_of_scope <= 1


@given(st.text(max_size=80))
def test_mentions_are_where_they_say_and_do_not_overlap(understanding, text):
    last = 0
    for mention in understanding.read(text, focus=("chair",)).mentions:
        assert text[mention.start : mention.end] == mention.text != ""
        assert mention.start >= last
        last = mention.end


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("where is order ORD-10023?", "order", "ORD-10023"),
        ("order number: 48213", "order", "48213"),
        ("order #77 please", "order", "77"),
        ("我的订单20231111001到哪了", "order", "20231111001"),
        ("订单号是A-77120", "order", "A-77120"),
        ("mail me at Ann.Lee@example.com", "email", "ann.lee@example.com"),
        ("打我电话13800138000", "phone", "13800138000"),
        ("call me at 555-123-4567", "phone", "5551234567"),
        ("under $1,250.50", "money", "1250.5"),
        ("三百五十元以内", "money", "350"),
        ("in size 42", "size", "42"),
        ("有42码吗", "size", "42"),
        ("红色的", "colour", "red"),
        ("the navy one", "colour", "navy"),
        ("two boxes, 3 pieces", "quantity", "3"),
        ("来两件", "quantity", "2"),
        ("send it to 12 Oak Street, Springfield please", "address", "12 Oak Street, Springfield"),
        ("改到上海市浦东新区世纪大道100号3单元502室", "address", "上海市浦东新区世纪大道100号3单元502室"),
    ],
)
def test_things_with_a_form_are_found(text, kind, value):
    assert (kind, value) in [(found.kind, found.value) for found in mentions(text)]


@pytest.mark.parametrize("text", ["a 500ml cup", "my order please", "in 2 weeks", "I ordered it", "订单怎么还没到"])
def test_other_numbers_and_words_are_no_orders(text):
    assert not [found for found in mentions(text) if found.kind == "order"]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("since yesterday", "2026-11-25"),
        ("前天买的", "2026-11-24"),
        ("three days ago", "2026-11-23"),
        ("三天前", "2026-11-23"),
        ("in 2 weeks", "2026-12-10"),
        ("两周后", "2026-12-10"),
        ("next Monday", "2026-11-30"),
        ("下周一", "2026-11-30"),
        ("last Friday", "2026-11-20"),
        ("上周五", "2026-11-20"),
        ("before Friday", "2026-11-27"),
        ("on 2026-12-24", "2026-12-24"),
        ("12月24日", "2026-12-24"),
        ("January 3rd", "2027-01-03"),
        ("3 January 2026", "2026-01-03"),
    ],
)
def test_days_are_found(text, day):
    assert dates(text, TODAY)[0].value == day


@pytest.mark.parametrize("text", ["31 February", "13月45日", "2026-99-99", "a sundae"])
def test_days_that_do_not_exist_are_not(text):
    assert dates(text, TODAY) == []


@pytest.mark.parametrize(
    ("text", "focus", "item"),
    [
        ("do you still have the blue garden chair", (), "chair"),
        ("is WH1000XM4 any good", (), "phones"),
        ("不锈钢保温杯有货吗", (), "cup"),
        ("is this waterproof?", ("cup",), "cup"),
        ("is this one waterproof?", ("cup",), "cup"),
        ("does it come with a lid", ("cup",), "cup"),
        ("这款防水吗", ("phones",), "phones"),
        ("the chair, please", ("chair-red",), "chair-red"),
        ("garden chair", (), None),
        ("unreleased hammock stand", (), None),
    ],
)
def test_goods_are_found_where_it_is_sure(text, focus, item):
    found = [one.value for one in Goods(ITEMS).find(text, focus) if one.kind == "product"]
    assert found == ([item] if item else [])


def test_goods_follow_the_catalogue():
    goods = Goods(ITEMS)
    goods.put(Item(id="chair", title="Purple sofa"))
    assert [one.value for one in goods.find("the purple sofa")] == ["chair"]
    goods.drop("chair")
    assert goods.find("the purple sofa") == []


def test_feelings():
    assert feeling("This is ridiculous, nobody answers!!") < -0.5
    assert feeling("你们骗人，太过分了") < -0.5
    assert feeling("I am not angry") == 0
    assert feeling("great, works well") > 0
    assert feeling("我的订单到哪了") == 0
    assert sentiment("", None) == 0


def test_haste():
    assert urgency("我急用，马上要") >= 0.8
    assert urgency("I need it today", dates("I need it today", TODAY), TODAY) > urgency("I need it today")
    assert urgency("not urgent at all") == 0
    assert urgency("do you have it in blue") == 0
    assert urgency("WHERE IS MY PARCEL NOW") > 0


def test_clauses_are_cut_where_something_new_is_said():
    assert clauses("我要退货，还有订单到哪了", "zh") == ["我要退货", "订单到哪了"]
    assert clauses("where is it", "en") == []
    assert len(clauses("one two three. " * 50, "en")) <= 4


class Counting(HashEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def encode(self, texts, side="passage", batch=64):
        self.asked += [(side, text) for text in texts]
        return super().encode(texts, side, batch)


@given(st.lists(st.tuples(st.sampled_from(["passage", "query"]), st.lists(st.sampled_from("abcdef"))), max_size=8))
def test_a_recalling_encoder_says_what_the_encoder_says(calls):
    inner = Counting()
    recalling = RecallingEncoder(inner, 4)
    for side, texts in calls:
        assert np.array_equal(recalling.encode(texts, side), HashEncoder().encode(texts, side))


def test_a_text_is_encoded_once_until_it_is_forgotten():
    inner = Counting()
    recalling = RecallingEncoder(inner, 4)
    recalling.encode(["a", "b", "a"])
    recalling.encode(["b", "a"])
    recalling.encode(["a"], "query")
    assert sorted(inner.asked) == [("passage", "a"), ("passage", "b"), ("query", "a")]
    recalling.forget()
    recalling.encode(["a"])
    assert inner.asked.count(("passage", "a")) == 2


def test_several_titles_in_one_text_are_found_whole(understanding):
    text = "Is the blue garden chair cheaper than the acme wh-1000xm4 wireless headphones?"
    assert set(understanding.titled(text)) == {"chair", "phones"}
    assert understanding.titled("a garden chair") == []
    assert understanding.titled("Unreleased hammock stand") == []
    goods = Goods(ITEMS)
    assert goods.titled("red garden chair") == ["chair-red"]
    goods.drop("chair-red")
    assert goods.titled("red garden chair") == []


@given(st.text(max_size=60))
def test_titles_agree_with_looking_at_every_item(text):
    said = set(terms(text))
    held = {item.id: set(terms(item.title)) for item in ITEMS if not item.hidden}
    wanted = {name for name, own in held.items() if len(own) > 1 and len(own & said) >= 0.9 * len(own)}
    assert set(Goods(ITEMS).titled(text)) == wanted


def test_a_long_name_stands_aside(understanding):
    text = "Where is order S10000001 with the red garden chair?"
    read = read_unnamed(understanding, text, "en", (), ["S10000001"], TODAY)
    assert {(one.kind, one.value) for one in read.mentions} >= {("order", "S10000001"), ("product", "chair-red")}
    assert read.intents[0][0] == "track_order"
