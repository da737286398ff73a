"""Posts read by words alone: names, topics, feelings, dangers, events, copies; and strange posts."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import Item, Passage, PassageKind
from shopkeeper.tasks.listen.groups import GROWN, Groups
from shopkeeper.tasks.listen.models import marked
from shopkeeper.tasks.listen.names import known_names
from shopkeeper.tasks.listen.phrases import LONGEST, Phrases, fold
from shopkeeper.tasks.listen.reader import Reader
from shopkeeper.tasks.listen.reading import Concern, Reading, reading_of
from shopkeeper.tasks.listen.vectors import WordVectors, telling
from shopkeeper.tasks.listen.words import FINANCE, topics_for

T = datetime(2026, 5, 1, 12, tzinfo=UTC)
ITEMS = [
    Item(id="sku-100", title="Steam kettle 1.7 l, red", brand="Bosch", attributes={"seller": "Kitchen World"}),
    Item(id="sku-101", title="Steam kettle 1.7 l, blue", brand="Bosch", codes=("B01-77X",)),
    Item(id="sku-7", title="青花瓷茶壶", brand="景德"),
]


def post(text, number=0, **more):
    return Passage(id=f"p{number}", kind=PassageKind.POST, text=text, time=T + timedelta(minutes=number), **more)


@pytest.fixture(scope="module")
def reader():
    return Reader(known_names(ITEMS), brand=lambda item: {"sku-100": "Bosch"}.get(item, ""))


def read(reader, text, **more):
    return Reader(reader.names, mode=reader.mode, brand=reader.brand).read([post(text, **more)])[0]


def test_phrases_match_at_word_borders_longest_first():
    phrases = Phrases(
        [("apple", "a"), ("apple pie", "pie"), ("苹果", "果"), ("苹果手机", "机"), ("Ａ１", "wide"), ("x", "short")]
    )
    assert len(phrases) == 5
    assert [one.keys for one in phrases.find("Apple pies, pineapple, APPLE; 苹果手机和苹果, a1 x")] == [
        ("a",),
        ("a",),
        ("机",),
        ("果",),
        ("wide",),
    ]
    inflected = Phrases([("refund", "r"), ("fit", "f")], inflected=True)
    assert inflected.keys("refunded refunds refunding refundable fits") == {"r": 3}


@given(st.text(max_size=60), st.lists(st.text(min_size=2, max_size=6), max_size=6))
def test_phrases_agree_with_a_plain_search(text, forms):
    phrases = Phrases((form, form) for form in forms)
    found = list(phrases.find(text))
    assert len(fold(text)) == len(text)
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))
    for one in found:
        assert fold(text)[one.start : one.end] in {fold(form).strip() for form in forms}


def test_a_long_text_of_beginnings_is_found_in_bounded_steps():
    phrases = Phrases([("a" * length, "a") for length in range(2, LONGEST + 1)])
    assert list(phrases.find("a" * 4_000 + "b")) == []


def test_products_brands_sellers_and_companies_are_named(reader, tmp_path):
    found = read(
        reader, "My steam kettle 1.7 l, red is great. The B01-77X broke. 青花瓷茶壶很漂亮，Kitchen World is rude."
    )
    assert {(one.kind, one.name): np.sign(one.feeling) for one in found.entities} == {
        ("item", "sku-100"): 1, ("item", "sku-101"): -1, ("item", "sku-7"): 1, ("seller", "Kitchen World"): -1,
    }  # fmt: skip
    assert read(reader, "A steam kettle 1.7 l").entities == ()  # two products are called so
    names = tmp_path / "names.txt"
    names.write_text("# companies\n小资钱包\n京东方科技集团股份有限公司=京东方|BOE\nAcme Inc.\n", encoding="utf-8")
    market = Reader(known_names([], str(names)), mode="finance", topics=FINANCE)
    found = market.read([post("小资钱包涉嫌诈骗，京东方业绩大涨。Acme plunges", 1)])[0]
    assert {one.name: one.feeling for one in found.entities}["小资钱包"] < 0
    assert {one.name: one.feeling for one in found.entities}["京东方科技集团股份有限公司"] > 0
    assert "Acme Inc." in {one.name for one in found.entities}
    assert (found.event, found.risk) == ("swindle", "fraud")
    with pytest.raises(InputError, match="cannot be read"):
        known_names([], str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("text", "sign", "topic", "risk"),
    [
        ("快递三天还没到，客服也不回复，太慢了", -1, "delivery", ""),
        ("充电的时候突然冒烟起火，太吓人了", -1, "", "safety"),
        ("The parcel arrived quickly and the quality is excellent.", 1, "delivery", ""),
        ("It caught fire! I will see my lawyer.", -1, "", "safety"),
        ("没有起火，不是假货，很好用", 1, "authenticity", ""),
        ("Never again: a scam, they refused a refund", -1, "returns", "fraud"),
        ("质量很好，价格也便宜", 1, "quality", ""),
        ("", 0, "", ""),
    ],
)
def test_what_posts_say(reader, text, sign, topic, risk):
    found = read(reader, text)
    assert np.sign(found.sentiment) == sign
    assert (not topic and True) or topic in found.topics
    assert found.risk == risk


def risks_of(texts):
    reader = Reader(Phrases(()))
    return {text: reader.read([post(text)])[0].risk for text in texts}


@pytest.mark.parametrize(
    ("risk", "texts"),
    [
        ("safety", ["充电器不断冒烟", "不停冒烟，吓死人", "无缘无故爆炸了", "无故着火", "不小心烫伤了手", "这个充电宝特别容易着火", "没用两天着火了", "不到一周起火",
                    "非常不安全漏电", "会不会爆炸？", "有没有甲醛", "不过会漏电", "不但冒烟还起火", "宝宝用了皮肤过敏", "脸过敏了", "拒绝召回",
                    "It caught fire", "No wonder it caught fire", "without warning it exploded", "The plug started smoking", "Smoke came out of it",
                    "I smelled a burning smell", "It burned my hand", "A burnt cable", "They announced a product recall", "It was recalled",
                    "It didn't last: it exploded"]),
        ("fraud", ["没想到是假货", "无良商家骗人", "是不是假货？", "难道不是假货吗", "别家是假货", "不过是假货", "不仅是假货", "被套路了", "全是套路", "Nothing but a scam",
                   "No doubt a scam", "I can't believe this scam", "It is a fake"]),
        ("legal", ["我要打12315，找工商局", "已经投诉到工商了", "I will sue you", "We are suing", "See you in court", "I am going to sue them"]),
        ("quality", ["没多久就坏了", "没几天就坏了", "没两天就断了", "It broke", "It is defective", "It doesn't work"]),
        ("pr", ["这家店被曝光了", "我要去网上曝光", "品牌公开道歉", "引发争议"]),
    ],
)  # fmt: skip
def test_dangers(risk, texts):
    assert risks_of(texts) == dict.fromkeys(texts, risk)


HARMLESS = [
    "It hasn't broken once.", "The charger didn't catch fire or smoke.", "The charger didn’t catch fire or explode.", "Doesn't smell, doesn't burn, no smoke.",
    "No smell, no smoke, not a scam", "There is no sign of a rash", "It is not fake", "isnt fake", "It doesn't look fake", "It has never been recalled",
    "Never caused an allergic reaction", "Smoked salmon is delicious.", "I recall buying one years ago and it is still great.",
    "Sue from support was very helpful.", "Thanks to Sue", "Great for the tennis court.", "Lovely in court shoes", "The gas burner heats evenly.",
    "The candle burns evenly", "The fake leather looks real.", "A burnt orange scarf", "A gas regulator", "The rash guard fits", "A smoke alarm",
    "外套路上穿正好", "从工商银行付款的", "相机曝光准确", "适合过敏体质的宝宝", "客服道歉了，态度很好", "买了一套路由器", "吃着火锅", "爆炸盐很好用",
    "没有起火", "不是假货", "绝非假货", "没有着火、冒烟或者爆炸", "没有出现过漏电", "没有任何甲醛", "无甲醛", "从未坏了", "不会漏电", "不用担心买到假货",
    "不容易着火", "不可能是假货", "Nobody was injured", "Nothing broke", "带防漏电和防触电", "没有皮肤过敏", "夜跑路上穿",
]  # fmt: skip


def test_what_is_denied_or_an_ordinary_word_is_no_danger():
    assert risks_of(HARMLESS) == dict.fromkeys(HARMLESS, "")


@pytest.mark.parametrize(
    ("text", "sign", "event"),
    [
        ("公司并未违约，资金充足", 0, ""),
        ("某某没有爆雷", 0, ""),
        ("没有出货", 0, ""),
        ("公司否认财务造假传闻", 0, ""),
        ("The company denies any allegations of fraud", 0, ""),
        ("Not bearish", 0, ""),
        ("公司违约", -1, ""),
        ("某某爆雷了", -1, ""),
        ("股价大涨", 1, ""),
        ("某某财务造假", -1, "financial_fraud"),
        ("没想到公司财务造假", -1, "financial_fraud"),
    ],
)
def test_markets_deny_as_well(text, sign, event):
    found = Reader(Phrases(()), mode="finance", topics=FINANCE).read([post(text)])[0]
    assert (np.sign(found.sentiment), found.event) == (sign, event)


def test_each_name_has_its_own_feeling_in_one_sentence(reader):
    feelings = {one.name: one.feeling for one in read(reader, "Bosch很好用，Kitchen World态度太差").entities}
    assert feelings["Bosch"] > 0 > feelings["Kitchen World"]


def test_stars_count_and_the_item_of_the_post_brings_its_brand(reader):
    found = read(reader, "It is a kettle.", rating=1.0, item="sku-100", source="forum", customer="ann")
    assert (found.sentiment, found.brand, found.author, found.negative) == (-1.0, "Bosch", "ann", True)
    assert found.keys("brand") == ("Bosch",)
    assert found.keys("item") == ("sku-100",)
    assert found.keys("source") == ("forum",)


def test_copies_point_to_the_first_and_are_muted_with_it(reader):
    own = Reader(reader.names, muted={"p0"})
    text = "这个电水壶用了一个星期就开始冒烟，客服完全不理人，大家千万不要买"
    found = own.read([post(text), post(text + "！", 1), post("快递很快，包装也很好，推荐大家购买这个东西", 2)])
    assert [one.duplicate_of for one in found] == ["", "p0", ""]
    assert [one.muted for one in found] == [True, True, False]


def test_readings_survive_the_store(reader):
    found = read(reader, "Bosch broke. 质量很差，快递太慢", source="forum", author="mia")
    assert reading_of(found.document()).document() == found.document()
    assert reading_of(Reading(post="p", time=T).document()) == Reading(post="p", time=T)
    assert found.feeling("brand", "Bosch") == next(one.feeling for one in found.entities if one.name == "Bosch")
    assert Concern("brand", "Bosch", -1.0) in found.entities


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00\x01\x02", "😀😀😀", "<b>bold</b><script>alert(1)</script>", "ａｂｃ 中文 العربية mixed", "x" * 1_000_000, "好" * 1_000_000,
     "！" * 9_000, "a,b，" * 5_000, "\ud800", "İİİ ẞ ŉ", "，\n。" * 3_000],
)  # fmt: skip
def test_strange_posts_are_read(reader, text):
    found = read(reader, text)
    assert -1 <= found.sentiment <= 1
    assert reading_of(found.document()) is not None


def test_discovered_topics_grow_keep_their_ids_and_are_named(tmp_path):
    encoder = HashEncoder()
    vectors, groups = WordVectors(encoder.encode), Groups(64, most=20)
    own = Reader(Phrases(()), vectors=vectors, groups=groups)
    other = ["".join(np.random.default_rng(n).choice(list("qwertzuiop"), 9)) for n in range(24)]
    balcony = [post(f"balcony umbrella wobbles {other[n]}", n) for n in range(12)]
    piano = [post(f"{other[n]} piano pedal squeaks", 100 + n) for n in range(12, 24)]
    found = [one.found for one in own.read([*balcony, *piano])]
    grown = set(found) - {""}
    assert len(grown) == 2
    assert found[: GROWN - 1] == [""] * (GROWN - 1)
    assert found[11] != found[23]
    named = groups.names()
    assert set(named[found[11]].split(" · ")) == {"balcony", "umbrella", "wobbles"}
    groups.save(tmp_path / "found.safetensors")
    again = Groups.load(tmp_path / "found.safetensors", 64, most=20)
    assert again.names() == named
    late = Reader(Phrases(()), vectors=WordVectors(encoder.encode), groups=again)
    assert late.read([post("balcony umbrella wobbles again", 200)])[0].found == found[11]
    assert Groups.load(tmp_path / "none", 64).names() == {}


def test_few_groups_make_room_and_ids_are_never_given_twice():
    groups = Groups(8, most=3)
    eye = np.eye(8, dtype=np.float32)
    for number in range(8):
        for _ in range(GROWN):
            groups.join(eye[[number]], [[f"w{number}"]], [True])
    assert len(groups.names()) <= 3
    assert groups.join(eye[[7]], [["w7"]], [False]) == ["found-8"]


def test_words_that_tell_leave_numbers_and_common_words_out():
    assert telling("The kettle was 1.7 l and 没有 冒烟") == ["kettle", "冒烟"]


def test_topics_come_from_a_file(tmp_path):
    file = tmp_path / "topics.toml"
    file.write_text('[noise]\nen = "noise"\nzh = "噪音"\nwords = ["loud", "太吵"]\n', encoding="utf-8")
    own = Reader(Phrases(()), topics=topics_for("shop", str(file)))
    assert own.read([post("It is loud. 太吵了")])[0].topics == ("noise",)
    file.write_text("[noise]\nwords = 3\n", encoding="utf-8")
    with pytest.raises(InputError, match="no list of words"):
        topics_for("shop", str(file))
    file.write_text("[noise", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        topics_for("shop", str(file))


def test_a_long_text_is_marked_around_the_name():
    text = "很" * 3_000 + "小资钱包涉嫌诈骗" + "长" * 3_000
    assert "[E] 小资钱包 [/E]涉嫌诈骗" in marked(text, "小资钱包")
    assert marked("nothing here", "Acme").startswith("[E] Acme [/E]")


@pytest.mark.parametrize("text", ["卖家否认是假货", "The seller denies it is a fake"])
def test_what_a_seller_denies_a_customer_has_said(text):
    (reading,) = Reader(Phrases(())).read([post(text)])
    assert reading.risk == "fraud"
