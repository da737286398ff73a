"""What is exported comes back equal, in every format; what is imported again changes nothing."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Event, EventKind, Impression, Item, Judgement, Passage, PassageKind
from shopkeeper.store import feeds
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds.values import line, paragraph

TABLES = ["csv", "tsv", "jsonl", "parquet"]
NOON = datetime(2024, 5, 6, 12, 0, 0, 123456, tzinfo=UTC)

ITEMS = [
    Item(id="1", title="Cup", price=5.0, currency="EUR"),
    Item(
        id="商品-2",
        title="青花瓷茶杯 & \"saucer\", 'fine'",
        description="Line one\nline two; a < b > c\n\n- list",
        brand="=Brand",
        category=("Home & Kitchen", "Tea/Coffee", "Cups > 5 cl"),
        price=1.299,
        currency="EUR",
        availability=Availability.PREORDER,
        attributes={"colour": "blue", "尺寸": "+5 cm", "weight, kg": "0.5"},
        codes=("SKU-1", "4006381333931", "MPN 5"),
        group="cups",
        images=("https://e.com/a.jpg?x=1&y=2", "b c.png"),
        videos=("v.mp4", "w,x.mp4"),
        link="https://e.com/p?a=1&b=2",
        language="zh",
        hidden=True,
        created=NOON,
        updated=NOON,
    ),
    Item(
        id="-3",
        title="@home",
        category=("A", "B"),
        availability=Availability.OUT_OF_STOCK,
        codes=("4006381333931", "M1"),
    ),
    Item(id="4", title="Free", price=0.0, category=("[x]",), availability=Availability.BACKORDER, images=("a.jpg",)),
]
EVENTS = [
    Event(id="e1", time=NOON, kind=EventKind.VIEW, customer="u1", session="s1", item="1"),
    Event(id="e2", time=NOON, kind=EventKind.SEARCH, query='=cup, "blue"', session="s1", request="r"),
    Event(
        id="-e3",
        time=NOON,
        kind=EventKind.PURCHASE,
        item="商品-2",
        value=12.5,
        quantity=3,
        properties={"n": 5, "ok": True, "x": 0.5, "t": "-y"},
    ),
    Event(
        id="e4",
        time=NOON,
        kind=EventKind.IMPRESSION,
        impression=Impression(
            items=("1", "-3"), positions=(1, 4), propensities=(0.5, 0.25), model="m@1", surface="home"
        ),
    ),
]
REVIEWS = [
    Passage(
        id="r1",
        kind=PassageKind.REVIEW,
        text="-- fine\nreally",
        item="1",
        customer="u1",
        rating=4.5,
        time=NOON,
        title="+1",
        language="en",
    ),
    Passage(id="r2", kind=PassageKind.REVIEW, text="很好", author="张三", thread="t"),
]
JUDGEMENTS = [
    Judgement(query="=cup", item="1", grade=3.0),
    Judgement(query="茶杯, blue", item="-3", grade=0.5, rater="anna"),
]


def fill(store):
    store.catalogue.put(ITEMS)
    store.events.append(EVENTS)
    store.words.put([*REVIEWS, Passage(id="faq", kind=PassageKind.FAQ, text="Opening hours")])
    store.labels.put(JUDGEMENTS)


@pytest.mark.parametrize("kind", ["products", "events", "reviews", "judgements"])
@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_brings_back_what_was_exported(bench, kind, form, packed):
    if packed and form == "parquet":
        pytest.skip("Parquet is packed already")
    fill(bench.store)
    path = bench.folder / (f"out.{form}.gz" if packed else f"out.{form}")
    count = getattr(feeds, f"export_{kind}")(bench.store, path, form)
    assert count == {"products": 4, "events": 4, "reviews": 2, "judgements": 2}[kind]
    same = bench.take(kind, path.name)
    assert (same.unchanged, same.added, same.updated, same.rejected) == (count, 0, 0, 0), bench.refused()
    with open_store(f"sqlite:///{bench.folder / 'other.db'}") as other:
        other.catalogue.put(ITEMS if kind != "products" else [])
        bench.store = other
        assert bench.take(kind, path.name).added == count
        found = {
            "products": lambda: list(other.catalogue.scan()),
            "events": lambda: [event for _, event in other.events.scan()],
            "reviews": lambda: list(other.words.scan()),
            "judgements": lambda: list(other.labels.scan()),
        }[kind]()
    expected = {"products": ITEMS, "events": EVENTS, "reviews": REVIEWS, "judgements": JUDGEMENTS}[kind]
    key = (lambda record: record.query) if kind == "judgements" else (lambda record: record.id)
    assert sorted(found, key=key) == sorted(expected, key=key)


def test_merchant_feeds_bring_back_what_was_exported(bench):
    bench.store.catalogue.put(ITEMS)
    path = bench.folder / "feed.xml"
    assert feeds.export_products(bench.store, path, "xml") == 4
    report = bench.take("products", "feed.xml")
    assert (report.unchanged, report.rejected, report.complete) == (4, 0, True)
    before = {item.id: item for item in ITEMS}
    assert bench.items == before


words = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
titles = words.map(line).filter(bool)
tokens = st.text(alphabet=st.sampled_from("aZ09-_.=+@'中é"), min_size=1, max_size=8)
items = st.builds(
    Item,
    id=tokens,
    title=titles,
    description=words.map(paragraph),
    brand=words.map(line),
    category=st.lists(titles, max_size=3).map(tuple),
    price=st.none() | st.floats(0, 1e11),
    currency=st.sampled_from(["", "USD", "EUR"]),
    availability=st.sampled_from(Availability),
    attributes=st.dictionaries(titles, words.map(paragraph).filter(bool), max_size=3),
    codes=st.lists(tokens, max_size=3, unique=True).map(tuple),
    images=st.lists(tokens, max_size=2, unique=True).map(tuple),
    hidden=st.booleans(),
    language=st.sampled_from(["", "zh", "en"]),
    created=st.none() | st.datetimes(datetime(1900, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(items, min_size=1, max_size=4, unique_by=lambda item: item.id), st.sampled_from([*TABLES, "xml"]))
def test_any_catalogue_survives_a_round_trip(catalogue, form):
    with tempfile.TemporaryDirectory() as folder:
        path, rejects = Path(folder) / f"out.{form}", Path(folder) / "rejects.jsonl"
        with open_store(f"sqlite:///{folder}/a.db") as store:
            store.catalogue.put(catalogue)
            feeds.export_products(store, path, form)
            report = feeds.import_products(path, store, rejects=rejects)
            assert report.rejected == 0, rejects.read_text()
            found = {item.id: item for item in store.catalogue.scan()}
            assert found == {item.id: item for item in catalogue}


def test_hashed_ids_are_stable_and_tell_repeated_rows_apart(bench):
    table = "time,user,item,kind\n2024-01-01,u,1,view\n2024-01-01,u,1,view\n2024-01-02,u,1,view\n"
    assert bench.take("events", "e.csv", table, allow_unknown_items=True).added == 3
    assert bench.take("events", "e.csv", table, allow_unknown_items=True).unchanged == 3
    longer = table + "2024-01-01,u,1,view\n"
    report = bench.take("events", "e.csv", longer, allow_unknown_items=True)
    assert (report.added, report.unchanged) == (1, 3)
    lines = "".join(
        f'{{"time":"{day}","user":"u","item":"1","kind":"view"}}\n'
        for day in ("2024-01-01", "2024-01-01", "2024-01-02")
    )
    assert bench.take("events", "e.jsonl", lines, allow_unknown_items=True).unchanged == 3


def test_updates_and_deletions(bench):
    bench.take("products", "a.csv", "id,title,price\n1,Cup,5\n2,Pot,7\n3,Pan,9\n4,Lid,1\n")
    report = bench.take(
        "products", "a.csv", "id,title,price,status\n1,Cup,6,active\n2,,,deleted\n3,Pan,9,archived\n4,Lid,1,active\n"
    )
    assert (report.updated, report.removed, report.unchanged) == (2, 1, 1)
    assert bench.items["1"].price == 6.0
    assert bench.items["3"].hidden
    assert list(bench.items) == ["1", "3", "4"]
    report = bench.take("products", "a.csv", "id,title,price,deleted\n1,Cup,6,no\n3,Pan,9,yes\n", remove_missing=True)
    assert report.removed == 2
    assert list(bench.items) == ["1"]
    again = bench.take("products", "a.csv")
    assert (again.unchanged, again.updated, again.added) == (2, 0, 0)


def test_exports_refuse_unknown_formats_and_unwritable_places(bench):
    with pytest.raises(InputError, match="format"):
        feeds.export_events(bench.store, bench.folder / "a.xml", "xml")
    (bench.folder / "file").write_text("")
    for form in ("csv", "parquet"):
        with pytest.raises(InputError, match="written"):
            feeds.export_products(bench.store, bench.folder / "file" / "a", form)
