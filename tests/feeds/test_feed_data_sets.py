"""The public data sets through the importer, as a new user would bring them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bench import data as sets
from shopkeeper.records import EventKind

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
pytestmark = pytest.mark.data


def need(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"the data set {name} is not in {DATA}")


def test_chorus_catalogue_and_judgements(bench):
    need("chorus_icecat")
    report = bench.take(
        "products", str(DATA.resolve() / "chorus_icecat" / "products.parquet"), mapping=sets.CHORUS_MAPPING
    )
    assert (report.rows, report.added, report.rejected) == (19_406, 19_406, 0)
    item = bench.store.catalogue.get(["3920564"])["3920564"]
    assert (item.price, item.currency, item.brand) == (49.95, "USD", "Xerox")
    assert item.codes == ("006R90321", "0095205603217")
    assert item.attributes["n_black_toner_page_yield"] == "23000"
    judged = bench.take(
        "judgements",
        str(DATA.resolve() / "chorus_icecat" / "judgements.parquet"),
        mapping={"grade": "rating", "rater": []},
    )
    assert (judged.added, judged.rejected) == (3_668, 0)
    again = bench.take(
        "judgements",
        str(DATA.resolve() / "chorus_icecat" / "judgements.parquet"),
        mapping={"grade": "rating", "rater": []},
    )
    assert again.unchanged == 3_668


def test_chorus_items_have_readable_attributes():
    need("chorus_icecat")
    items = sets.chorus_items(DATA)
    assert len(items) == 19_406
    attributes = next(item for item in items if item.id == "2101957").attributes
    assert attributes["product colour"] == "Silver"
    assert attributes["bluetooth"] == "yes"
    assert "dvi port" not in attributes
    assert len(sets.chorus_judgements(DATA)) == 3_668


@pytest.mark.slow
def test_beauty_as_feed_and_event_files(bench):
    need("amazon-2014-seqrec")
    files = sets.amazon_files(DATA, "beauty", bench.folder)
    products = bench.take("products", files.products.name)
    assert (products.added, products.rejected) == (12_101, 0)
    events = bench.take("events", files.events.name)
    assert (events.added, events.rejected) == (198_502, 0)
    frame = bench.store.events.frame([EventKind.PURCHASE])
    items, sequences = sets.amazon_frames(DATA, "beauty")
    asins = dict(items.select("item", "asin").iter_rows())
    for user, history in sequences.head(50).iter_rows():
        found = frame.filter(pl.col("customer") == sets.amazon_user(user))["item"].to_list()
        assert found == [asins[item] for item in history]
