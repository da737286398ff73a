"""Reading the toy shop's texts: every objective lowers the held-out loss or leaves the base as it was."""

import dataclasses

import pytest
import torch
from tokenizers import AddedToken
from toybackbone import toy_backbone
from toyshop import toy_store
from transformers import GPT2Config, GPT2Model

from shopkeeper.errors import TrainingError
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.curriculum import train
from shopkeeper.recipes.language.domain import DomainOptions, domain_base, train_domain
from shopkeeper.recipes.language.domain_texts import related, texts_of
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

FAST = DomainOptions(rate=3e-3, head_rate=1.0, embeddings=True, tokens=32)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("domain")
    store = toy_store(home)
    settings = Settings.model_validate(
        {"home": str(home), "compute": {"threads": 1}, "train": {"epochs": 8, "batch": 8, "minutes": 1}}
    )
    yield store, settings
    store.close()


def reader(*, mask=True):
    base = toy_backbone()
    if mask:
        base.tokenizer.add_special_tokens({"mask_token": AddedToken("[MASK]", special=True)})
        base.model.resize_token_embeddings(len(base.tokenizer), mean_resizing=False)
    return base


def speaker():
    base = toy_backbone()
    torch.manual_seed(0)
    size = len(base.tokenizer)
    config = GPT2Config(vocab_size=size, n_embd=32, n_layer=1, n_head=2, n_positions=128, initializer_range=0.1)
    return dataclasses.replace(base, name="toy-gpt", model=GPT2Model(config).eval(), pooling="last")


def test_texts_are_distinct_and_come_from_items_passages_and_queries(shop):
    store, _ = shop
    texts = texts_of(store, 1000)
    assert len(texts) == len(set(texts))
    assert "garden tools" in texts
    assert "Very good, works well." in texts
    assert any(text.startswith("Steel garden rake. Greenleaf") for text in texts)
    assert 0 < len(texts_of(store, 40)) < len(texts)


def test_pairs_join_what_belongs_together(shop):
    store, _ = shop
    found = related(store, 1000)
    firsts = {pair.first: pair for pair in found}
    assert "For the garden" in firsts["Steel garden rake"].second
    assert firsts["Returns"].second == "Return within 30 days."
    reviews = [pair for pair in found if pair.first == "Very good, works well."]
    assert reviews
    assert all(pair.key in store.catalogue.get([pair.key]) for pair in reviews)


@pytest.mark.parametrize(
    ("base", "objective"),
    [(reader, None), (speaker, None), (reader, "tsdae"), (reader, "simcse"), (reader, "pairs"), (speaker, "simcse")],
)
def test_held_out_texts_become_likelier_and_the_body_is_saved(shop, tmp_path, base, objective):
    store, settings = shop
    bundle = train_domain(store, settings, tmp_path / "out", base=base(), objective=objective, options=FAST)
    before, after = (side["held-out texts"] for side in (bundle.card.before, bundle.card.after))
    assert after["loss"]["value"] <= before["loss"]["value"]
    if objective in (None, "tsdae"):
        assert after["perplexity"]["value"] < 0.8 * before["perplexity"]["value"]
    assert bundle.card.task == "domain"
    assert ("on the shop's texts" in bundle.backbone().source) != ("unchanged" in bundle.card.notes)
    assert bundle.encoder().encode(["garden tools"]).shape == (1, 32)


def test_what_cannot_be_learnt_is_refused_with_a_way_out(shop, tmp_path):
    store, settings = shop
    with pytest.raises(TrainingError, match="Use mlm"):
        train_domain(store, settings, tmp_path / "a", base=reader(), objective="clm", options=FAST)
    with pytest.raises(TrainingError, match="Use clm"):
        train_domain(store, settings, tmp_path / "b", base=speaker(), objective="mlm", options=FAST)
    with pytest.raises(TrainingError, match="no mask token"):
        train_domain(store, settings, tmp_path / "c", base=reader(mask=False), objective="mlm", options=FAST)
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(TrainingError, match="Import products"):
        train_domain(empty, settings, tmp_path / "d", base=reader())
    empty.close()


@pytest.fixture(scope="module")
def read_by_the_curriculum(shop, tmp_path_factory):
    store, settings = shop
    home = tmp_path_factory.mktemp("curriculum")
    reader().save(home / "toy")
    models = settings.models.model_copy(update={"encoder": str(home / "toy")})
    settings = settings.model_copy(update={"home": home, "models": models})
    registry = Registry(settings.bundles)
    return store, settings, registry, list(train(store, settings, registry, ["domain"], minutes=0.1))


def test_the_curriculum_runs_it_when_asked(read_by_the_curriculum):
    _, settings, registry, (outcome,) = read_by_the_curriculum
    assert outcome.version == registry.live_version("domain") == "v1", outcome.skipped
    base = domain_base(registry, settings.models.encoder)
    assert "then mlm on the shop's texts" in base.source
    assert domain_base(registry, "minilm") is None
    assert domain_base(Registry(settings.home / "nothing"), settings.models.encoder) is None


@pytest.mark.slow
def test_later_recipes_start_from_it(read_by_the_curriculum):
    store, settings, registry, _ = read_by_the_curriculum
    (outcome,) = train(store, settings, registry, ["relevance"], minutes=0.1)
    assert outcome.version, outcome.skipped
    assert "then mlm on the shop's texts" in registry.live("relevance").backbone().source
