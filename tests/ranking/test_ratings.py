"""Ratings are read once each, from words and from events."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from shopkeeper.errors import InputError
from shopkeeper.ranking.raters.ratings import Ratings, read_ratings, share_by
from shopkeeper.records import Passage, PassageKind

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def review(number, customer, item, rating, text="Good enough for me", time=MAY):
    return Passage(
        id=str(number),
        kind=PassageKind.REVIEW,
        text=text,
        customer=customer,
        item=item,
        rating=rating,
        time=time,
    )


def frame(*rows):
    schema = {
        "kind": pl.String,
        "customer": pl.String,
        "item": pl.String,
        "value": pl.Float64,
        "time": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame([dict(zip(schema, row, strict=True)) for row in rows], schema=schema)


def test_a_review_counts_once_as_passage_or_as_event():
    events = frame(("review", "ann", "lamp", 5.0, MAY), ("review", "bob", "lamp", 2.0, MAY))
    ratings = read_ratings([review(1, "ann", "lamp", 5)], events)
    assert [ratings.raters[row] for row in ratings.rater] == ["ann", "bob"]
    assert ratings.rating.tolist() == [5.0, 2.0]
    assert list(ratings.texts) == ["Good enough for me", ""]


def test_bought_means_bought_before():
    events = frame(
        ("purchase", "ann", "lamp", 9.0, datetime(2026, 4, 1, tzinfo=UTC)),
        ("purchase", "bob", "lamp", 9.0, datetime(2026, 6, 1, tzinfo=UTC)),
    )
    reviews = [review(n, name, "lamp", 5) for n, name in enumerate(("ann", "bob", "eve"))]
    assert read_ratings(reviews, events).bought.tolist() == [1.0, 0.0, 0.0]


def test_without_purchases_nobody_knows_who_bought():
    assert np.isnan(read_ratings([review(1, "ann", "lamp", 5)], frame()).bought).all()


def test_what_lacks_stars_customer_or_item_is_left_out():
    reviews = [review(1, "", "lamp", 5), review(2, "ann", "", 5), review(3, "ann", "lamp", None)]
    assert len(read_ratings(reviews, frame())) == 0


def test_unequal_columns_and_unknown_stars_are_refused():
    with pytest.raises(InputError, match="columns"):
        Ratings.of(["ann"], ["lamp", "rug"], [1.0, 2.0])
    with pytest.raises(InputError, match="nan"):
        Ratings.of(["ann"], ["lamp"], [np.nan])


def test_take_keeps_raters_and_items():
    ratings = Ratings.of(["ann", "bob"], ["lamp", "rug"], [1, 5], texts=["a", "b"], also=["eve"])
    some = ratings.take(np.array([False, True]))
    assert some.raters == ["ann", "bob", "eve"]
    assert list(some.texts) == ["b"]
    assert some.raised.tolist() == [0, 1]


def test_mean_by_group_leaves_out_nan():
    found = share_by([1.0, np.nan, 3.0], np.array([0, 0, 2]), 3)
    assert found[0] == 1.0
    assert np.isnan(found[1])
    assert found[2] == 3.0
