"""Off-policy estimates on the command line."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from test_commands import run, shop  # noqa: F401 - fixtures

from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.store.database import open_store

SINCE = datetime(2026, 4, 1, tzinfo=UTC)
ITEMS = [f"{taste}-{number:02d}" for taste in ("garden", "kitchen") for number in range(18)]


def serve(tmp_path, propensity, pages=900):
    """Pages of one place, drawn evenly from all items, nearly all clicked."""
    rng = np.random.default_rng(5)
    events = []
    for number in range(pages):
        about = {"time": SINCE + timedelta(minutes=number), "session": f"s{number}", "request": f"r{number}"}
        item = ITEMS[int(rng.integers(len(ITEMS)))]
        shown = Impression(items=(item,), positions=(1,), propensities=(propensity,), surface="home:for_you")
        events.append(Event(id=f"i{number}", kind=EventKind.IMPRESSION, impression=shown, **about))
        if rng.random() < 0.9:
            events.append(Event(id=f"c{number}", kind=EventKind.CLICK, item=item, **about))
    with open_store(f"sqlite:///{tmp_path / 'shop' / 'shop.db'}") as store:
        store.events.append(events)


def test_what_another_recommender_would_earn(shop, tmp_path):  # noqa: F811
    serve(tmp_path, 1 / len(ITEMS))
    ask = ("policy", "--since", "2026-04-01", "--least", "5")
    code, out, _ = shop(*ask, "--language", "zh")
    assert code == 0
    assert "新策略预计每页" in out
    assert "snips" in out
    report = json.loads(shop(*ask, "--json")[1])
    assert (report["ok"], report["pages"], report["surface"]) == (True, 900, "home:for_you")
    assert report["seen_in_training"] is False
    assert report["estimates"].keys() == {"ips", "clipped", "snips", "direct", "dr", "switch"}
    assert report["earned"]["value"] == pytest.approx(0.9, abs=0.04)
    assert report["estimates"]["snips"]["value"] == pytest.approx(0.9, abs=0.2)
    assert "The new policy would earn" in report["text"]["en"]


def test_it_refuses_when_the_log_cannot_tell(shop, tmp_path):  # noqa: F811
    empty = json.loads(shop("policy", "--json")[1])
    assert (empty["ok"], empty["pages"], empty["estimates"]) == (False, 0, {})
    assert empty["text"].keys() == {"en", "zh"}
    serve(tmp_path, 1.0)
    code, out, _ = shop("policy", "--since", "2026-04-01T22:20:00+08:00", "--json")
    certain = json.loads(out)
    assert (code, certain["ok"], certain["pages"]) == (0, False, 40)


def test_wrong_words(shop):  # noqa: F811
    code, _, err = shop("policy", "--since", "yesterday")
    assert code == 1
    assert "2026-01-31" in err
    code, _, err = shop("policy", "--version", "v9")
    assert code == 1
    assert "no version 'v9'" in err
