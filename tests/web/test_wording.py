"""Every sentence exists in both languages and is used; small things that pages are made of."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from shopkeeper import web
from shopkeeper.records import Availability, Event, EventKind, Item
from shopkeeper.web.i18n import TEXTS, chosen, translator
from shopkeeper.web.listing import (
    Listing,
    attribute_choices,
    brand_choices,
    category_choices,
    pages,
    price_bars,
    price_ranges,
)
from shopkeeper.web.view import hue, in_language, initial, pictures, pieces, price, stars
from shopkeeper.web.visits import fold, leaning

HERE = Path(web.__file__).parent
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_sentence_is_there_in_both_languages_with_the_same_gaps():
    for key, (english, chinese) in TEXTS.items():
        assert english, key
        assert re.search("[一-鿿]", chinese), key
        assert set(re.findall(r"{(\w+)}", chinese)) <= set(re.findall(r"{(\w+)}", english)), key


def test_every_sentence_is_used_and_every_used_one_exists():
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*HERE.glob("*.py"), *HERE.glob("templates/*")])
    used = set(re.findall(r"""\bt\(\s*["'](\w+)["']\s*[,)]""", text))
    assert used <= TEXTS.keys()
    prefixes = (*re.findall(r"""\bt\(["'](\w+_)["'] ~""", text), "error_")
    spoken = text.replace((HERE / "i18n.py").read_text(encoding="utf-8"), "")
    unused = [
        key for key in TEXTS if not key.startswith(prefixes) and f"'{key}'" not in spoken and f'"{key}"' not in spoken
    ]
    assert set(unused) <= set(Availability)


def test_no_template_speaks_without_the_table():
    for path in HERE.glob("templates/*.html"):
        text = re.sub(r"{%.*?%}|{{.*?}}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", text)
        assert not re.search(r"[A-Za-z一-鿿]{3,}", text.replace("openapi.json", "")), path


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "expected"),
    [
        ("zh", "en", "en", "zh"),
        ("", "zh", "en", "zh"),
        ("xx", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "", "en;q=0.2,zh;q=0.7", "zh"),
        ("", "", "", "en"),
        ("", "", "fr;q=abc", "en"),
    ],
)
def test_language(asked: str, kept: str, accepted: str, expected: str):
    assert chosen(asked, kept, accepted) == expected


@given(st.text(), st.text(), st.text())
def test_some_language_is_always_chosen(asked: str, kept: str, accepted: str):
    assert translator(chosen(asked, kept, accepted))("home")


def event(kind: EventKind, item: str = "", query: str = "", quantity: int = 1) -> Event:
    return Event(id=f"{kind}{item}{query}", time=START, kind=kind, item=item, query=query, quantity=quantity)


def test_a_session_folds_into_basket_and_steps():
    log = [
        event(EventKind.SEARCH, query="tea"),
        event(EventKind.VIEW, "a"),
        event(EventKind.CART, "a"),
        event(EventKind.CART, "a", quantity=2),
        event(EventKind.VIEW, "b"),
        event(EventKind.CART, "b"),
        event(EventKind.UNCART, "b"),
        event(EventKind.SEARCH, query="tea"),
    ]
    seen = fold(log)
    assert seen.basket == {"a": 3}
    assert seen.pieces == 3
    assert seen.lately == "b"
    assert seen.steps == (
        (EventKind.SEARCH, "tea"),
        (EventKind.VIEW, "b"),
        (EventKind.CART, "a"),
        (EventKind.VIEW, "a"),
    )
    bought = fold([*log, event(EventKind.PURCHASE, "a"), event(EventKind.DISMISS, "b")])
    assert bought.basket == {}
    assert bought.lately == ""


def test_leaning_follows_what_was_done():
    items = {
        "a": Item(id="a", title="a", brand="Hearth", category=("Kitchen", "Pans")),
        "b": Item(id="b", title="b", brand="Leaf", category=("Garden",)),
    }
    steps = [(EventKind.CART, "a"), (EventKind.VIEW, "b"), (EventKind.DISMISS, "b"), (EventKind.VIEW, "gone")]
    assert sorted(leaning(steps, items)) == ["Hearth", "Pans"]


def test_prices_pictures_and_stars():
    assert price(Item(id="a", title="a", price=128.0, currency="CNY")) == "¥128"
    assert price(Item(id="a", title="a")) == ""
    item = Item(
        id="x",
        title="「茶」",
        images=("a b.png", "https://cdn.example/x.jpg", "http://plain.example/x.jpg", "//x", "data:x"),
    )
    assert pictures(item) == ["/media/a%20b.png", "https://cdn.example/x.jpg"]
    assert initial(item) == "茶"
    assert 0 <= hue(item) < 12
    assert [stars(rating) for rating in (-1, 2.6, 9)] == ["☆☆☆☆☆", "★★★☆☆", "★★★★★"]
    assert in_language("/search?q=a%26b&lang=en", "zh") == "/search?q=a%26b&lang=zh"


def test_categories_unfold_below_the_chosen_one():
    counts = {"Kitchen > Pans > Iron": 3, "Kitchen > Pans": 1, "Kitchen > Knives": 2, "Garden > Rakes": 4}
    assert [(c.value, c.count) for c in category_choices(counts, ())] == [("Kitchen", 6), ("Garden", 4)]
    below = category_choices(counts, ("Kitchen",))
    assert [(c.value, c.label, c.count, c.chosen) for c in below] == [
        ("Kitchen", "Kitchen", 6, True),
        ("Kitchen > Pans", "Pans", 4, False),
        ("Kitchen > Knives", "Knives", 2, False),
    ]


def test_chosen_brands_stand_first_even_when_nothing_is_left_of_them():
    assert [c.value for c in brand_choices({"a": 1, "b": 5, "": 9}, ("z",))] == ["z", "b", "a"]


def test_attributes_and_price_ranges_come_from_the_facets():
    facets = {"brand": {"x": 1}, "price": {"0-2.5": 2, "2.5-40": 1}, "colour": {"red": 3, "blue": 1}}
    choices = attribute_choices(facets, (("size", "L"),))
    assert [(c.value, c.count, c.chosen) for c in choices["size"]] == [("size:L", 0, True)]
    assert [(c.value, c.count, c.chosen) for c in choices["colour"]] == [
        ("colour:red", 3, False),
        ("colour:blue", 1, False),
    ]
    assert choices.keys() == {"size", "colour"}
    assert price_ranges(facets["price"]) == [("0", "2.5", 2), ("2.5", "40", 1)]


@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(1, 300))
def test_page_numbers(total: int, size: int, page: int):
    count, offered = pages(total, size, page)
    numbers = [number for number in offered if number is not None]
    assert (count - 1) * size < max(total, 1) <= count * size or total == 0
    assert numbers[0] == 1
    assert numbers[-1] == count
    assert numbers == sorted(set(numbers))
    assert page > count or page in numbers


@given(
    st.builds(
        Listing,
        query=st.text("ab c锅&=?#+%", max_size=20).map(str.strip),
        categories=st.lists(st.sampled_from(["A", "A > B", "茶 > 壶", "x&y=z"]), unique=True).map(tuple),
        brands=st.lists(st.sampled_from(["B&Q", "绿野", "a b"]), unique=True).map(tuple),
        low=st.none() | st.integers(0, 99_999).map(float),
        high=st.just(None),
        attributes=st.lists(st.sampled_from([("colour", "red"), ("尺寸", "a:b"), ("a b", "x&y")]), unique=True).map(
            tuple
        ),
        ignore=st.lists(st.sampled_from(["price", "brand:B&Q", "not:皮"]), unique=True).map(tuple),
        sort=st.sampled_from(["relevance", "newest", "rating"]),
        page=st.integers(1, 50),
    )
)
def test_an_address_reads_back_as_the_form_that_wrote_it(form: Listing):
    assert Listing.read(QueryParams(form.href(page=form.page).partition("?")[2])) == form


def test_old_steps_do_not_crowd_out_new_ones():
    log = [event(EventKind.VIEW, f"i{n}") for n in range(50)]
    assert [name for _, name in fold(log).steps[:2]] == ["i49", "i48"]
    assert fold([]).steps == ()


def test_bars_of_prices():
    bars = price_bars([(0, 10, 1), (10, 20, 0), (20, 30, 200)], low=10, high=25)
    assert [(bar.low, bar.high, bar.count, bar.height, bar.inside) for bar in bars] == [
        ("0", "10", 1, 4.0, False),
        ("10", "20", 0, 0.0, True),
        ("20", "30", 200, 100.0, True),
    ]
    assert price_bars([]) == price_bars([(5, 5, 3)]) == price_bars([(0, 1, 0), (1, 2, 0)]) == []


@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=8))
def test_pieces_lose_nothing_and_mark_the_ranges(text: str, places: list[int]):
    ends = sorted({min(place, len(text)) for place in places})
    ranges = list(zip(ends[::2], ends[1::2], strict=False))
    cut = pieces(text, ranges)
    assert "".join(piece for piece, _ in cut) == text
    assert [piece for piece, marked in cut if marked] == [text[start:end] for start, end in ranges]
