from __future__ import annotations

import numpy as np
import pytest

from shopkeeper.practice import Practice, build
from shopkeeper.practice.behaviour import examination
from shopkeeper.practice.shopfront import BLOCK, POLICY, POOL, propensities, show
from shopkeeper.records import EventKind


@pytest.mark.parametrize("places", [4, 8, 12])
def test_every_place_is_filled_with_probability_one(places: int) -> None:
    np.testing.assert_allclose(propensities(places).sum(axis=0), 1.0)


def test_stated_propensities_match_how_often_items_are_shown() -> None:
    rng = np.random.default_rng(2)
    ranked = np.arange(24)
    counts = np.zeros((24, 12))
    rounds = 20_000
    for _ in range(rounds):
        page = show(ranked, 12, rng)
        assert len(set(page.rows.tolist())) == 12
        counts[page.rows, np.arange(12)] += 1
        np.testing.assert_array_equal(page.propensities, propensities(12)[page.rows, np.arange(12)])
    np.testing.assert_allclose(counts / rounds, propensities(12), atol=0.012)


def test_logged_propensities_weigh_back_to_the_size_of_the_choice(small: Practice) -> None:
    """E[1/p] of what is shown equals how many items could have been shown at that place."""
    pages = [e.impression for e in small.events if e.impression is not None and e.impression.surface != "product"]
    assert {page.model for page in pages} == {POLICY}
    inverse = 1.0 / np.array([page.propensities for page in pages])
    for place in range(12):
        first = place // BLOCK * POOL
        choices = POOL + (not first <= place < first + POOL)
        standard_error = inverse[:, place].std() / np.sqrt(len(inverse))
        assert abs(inverse[:, place].mean() - choices) < 5 * standard_error


@pytest.mark.slow
def test_position_bias_can_be_recovered_from_the_randomised_pages() -> None:
    """Within a block items are exchangeable on shuffled pages, so click rates differ by examination alone."""
    practice = build(4, products=400, customers=900, days=60)
    clicked = {(e.request, e.item) for e in practice.events if e.kind is EventKind.CLICK}
    shows, clicks = np.zeros(12), np.zeros(12)
    for event in practice.events:
        page = event.impression
        if page is None or page.surface == "product":
            continue
        for item, place, propensity in zip(page.items, page.positions, page.propensities, strict=True):
            weight = 1.0 / propensity
            shows[place - 1] += weight
            clicks[place - 1] += weight * ((event.request, item) in clicked)
    rate = clicks / shows
    for first in (0, 4):
        within = slice(first, first + 4)
        expected = examination(np.arange(1, 13))[within]
        measured = rate[within] / rate[within].mean()
        assert np.corrcoef(measured, expected)[0, 1] > 0.5
    assert rate[0] > 1.4 * rate[3]
