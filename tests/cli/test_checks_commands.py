"""`shopkeeper guard catalogue|visitors|reviews`: checks of the whole shop, as people and programs call them."""

import json
from datetime import timedelta

import numpy as np
import pytest
from test_commands import run  # noqa: F401 - a fixture
from toyshop import toy_events, toy_items

from shopkeeper import settings as settings_module
from shopkeeper.records import Event, EventKind, Passage, PassageKind, now
from shopkeeper.store.database import open_store

PRAISE = "Best thing I ever bought, everybody in the family is delighted with it, five stars"


@pytest.fixture
def watched(run, tmp_path):  # noqa: F811
    """The toy shop, a robot that walks every shelf by the clock, and a crew of twelve that praises three items."""
    run("init")
    given = settings_module.load(tmp_path / "shop", environ={}, overrides={})
    rng = np.random.default_rng(4)
    start = now() - timedelta(days=10)
    items = toy_items()
    with open_store(given.store_url) as store:
        store.catalogue.put(items)
        store.events.append(toy_events())
        store.events.append(
            Event(id=f"w{n}", time=start + timedelta(seconds=2 * n), kind=EventKind.VIEW, session="walker", item=items[n % 40].id)
            for n in range(400)
        )  # fmt: skip
        honest = [(n, item) for n in range(80) for item in rng.choice(30, 6, replace=False).tolist()]
        store.events.append(
            Event(id=f"b{n}-{item}", time=start - timedelta(days=320), kind=EventKind.PURCHASE, customer=f"c{n}", item=items[item].id, value=9.0)
            for n, item in honest
        )  # fmt: skip
        written = [
            (f"c{n}", item, float(np.clip(np.rint((1.8 if item < 3 else 3.6) + rng.normal()), 1, 5)), float(rng.random() * 300),
             f"Used it for {rng.integers(2, 99)} days {rng.bytes(20).hex()}")
            for n, item in honest
        ]  # fmt: skip
        written += [(f"crew{n}", item, 5.0, 150 + float(rng.random()), PRAISE) for n in range(12) for item in range(3)]
        store.words.put(
            Passage(
                id=f"r{n}", kind=PassageKind.REVIEW, customer=who, item=items[item].id, rating=stars, text=text,
                time=start - timedelta(days=300 - day),
            )
            for n, (who, item, stars, day, text) in enumerate(written)
        )  # fmt: skip
    return run


def test_the_catalogue_is_looked_through_and_asked_about(watched):
    code, out, err = watched("--set", "models.encoder=use-multilingual", "guard", "catalogue", "--json")
    assert code == 0, err
    doubts = json.loads(out)
    assert all(doubt["text"]["zh"] and 0 <= doubt["score"] <= 1 for doubt in doubts)


def test_a_robot_is_found_and_asked_about(watched):
    code, out, err = watched("guard", "visitors", "--days", "30", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert "session:walker" in {one["visitor"] for one in found["suspects"]}
    assert "session:walker" in found["flagged"]
    assert found["refunds"] == []
    assert watched("review", "decide", "visitor", "session:walker=robot")[0] == 0


def test_reviews_need_a_model_first_and_then_suspect_nobody_honest(watched):
    code, _, err = watched("guard", "reviews")
    assert code == 1
    assert "shopkeeper train reviewer" in err
    code, _, err = watched("train", "reviewer")
    assert code == 0, err
    code, out, err = watched("guard", "reviews", "--ask", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert {one["customer"] for one in found["suspects"]} <= {f"crew{n}" for n in range(12)}
    assert found["asked"] >= len(found["suspects"])
