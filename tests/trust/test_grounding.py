"""Grounding: what the evidence holds passes in any spelling; a changed figure, name, promise or denial does not."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.trust import grounding
from shopkeeper.trust.facts import facts
from shopkeeper.trust.folding import fold
from shopkeeper.trust.grounding import claims, forget, unsupported

POLICY = (
    "You have 30 days from delivery to return unused items; hygiene products must be sealed.",
    "Orders placed before 15:00 leave the same day and arrive in two to four working days.",
    "Manufacturing faults for two years; wear, accidents and misuse are not covered.",
    "We deliver to 34 countries. Return shipping is free.",
    "签收后30天内，未使用且包装完好可退。每天15点前的订单当天发出，一般两到四天送达。",
)
DESK = (
    "Castelmar Aster walnut desk, 160 cm. The top is not waterproof. It has no cable tray.",
    "price: 1,333.00 USD; code: DR-75709; created 2025-06-29; sold by Castelmar since 1998",
    "这款书桌不防水，承重80公斤，售价1463元，品牌禾栖。《木作集》系列。",
)


def kinds(text: str, evidence: tuple[str, ...], **more: object) -> list[tuple[str, str]]:
    return [(claim.kind, claim.text) for claim in unsupported(text, evidence, **more)]


@pytest.mark.parametrize(
    "text",
    [
        "You can return them within thirty days.",
        "三十天内未使用可退。",
        "Delivery takes 2-4 working days if you order before 3 pm.",
        "一般2到4天送达，下午三点前下单当天发出。",
        "We ship to thirty-four countries, and return shipping is free.",
        "It is 160cm wide and costs $1333.",
        "The desk costs USD 1,333.00.",
        "DR-75709 was added on 29 June 2025, a Sunday.",
        "售价一千四百六十三元，承重八十公斤。",
        "It is not waterproof, and it comes without a cable tray.",
        "本款不防水。",
        "Thanks for asking! The Castelmar desk is a good choice; let me know if you need more.",
        "1. Walnut top\n2. Width 160 cm",
        "《木作集》系列的书桌",
        "",
        "😀 !!! \u200b",
    ],
)
def test_what_the_evidence_holds_is_grounded_in_any_spelling(text):
    assert kinds(text, POLICY + DESK) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You can return them within sixty days.", [("date", "sixty days")]),
        ("You can return them within 30 weeks.", [("date", "30 weeks")]),
        ("九十天内可退。", [("date", "九十天")]),
        ("It arrives in two to five working days.", [("date", "two to five working days")]),
        ("Order before 16:00.", [("date", "16:00")]),
        ("It was added on 29 July 2025.", [("date", "29 July 2025")]),
        ("It arrives on Friday.", [("date", "Friday")]),
        ("It will arrive tomorrow.", [("promise", "will arrive"), ("date", "tomorrow")]),
        ("It is 160 mm wide.", [("number", "160 mm")]),
        ("It is 180cm wide.", [("number", "180cm")]),
        ("承重90公斤", [("number", "90公斤")]),
        ("It costs $1,332.", [("price", "$1,332")]),
        ("It costs €1,333.", [("price", "€1,333")]),
        ("只要一千四百元", [("price", "一千四百元")]),
        ("You get 20% off.", [("number", "20%")]),
        ("打八折", [("number", "八折")]),
        ("Its code is DR-75708.", [("name", "DR-75708")]),
        ("This desk is made by Oakridge.", [("name", "Oakridge")]),
        ("Oakridge makes this desk.", [("name", "Oakridge")]),
        ("品牌是月牙儿。", [("name", "月牙儿")]),
        ("《山海集》系列的书桌", [("name", "山海集")]),
        ("Delivery is free.", [("price", "free")]),
        ("全场包邮", [("price", "包邮")]),
        ("We guarantee it.", [("promise", "guarantee")]),
        ("It never scratches.", [("promise", "never")]),
        ("终身质保", [("promise", "终身"), ("promise", "质保")]),
        ("我们保证您满意，支持退款。", [("promise", "保证"), ("promise", "退款")]),
        ("The top is waterproof.", [("negation", "waterproof")]),
        ("Wear is covered.", [("negation", "covered")]),
        ("Used items go back within 30 days.", [("negation", "Used")]),
        ("这款书桌防水。", [("negation", "防水")]),
        ("It is the best desk.", [("superlative", "the best")]),
        ("全国第一的书桌", [("superlative", "第一")]),
        ("最好的书桌", [("superlative", "最好")]),
    ],
)
def test_what_it_does_not_hold_is_named_with_its_place(text, expected):
    found = unsupported(text, POLICY + DESK)
    assert [(claim.kind, claim.text) for claim in found] == expected
    assert all(text[claim.start : claim.end] == claim.text for claim in found)


@pytest.mark.parametrize(
    "text",
    [
        "Sugar-free and hands-free, feel free to ask.",
        "We cannot guarantee that.",
        "我们不能保证。",
        "一定程度上可以。万一有问题，千万别急。",
        "最近有人问，第一时间通知您。",
        "Best regards",
        "At most, at least",
        "Do not miss it, and do not hesitate to ask.",
    ],
)
def test_ordinary_words_are_no_claims(text):
    assert kinds(text, ("a pillow",)) == []


def test_names_of_the_shop_are_known_wherever_they_stand():
    assert kinds("禾栖的书桌，禾栖出品", ("山野集书桌",), names=["禾栖", "山野集"]) == [
        ("name", "禾栖"),
        ("name", "禾栖"),
    ]
    assert kinds("acme is fine", ("a desk",), names=["Acme"]) == [("name", "acme")]


def test_without_evidence_every_claim_is_unsupported():
    text = "The Castelmar desk costs $52 and is free of charge to return within 3 days."
    assert unsupported(text, ()) == claims(text)
    assert [claim.kind for claim in claims(text)] == ["name", "price", "price", "date"]


def test_a_question_in_the_evidence_asserts_nothing():
    assert kinds("It is waterproof.", ("Is it waterproof? It is not waterproof.",)) == [("negation", "waterproof")]


def test_places_are_those_of_the_original():
    text = "ｃｏｓｔ：\u200b５２元"
    (claim,) = unsupported(text, ["51元"])
    assert (claim.kind, text[claim.start : claim.end]) == ("price", "５２元")


def test_a_chinese_comma_parts_two_figures():
    text = "手机 14，999元"
    assert unsupported(text, ["手机 14", "999元"]) == ()
    (claim,) = unsupported(text, ["手机 14", "998元"])
    assert (claim.kind, claim.text, text[claim.start : claim.end]) == ("price", "999元", "999元")
    assert [claim.text for claim in unsupported("只要14,999元", ["999元"])] == ["14,999元"]
    assert unsupported("只要14,999元", ["14999元"]) == ()


SENTENCES = [part for text in POLICY + DESK for part in re.split(r"(?<=[.;])\s+|(?<=[。；])", text) if part]


@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4))
def test_sentences_of_the_evidence_are_grounded(chosen):
    assert unsupported(" ".join(chosen), POLICY + DESK) == ()


UNITS = ["cm", " kg", " days", "元", "天", " USD", "%", "", " GB", "个月"]


@given(st.decimals("0.01", "99999", places=2), st.sampled_from(UNITS), st.data())
def test_one_changed_digit_is_caught(number, unit, data):
    figure = f"{number:f}"
    place = data.draw(st.sampled_from([at for at, letter in enumerate(figure) if letter.isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != figure[place]]))
    changed = figure[:place] + other + figure[place + 1 :]
    evidence = [f"The value is {figure}{unit} here."]
    assert unsupported(f"So it is {figure}{unit} then", evidence) == ()
    assert unsupported(f"So it is {changed}{unit} then", evidence)


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=2))
def test_any_text_is_read_and_places_are_right(text, evidence):
    for claim in unsupported(text, evidence):
        assert text[claim.start : claim.end] == claim.text
        assert claim.text
    assert unsupported(text, [text]) == ()


@given(st.text())
def test_folding_keeps_track_of_places(text):
    plain = fold(text)
    assert len(plain.places) == len(plain.text) + 1
    assert (plain.places[1:] >= plain.places[:-1]).all()
    assert plain.places[-1] == len(text)


@settings(max_examples=20)
@given(st.sampled_from(["1,", "a-", "不", "free ", "one two ", "《", "A "]), st.integers(1, 100))
def test_facts_do_not_overlap(piece, count):
    found = list(facts(piece * count))
    assert all(first.end <= second.start for first, second in itertools.pairwise(found))


def test_memory_of_evidence_is_bounded_and_can_be_let_go():
    long, short = "It costs $5. " * 1_000, "It costs $7."
    assert unsupported("Only $5.", [long]) == ()
    before = grounding._remembered.cache_info().currsize
    assert unsupported("Only $5.", [long + "Yes."]) == ()
    assert grounding._remembered.cache_info().currsize == before
    assert unsupported("Only $7.", [short]) == ()
    most = grounding._remembered.cache_info().maxsize
    assert most is not None
    assert most * grounding._LONGEST_REMEMBERED <= 2_100_000
    forget()
    assert grounding._remembered.cache_info().currsize == 0
