"""Learning who is persuaded and choosing whom to treat, on the command line."""

import json
from datetime import timedelta
from importlib import import_module

import numpy as np
import polars as pl
import pytest
from test_commands import run  # noqa: F401 - a fixture

from shopkeeper import settings as settings_module
from shopkeeper.records import Answer, Customer, Event, EventKind, Impression, Item, Request, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.advertising import Campaign
from shopkeeper.store.database import open_store
from shopkeeper.store.merchandising import When
from shopkeeper.tasks.advertise.targeting import Adbook

import_module("shopkeeper.cli.uplift")


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    n = 1200
    frame = pl.DataFrame({"id": [f"c{number}" for number in range(n)], "age": rng.integers(18, 80, n)})
    treated = rng.random(n) < 0.5
    bought = rng.random(n) < 0.1 + 0.5 * treated * (frame["age"] < 40).to_numpy()
    whole = frame.with_columns(pl.Series("coupon", treated.astype(int)), pl.Series("visit", bought.astype(int)))
    whole.write_csv(tmp_path / "trial.csv")
    frame.write_parquet(tmp_path / "customers.parquet")
    return tmp_path


def test_train_and_choose(run, files):  # noqa: F811
    trial, people, out = str(files / "trial.csv"), str(files / "customers.parquet"), files / "out.csv"
    code, _, err = run("uplift", "who", people)
    assert code == 1
    assert "uplift train" in err
    code, said, _ = run("uplift", "train", trial, "--treated", "coupon", "--outcome", "visit", "--json")
    report = json.loads(said)
    assert code == 0
    assert report["model"] == "uplift-v1"
    assert report["left_out"] == ["id"]
    assert report["after"]["cross-fitted"]["qini"] > 0.2
    code, said, _ = run("uplift", "who", people, "--share", "0.2", "--out", str(out), "--json")
    found = json.loads(said)
    table = pl.read_csv(out)
    assert (code, found["customers"], found["treat"]) == (0, 1200, 240)
    assert table.columns == ["id", "age", "gain", "treat"]
    assert table.filter(pl.col("treat"))["age"].max() < 45
    assert found["expected_gain"] == pytest.approx(table.filter(pl.col("treat"))["gain"].sum())
    code, said, _ = run("uplift", "who", people, "--cost", "1", "--benefit", "4", "--out", str(out))
    assert code == 0
    assert "are to be treated" in said
    assert 0 < pl.read_csv(out)["treat"].sum() < 600


def test_who_is_chosen_is_marked_for_campaigns(run, tmp_path):  # noqa: F811
    rng = np.random.default_rng(1)
    start = now() - timedelta(days=60)
    events = []
    for number in range(500):
        who, eager = f"c{number}", number % 2 == 0
        if eager:
            events += [
                Event(
                    id=f"v{number}-{n}", time=start - timedelta(hours=n), kind=EventKind.VIEW, customer=who, item="mug"
                )
                for n in range(1, 4)
            ]
        arm = "treated" if rng.random() < 0.5 else "control"
        told = {"campaign": "spring", "arm": arm}
        shown = Impression(items=("mug",), positions=(1,), propensities=(1.0,))
        kind = EventKind.IMPRESSION
        events.append(Event(id=f"i{number}", time=start, kind=kind, customer=who, impression=shown, properties=told))
        if rng.random() < 0.05 + 0.7 * (arm == "treated" and eager):
            later = start + timedelta(days=1)
            events.append(
                Event(id=f"p{number}", time=later, kind=EventKind.PURCHASE, customer=who, item="mug", value=5)
            )
    assert run("init")[0] == 0
    settings = settings_module.load(tmp_path / "shop", environ={})
    with open_store(settings.store_url) as store:
        store.catalogue.put([Item(id="mug", title="Mug", price=5.0, currency="EUR")])
        store.customers.put([Customer(id="c0", attributes={"tier": "gold"})])
        store.events.append(events)
    code, _, err = run("uplift", "train", "--campaign", "spring")
    assert code == 0, err
    out = str(tmp_path / "who.csv")
    assert run("uplift", "who", "--share", "0.5", "--mark", "spring", "--out", out)[0] == 0
    with open_store(settings.store_url) as store:
        marked = {one.id: one.attributes for one in store.customers.scan()}
        assert marked["c0"] == {"tier": "gold", "spring": "treat"}
        treated = [who for who, attributes in marked.items() if attributes["spring"] == "treat"]
        assert len(treated) == 250
        assert sum(int(who[1:]) % 2 == 0 for who in treated) > 225
        campaign = Campaign(
            id="c", name="c", advertiser="a", items=("mug",), bid=1.0, currency="EUR",
            when=When(segments={"spring": ("treat",)}),
        )  # fmt: skip
        book, shelf = Adbook([campaign]), Shelf(store.catalogue.scan())
        for who, attributes in marked.items():
            asked = Request(customer=who)
            organic = Answer(request=asked, hits=(), total=0)
            running = book.running(asked, organic, store.customers.get([who])[who], shelf)
            assert bool(running) == (attributes["spring"] == "treat")
    assert run("uplift", "who", out, "--mark", "spring")[0] == 2


def test_wrong_words(run, files):  # noqa: F811
    trial = str(files / "trial.csv")
    assert run("uplift", "train")[0] == 2
    assert run("uplift", "train", trial, "--campaign", "spring")[0] == 2
    code, _, err = run("uplift", "train", trial, "--treated", "coupons", "--outcome", "visit")
    assert code == 1
    assert "'coupons'" in err
    code, _, err = run("uplift", "train", trial, "--treated", "coupon", "--outcome", "id")
    assert code == 1
    assert "not a number" in err
    code, _, err = run("uplift", "train", str(files / "none.csv"))
    assert code == 1
    assert "no such file" in err
    code, _, err = run("init")
    code, _, err = run("uplift", "train", "--campaign", "spring")
    assert code == 1
    assert "'spring'" in err
