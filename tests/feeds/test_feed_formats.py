"""The formats of other people's systems, each read from a small file of its kind with known answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopkeeper import progress
from shopkeeper.errors import InputError
from shopkeeper.records import Availability, EventKind
from shopkeeper.store.feeds import guess_mapping, load_mapping, parse_mapping

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_merchant_rss(bench):
    report = bench.take("products", "feed.xml", (EXAMPLES / "merchant.xml").read_bytes())
    assert (report.added, report.rejected, report.format) == (3, 0, "xml")
    rake = bench.items["TOOL-1"]
    assert rake.title == "Steel rake & handle"
    assert rake.description == "Sturdy.\nFor leaves."
    assert rake.category == ("Garden", "Tools", "Rakes")
    assert (rake.price, rake.currency) == (17.5, "EUR")
    assert rake.codes == ("4006381333931", "RK-1")
    assert rake.images == ("https://shop.example/rake.jpg", "https://shop.example/rake-2.jpg")
    assert rake.attributes == {"color": "green", "Length": "150 cm"}
    assert rake.group == "RAKES"
    assert bench.items["TOOL-2"].availability is Availability.OUT_OF_STOCK
    assert bench.items["杯-3"].language == "zh"


def test_merchant_atom_and_tsv(bench):
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>'
        '<entry><g:id>1</g:id><title>Cup</title><link href="https://e.com/1"/><g:price>5 USD</g:price></entry></feed>'
    )
    bench.take("products", "a.atom", atom)
    assert (bench.items["1"].link, bench.items["1"].price) == ("https://e.com/1", 5.0)
    tsv = 'id\ttitle\tprice\tavailability\tadditional image link\tproduct type\n2\tPot "large"\t7.00 USD\tpreorder\thttps://e.com/a.jpg,https://e.com/b.jpg\tA > B\n'
    bench.take("products", "a.txt", tsv)
    assert bench.items["2"].title == 'Pot "large"'
    assert len(bench.items["2"].images) == 2
    assert bench.items["2"].availability is Availability.PREORDER


def test_shopify_variants_become_items_of_one_group(bench):
    report = bench.take("products", "shopify.csv", (EXAMPLES / "shopify.csv").read_bytes())
    assert (report.format, report.added, report.rejected) == ("shopify (csv)", 4, 0)
    red = bench.items["SHIRT-RED"]
    assert red.title == "Linen shirt - Red / M"
    assert red.description == "Airy and light"
    assert (red.group, red.brand, red.price) == ("linen-shirt", "Leinen & Co", 39.9)
    assert red.category == ("Apparel", "Shirts")
    assert red.attributes == {"Colour": "Red", "Size": "M", "Type": "Shirt", "Tags": "summer, linen"}
    assert red.codes == ("SHIRT-RED", "4006381333931")
    assert red.images == ("https://cdn.example/red.jpg", "https://cdn.example/1.jpg", "https://cdn.example/2.jpg")
    assert bench.items["SHIRT-BLUE"].availability is Availability.OUT_OF_STOCK
    assert bench.items["linen-shirt/Green/L"].availability is Availability.BACKORDER
    mug = bench.items["MUG-1"]
    assert (mug.group, mug.title, mug.hidden) == ("", "Mug", True)


def catalogue(bench, *ids):
    bench.take("products", "ids.csv", "id,title\n" + "".join(f"{item},Thing\n" for item in ids))


def test_ga4_export(bench):
    catalogue(bench, "P1", "P2")
    report = bench.take("events", "ga4.jsonl", (EXAMPLES / "ga4.jsonl").read_bytes())
    assert report.format == "ga4 (jsonl)"
    assert dict(report.skipped) == {"not a shop event: page_view": 1}
    assert bench.refused() == [(8, "impression", "unknown item")]
    assert report.rows == 8
    by_kind = {event.kind: event for event in bench.events}
    view = by_kind[EventKind.VIEW]
    assert view.time == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert (view.customer, view.session, view.item) == ("u1", "pseudo.1.77", "P1")
    assert by_kind[EventKind.SEARCH].query == "red cup"
    assert by_kind[EventKind.CART].quantity == 2
    assert [(e.item, e.value, e.quantity) for e in bench.events if e.kind is EventKind.PURCHASE] == [
        ("P1", 10.0, 2),
        ("P2", 7.5, 1),
    ]
    assert by_kind[EventKind.PURCHASE].properties["order"] == "T-1"
    assert by_kind[EventKind.RETURN].value == 7.5
    shown = by_kind[EventKind.IMPRESSION].impression
    assert (shown.items, shown.positions, shown.surface) == (("P1", "P2"), (1, 3), "Home")
    again = bench.take("events", "ga4.jsonl")
    assert (again.added, again.unchanged) == (0, report.added)


def test_segment_calls(bench):
    catalogue(bench, "P1", "P2")
    report = bench.take("events", "segment.jsonl", (EXAMPLES / "segment.jsonl").read_bytes())
    assert report.format == "segment (jsonl)"
    assert (report.rejected, sum(report.skipped.values())) == (0, 1)
    events = {event.id: event for event in bench.events}
    assert events["m1"].kind is EventKind.VIEW
    assert (events["m1"].customer, events["m1"].item) == ("anon-1", "P1")
    assert events["m2"].query == "cup"
    assert events["m3"].impression.items == ("P1", "P2")
    assert (events["m4:0"].value, events["m4:1"].item) == (10.0, "P2")
    assert (events["m5"].kind, events["m5"].value) == (EventKind.REVIEW, 4.0)
    assert events["m6"].kind is EventKind.UNCART
    assert events["m7"].kind is EventKind.RETURN


@pytest.mark.parametrize("name", ["ga4", "segment"])
def test_malformed_events_are_refused_not_fatal(bench, name):
    content = (EXAMPLES / f"{name}.jsonl").read_text(encoding="utf-8")
    first = json.loads(content.splitlines()[0])
    broken = [dict(first, items="x", event_params=7), dict(first, properties="x", event="Order Completed")]
    bench.take(
        "events", "e.jsonl", content + "".join(json.dumps(row) + "\n" for row in broken), allow_unknown_items=True
    )
    assert "malformed event" in {reason for *_, reason in bench.refused()}


def test_chinese_behaviour_table(bench):
    catalogue(bench, "1")
    bench.take(
        "events", "e.csv", "用户ID,商品ID,行为,时间,渠道\nu1,1,加购,2024/1/2 3:04:05,app\nu1,1,购买,1704164645,app\n"
    )
    cart, bought = bench.events
    assert (cart.kind, cart.time, cart.properties) == (
        EventKind.CART,
        datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        {"渠道": "app"},
    )
    assert bought.kind is EventKind.PURCHASE


def test_prices_times_quantity_make_the_value_of_a_purchase(bench):
    bench.take(
        "events",
        "e.csv",
        "time,user,item,kind,price,quantity\n2024-01-01,u,1,buy,2.5,4\n2024-01-01,u,1,view,2.5,4\n",
        allow_unknown_items=True,
    )
    assert [event.value for event in bench.events] == [10.0, None]


def test_semicolons_and_columns_of_category_levels(bench):
    report = bench.take(
        "products",
        "a.csv",
        "sku;Name;Preis;一级类目;二级类目;Qty\nA1;Cup;1,5;家居;茶具;0\n",
        mapping={"price": "Preis"},
    )
    item = bench.items["A1"]
    assert (item.price, item.category, item.availability) == (1.5, ("家居", "茶具"), Availability.OUT_OF_STOCK)
    assert report.unmapped == ()


def test_guesses_are_what_a_reader_would_guess():
    guess = guess_mapping(
        ["Product ID", "product_name", "Price", "g:brand", "image", "extra_image", "colour", "类目", "EAN", "SKU"],
        "products",
    )
    assert {name: list(columns) for name, columns in guess.columns.items()} == {
        "id": ["Product ID"], "title": ["product_name"], "price": ["Price"], "brand": ["g:brand"],
        "category": ["类目"], "codes": ["SKU", "EAN"], "images": ["image"],
    }  # fmt: skip
    assert guess.unmapped(["Product ID", "colour", "extra_image"]) == ("colour", "extra_image")
    assert guess_mapping(["商品ID", "用户ID", "时间", "行为"], "events").column("kind") == "行为"
    assert (
        guess_mapping(["asin", "reviewText", "overall", "unixReviewTime", "reviewerID"], "reviews").column("rating")
        == "overall"
    )
    assert guess_mapping(["query", "product_id", "esci_label"], "judgements").column("item") == "product_id"


def test_mapping_files(bench):
    toml = bench.file(
        "m.toml",
        'id = "nr"\ntitle = "bezeichnung"\ncodes = ["ean", "nr"]\nignore = ["intern"]\ndates = "dmy"\ncreated = "seit"\n[constants]\ncurrency = "EUR"\nlanguage = "de"\n',
    )
    report = bench.take(
        "products",
        "a.csv",
        "nr,bezeichnung,ean,intern,seit,price\n1,Tasse,4006381333931,x,03/04/2024,5\n",
        mapping=load_mapping(toml),
    )
    item = bench.items["1"]
    assert (item.currency, item.language, item.codes) == ("EUR", "de", ("4006381333931", "1"))
    assert item.created == datetime(2024, 4, 3, tzinfo=UTC)
    assert item.attributes == {}
    saved = bench.file("m.json", json.dumps(report.mapping.to_json()))
    assert parse_mapping(load_mapping(saved), "products") == report.mapping
    json.dumps(report.to_json())
    for name, content in (("bad.toml", "= 1"), ("bad.json", "[1]"), ("bad2.json", "{")):
        with pytest.raises(InputError):
            load_mapping(bench.file(name, content))


def test_progress_is_told_in_bytes_and_ends_full(bench):
    spans = []
    with progress.listening(lambda span: spans.append((span.name, span.done, span.total, span.unit, span.finished))):
        bench.take("products", "a.csv", "id,title\n" + "".join(f"{i},Cup {i}\n" for i in range(6_000)))
    name, done, total, unit, finished = spans[-1]
    assert (name, unit, finished) == ("import products", "bytes", True)
    assert done == total
    assert len(spans) >= 3


def test_reviews_in_the_usual_spellings(bench):
    catalogue(bench, "B1")
    line = {
        "reviewerID": "u",
        "asin": "B1",
        "reviewerName": "Jo",
        "reviewText": "Nice &amp; warm",
        "overall": 5.0,
        "summary": "Good",
        "unixReviewTime": 1400000000,
    }
    assert bench.take("reviews", "r.jsonl", json.dumps(line)).added == 1
    (review,) = bench.store.words.scan()
    assert (review.text, review.rating, review.item, review.author, review.language) == (
        "Nice & warm",
        5.0,
        "B1",
        "Jo",
        "en",
    )
    assert review.time == datetime(2014, 5, 13, 16, 53, 20, tzinfo=UTC)
