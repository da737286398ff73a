"""A ranker learnt from judgements is in force once its bundle is live, and only then."""

import numpy as np
import pytest

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.recipes.search.finding import train_search
from shopkeeper.recipes.search.ranker import LEAST
from shopkeeper.records import Item, Judgement, Request
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import load
from shopkeeper.store.database import open_store
from shopkeeper.tasks.shop import Shop

THINGS = ("kettle", "rake", "lamp", "chair", "drum", "tent", "灯笼", "水壶", "剪刀", "帐篷")
KINDS = ("copper", "oak", "blue", "travel", "garden", "竹")


@pytest.fixture
def shop(tmp_path):
    """Six equally named items of every kind of thing, at prices in no order; the right one is the cheapest."""
    rng = np.random.default_rng(0)
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    items, judgements = [], []
    for thing in THINGS:
        for kind in KINDS:
            prices = rng.permutation(np.arange(1, 7) * 10.0).tolist()
            made = [
                Item(id=f"{kind}-{thing}-{n}", title=f"{kind} {thing}", price=price, currency="EUR")
                for n, price in enumerate(prices)
            ]
            items += made
            judgements += [
                Judgement(query=f"{kind} {thing}", item=item.id, grade=3.0 if item.price == 10 else 0.0)
                for item in made
            ]
    judgements += [Judgement(query=f"qzx{n} wvk", item=items[n].id, grade=0.0) for n in range(10)]
    store.catalogue.put(items)
    store.labels.put(judgements)
    opened = Shop(load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"}), store)
    yield opened
    opened.close()


def cheapest_first(shop: Shop) -> float:
    """Share of queries whose first hit is the right one."""
    queries = [f"{kind} {thing}" for thing in THINGS for kind in KINDS]
    assert len(queries) >= LEAST
    firsts = [shop.search(Request(query=query, limit=1)).hits[0].item for query in queries]
    return float(np.mean([shop.shelf.item(shop.shelf.row(item)).price == 10 for item in firsts]))


@pytest.mark.slow
def test_what_judgements_teach_decides_the_order_once_it_is_live(shop, tmp_path):
    floor = shop._floor
    bundle = train_search(
        shop.store,
        floor.encoders.query,
        Shelf(shop.store.catalogue.scan()),
        floor.encoders.passage.encode([item.text for item in shop.store.catalogue.scan()]),
        shop.settings,
        tmp_path / "learnt",
    )
    assert "not kept" not in bundle.card.notes
    assert bundle.card.after["ranker, all"]["ndcg@10"]["value"] > bundle.card.before["fused, all"]["ndcg@10"]["value"]
    assert cheapest_first(shop) < 0.5
    version = shop.registry.add(tmp_path / "learnt")
    shop.registry.promote("search", version)
    assert cheapest_first(shop) < 0.5
    shop.reload()
    assert cheapest_first(shop) > 0.9
    finder = shop._floor.search.finder
    assert finder.ranker is not None
    assert finder.confidence is not None
    assert shop.search(Request(query="copper kettle")).found
    again = Bundle.open(tmp_path / "learnt").arrays()
    assert {name: values.tobytes() for name, values in again.items()} == {
        name: values.tobytes() for name, values in bundle.arrays().items()
    }


def test_a_ranker_of_another_version_stops_the_shop_with_a_cure_and_the_old_one_goes_on(shop, tmp_path):
    old = {"words": 0.5, "boosts": {"text": 1.0}, "floor": -1.0, "features": ["cosine"]}
    save_bundle(tmp_path / "old", Card(task="search", name="old"), parameters=old)
    shop.registry.promote("search", shop.registry.add(tmp_path / "old"))
    with pytest.raises(ModelError) as error:
        shop.reload()
    assert "train search" in error.value.cure
    assert shop.search(Request(query="copper kettle")).hits
