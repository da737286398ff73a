"""Which rules are refused, and that none of them leads out of the shop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import Filters
from shopkeeper.store.merchandising import Banner, Boost, Pin, Rule, Then, When, check_rule, is_shop_path
from shopkeeper.store.rules import parse_rule, rule_document

T = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = Rule(id="r", name="Spring", when=When(contains=("tea", "茶")), then=Then(pins=(Pin(item="a", position=1),)))


def test_a_rule_with_everything_is_fine_and_its_document_is_short():
    rule = replace(
        GOOD,
        when=When(exact=("绿茶",), segments={"tier": ("gold",)}, languages=("zh",), start=T, end=T + timedelta(1)),
        then=Then(
            pins=(Pin(item="a", position=1), Pin(item="b", position=9)),
            boosts=(Boost(filters=Filters(brands=("绿野",)), factor=0.0),),
            hide=("c",),
            filters=Filters(price_max=60.0),
            redirect="/分类/茶?page=2#top",
            banner=Banner(text={"zh": "春茶上新", "en": "Spring tea & <more>"}, link="/search?q=//"),
            query="green tea",
        ),
    )
    assert check_rule(rule) is rule
    assert parse_rule(rule_document(rule)) == rule
    assert rule_document(GOOD) == {
        "id": "r",
        "name": "Spring",
        "when": {"contains": ["tea", "茶"]},
        "then": {"pins": [{"item": "a", "position": 1}]},
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": ""}, "empty"),
        ({"id": "x" * 201}, "201 characters"),
        ({"id": "a\nb"}, "Control"),
        ({"name": "  "}, "no word"),
        ({"name": "n" * 201}, "201 characters"),
        ({"priority": 10**7}, "too far"),
        ({"when": When(exact=("",))}, "no word"),
        ({"when": When(contains=("!!",))}, "no word"),
        ({"when": When(contains=("a\x00",))}, "Control"),
        ({"when": When(contains=("\ud83da",))}, "Control"),
        ({"when": When(contains=("茶" * 401,))}, "401 characters"),
        ({"when": When(categories=((),))}, "never hold"),
        ({"when": When(segments={"tier": ()})}, "never hold"),
        ({"when": When(start=T, end=T)}, "ends before"),
        ({"when": When(start=datetime(2026, 1, 1), end=T)}, "zone"),
        ({"when": When(start=datetime(2026, 1, 1))}, "zone"),
        ({"when": When(end=datetime(2026, 1, 1))}, "zone"),
        ({"then": Then()}, "does nothing"),
        ({"then": Then(pins=(Pin(item="a", position=0),))}, "no position 0"),
        ({"then": Then(pins=(Pin(item="a", position=1_001),))}, "no position 1001"),
        ({"then": Then(pins=(Pin(item="", position=1),))}, "empty"),
        ({"then": Then(pins=(Pin(item="a", position=1), Pin(item="a", position=2)))}, "Two pins"),
        ({"then": Then(pins=(Pin(item="a", position=1), Pin(item="b", position=1)))}, "Two pins"),
        ({"then": Then(pins=(Pin(item="a", position=1),), hide=("a",))}, "pins and hides 'a'"),
        ({"then": Then(hide=tuple(map(str, range(1_001))))}, "1001 values"),
        ({"then": Then(boosts=(Boost(filters=Filters(), factor=2.0),))}, "boost of everything"),
        ({"then": Then(boosts=(Boost(filters=Filters(brands=("x",)), factor=-1.0),))}, r"factor -1\.0"),
        ({"then": Then(boosts=(Boost(filters=Filters(brands=("x",)), factor=float("nan")),))}, "factor nan"),
        ({"then": Then(filters=Filters(price_min=2.0, price_max=1.0))}, "above price_max"),
        ({"then": Then(filters=Filters(price_min=float("inf")))}, "finite"),
        ({"then": Then(filters=Filters(brands=("a\x1b",)))}, "Control"),
        ({"then": Then(banner=Banner(text={}))}, "known language"),
        ({"then": Then(banner=Banner(text={"fr": "Bonjour"}))}, "known language"),
        ({"then": Then(banner=Banner(text={"zh": "新品", "en": " "}))}, "no word"),
        ({"then": Then(banner=Banner(text={"en": "x" * 301}))}, "301 characters"),
        ({"then": Then(banner=Banner(text={"en": "Sale\u202e elaS"}))}, "Control"),
        ({"then": Then(banner=Banner(text={"en": "Sale"}, link="javascript:alert(1)"))}, "leads out"),
        ({"then": Then(query="?")}, "no word"),
    ],
)
def test_what_is_refused_is_named(fields: dict[str, object], words: str):
    with pytest.raises(InputError, match=words) as caught:
        check_rule(replace(GOOD, **fields))  # type: ignore[arg-type]
    assert caught.value.where
    assert caught.value.cure


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/%2Fevil.example",
        "/%252Fevil.example",
        "/%5Cevil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/./evil",
        "/a/%2e%2e/%2e%2e",
        "/x%0d%0aSet-Cookie:a=b",
        "/x?y=%0d%0aSet-Cookie:a=b",
        "/a\u2028b",
        "/a\x00",
        "javascript:alert(1)",
        "data:text/html,x",
        "search?q=tea",
        "",
        "/" + "a" * 2_000,
    ],
)
def test_no_way_out_of_the_shop(path: str):
    assert not is_shop_path(path)
    if path:
        with pytest.raises(InputError, match="leads out of the shop"):
            check_rule(replace(GOOD, then=Then(redirect=path)))


@given(st.text(st.sampled_from("/\\.:@?#%25FfCcaé\t 　／"), max_size=12).map(lambda text: "/" + text))
@example("/search?q=a//b")
@example("/分类/茶")
def test_whatever_is_accepted_stays_in_the_shop(path: str):
    if is_shop_path(path):
        for form in (path, unquote(path), unquote(unquote(path))):
            assert urlsplit(urljoin("https://shop.example/search", form)).netloc == "shop.example"
