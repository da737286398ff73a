"""All recipes in a row on the toy shop, with the encoder that needs no training, and what they gained."""

import pytest
from toyshop import toy_store

from shopkeeper.errors import InputError
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.comparison import compare
from shopkeeper.recipes.curriculum import HELD_OUT, TASKS, TEXTS, held_out_from, train
from shopkeeper.recipes.search.fusion import SHARES
from shopkeeper.recipes.texts.passages import SENTIMENT
from shopkeeper.settings import load
from shopkeeper.store.database import open_store


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = load(home, environ={}, overrides={"models.encoder": "use-multilingual"})
    store = toy_store(home)
    registry = Registry(settings.bundles)
    outcomes = {outcome.task: outcome for outcome in train(store, settings, registry)}
    yield store, settings, registry, outcomes
    store.close()


def test_what_cannot_be_learnt_is_skipped_with_a_reason_and_the_rest_goes_live(taught):
    _, _, registry, outcomes = taught
    assert list(outcomes) == [*TASKS, *TEXTS]
    for task in ("relevance", "purchase", SENTIMENT):
        assert "cannot be fine-tuned" in outcomes[task].skipped
        assert registry.live(task) is None
    for task in ("search", "recommend"):
        assert outcomes[task].version == registry.live_version(task) == "v1"
        assert outcomes[task].before
        assert outcomes[task].after


def test_the_share_of_the_words_is_one_that_was_tried(taught):
    _, _, registry, outcomes = taught
    bundle = registry.live("search")
    assert bundle is not None
    assert bundle.parameters["words"] in SHARES
    assert 0 <= outcomes["search"].after["fused"]["ndcg@10"]["value"] <= 1


def test_the_last_tenth_of_the_events_is_held_out(taught):
    store, *_ = taught
    moment = held_out_from(store)
    times = store.events.frame()["time"]
    assert abs((times >= moment).sum() / len(times) - HELD_OUT) < 0.02


def test_the_two_tastes_are_learnt_and_the_gain_over_popularity_is_clear(taught):
    store, settings, registry, _ = taught
    rows = {(row.task, row.system, row.metric): row for row in compare(store, settings, registry)}
    blend = rows["recommend", "after training: blend", "recall@10"]
    assert blend.low <= blend.value <= blend.high
    assert blend.gain_low > 0
    assert rows["recommend", "popularity", "recall@10"].gain == 0


def test_an_empty_shop_learns_nothing_and_says_what_is_missing(tmp_path):
    settings = load(tmp_path, environ={}, overrides={"models.encoder": "use-multilingual"})
    store = open_store(settings.store_url)
    outcomes = list(train(store, settings, Registry(settings.bundles)))
    assert all(outcome.skipped and not outcome.version for outcome in outcomes)
    assert "shopkeeper import products" in next(o for o in outcomes if o.task == "search").skipped
    assert held_out_from(store) is None
    assert compare(store, settings, Registry(settings.bundles)) == []
    store.close()


def test_an_unknown_recipe_is_an_error_that_lists_the_known_ones(taught):
    store, settings, registry, _ = taught
    with pytest.raises(InputError, match="reviewer, relevance, pictures, search, recommend, purchase"):
        list(train(store, settings, registry, ["cooking"]))
