"""Learning profiles from a shop whose customers are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hash_encoder import HashEncoder
from profileshop import SHOP, START, frame, lived

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.classification import auc, calibration_error
from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.ranking.customers.foresight import Foresight
from shopkeeper.ranking.customers.segments import CustomerSegments
from shopkeeper.recipes.customers.profile import (
    Log,
    ProfileOptions,
    grouped,
    learn_foresight,
    marks,
    read_log,
    train_profile,
)
from shopkeeper.recipes.customers.segments import learn_segments
from shopkeeper.recipes.customers.snapshots import ahead, next_baskets, snapshot, snapshots
from shopkeeper.recipes.customers.worth import deviance
from shopkeeper.records import EventKind
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store

ENCODER = HashEncoder(32)
SHELF = Shelf(SHOP)
DAY = 86_400.0


@pytest.fixture(scope="module")
def log() -> Log:
    vectors = ENCODER.encode([item.passage for item in SHOP])
    return read_log(frame(lived()), SHELF, vectors, ENCODER.encode, "hash")


@pytest.fixture(scope="module")
def learnt(log: Log):
    return learn_foresight(log, ProfileOptions(width=4))


def test_periods_follow_one_another_and_labels_do_not_reach_over(log: Log):
    parts = snapshots(log.deeds, 30.0)
    end = log.deeds.times.max()
    assert parts.train.at.max() + 30 * DAY <= parts.valid.at.min()
    assert parts.valid.at.max() + 30 * DAY <= parts.test.at.min()
    assert parts.test.at.max() + 30 * DAY <= end + 1
    for part in (parts.train, parts.valid, parts.test):
        assert (part.past.times < part.at[part.past.owners]).all()


def test_labels_are_what_a_loop_finds(log: Log):
    asked = snapshot(log.deeds, [START.timestamp() + 80 * DAY])
    bought = ahead(log.deeds, asked, 7, EventKind.PURCHASE)
    shares = next_baskets(log.deeds, asked, 7, len(log.taxonomy.names))
    for place, one in enumerate(asked.who.tolist()):
        own = slice(log.deeds.indptr[one], log.deeds.indptr[one + 1])
        times, kinds = log.deeds.times[own], log.deeds.of(EventKind.PURCHASE)[own]
        within = kinds & (times >= asked.at[place]) & (times < asked.at[place] + 7 * DAY)
        assert bought[place] == within.sum()
        assert shares[place].sum() == pytest.approx(float(within.any()))
        if within.any():
            assert shares[place][log.deeds.categories[own][within][0]] > 0


def test_regulars_are_told_from_the_others(learnt, log: Log):
    foresight, measured = learnt
    for target, least in (("purchase_7", 0.65), ("purchase_30", 0.9), ("churn_30", 0.9)):
        labels, chances = measured.chances[target]
        assert auc(labels, chances) > least
        assert calibration_error(labels, chances) < 0.1
    assert "return_30" not in foresight.propensities  # nobody ever sends anything back
    assert measured.next["accuracy@1"].mean() > measured.next["popularity@1"].mean()
    assert {"purchase_7", "next category accuracy@1"} <= marks(measured).keys()
    paid, expected = measured.worth
    assert np.corrcoef(paid, expected)[0, 1] > 0.8
    assert expected.mean() == pytest.approx(paid.mean(), rel=0.25)


def test_a_bundle_says_the_same_again(learnt, log: Log, tmp_path: Path):
    foresight = replace(learnt[0], segments=grouped(log, SHELF)[0])
    arrays, parameters = foresight.save()
    card = Card(task="profile", name="x", data={}, settings={}, seed=1, before={}, after={}, notes="")
    loaded = Foresight.load(save_bundle(tmp_path / "b", card, arrays=arrays, parameters=parameters))
    at = np.full(20, START.timestamp() + 150 * DAY)
    past = log.deeds.before(np.arange(20), at)
    first, second = (model.outlook(past, at, log.items, log.queries) for model in (foresight, loaded))
    for name, chance in first.chances.items():
        assert second.chances[name] == pytest.approx(chance, abs=1e-6)
    assert second.next == pytest.approx(first.next)
    assert second.value == pytest.approx(first.value)
    assert second.segments.tolist() == first.segments.tolist()


def test_the_unknown_get_what_holds_for_all(learnt, log: Log):
    foresight = learnt[0]
    nobody = log.deeds.before([0], [START.timestamp() - 1])
    outlook = foresight.outlook(nobody, [START.timestamp()], log.items, log.queries)
    assert {name: float(chance[0]) for name, chance in outlook.chances.items()} == {
        name: model.base for name, model in foresight.propensities.items()
    }
    assert outlook.segments.tolist() == [-1]
    assert outlook.value[0] >= 0


def test_words_can_be_left_out(log: Log):
    foresight, _ = learn_foresight(log, ProfileOptions(words=False))
    assert len(foresight.meaning.directions) == 0
    assert foresight.next is not None
    assert foresight.next.centroids.shape[1] == 0


def test_segments_are_the_tastes_and_keep_their_ids(log: Log):
    first, places = grouped(log, SHELF)
    second, again = grouped(log, SHELF, before=first, seed=11)
    assert {one.id for one in first.segments} >= {
        one.id for one in second.segments
    } or second.following > first.following
    shared = {one.id for one in first.segments} & {one.id for one in second.segments}
    assert shared
    assert sum(one.share for one in first.segments) == pytest.approx(1.0)
    named = [" ".join(one.name.values()) for one in first.segments]
    assert all(named)
    assert len(places) == len(again) == len(log.deeds)
    kept = CustomerSegments.load(*first.save())
    assert kept.segments == first.segments


def test_too_few_for_segments(log: Log):
    with pytest.raises(TrainingError, match="3 customers"):
        learn_segments(np.eye(3, dtype=np.float32), log.deeds, SHELF)


def test_a_short_log_says_how_long_it_must_be(log: Log):
    early = frame([event for event in lived() if (event.time - START).days < 60])
    short = read_log(early, SHELF, log.items, ENCODER.encode, "hash")
    with pytest.raises(TrainingError, match="needs 104"):
        learn_foresight(short, ProfileOptions())


def test_the_deviance_is_least_at_the_mean():
    paid = np.array([0.0, 0.0, 1.0, 7.0])
    losses = [deviance(paid, np.full(4, mean)).mean() for mean in (1.0, 2.0, 3.0)]
    assert losses[1] == min(losses)
    assert deviance(np.array([2.0]), np.array([2.0]))[0] == pytest.approx(0.0, abs=1e-9)


def test_training_from_a_store(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        store.catalogue.put(SHOP)
        store.events.append(lived())
        settings = Settings.model_validate({"home": tmp_path})
        vectors = ENCODER.encode([item.passage for item in SHOP])
        bundle = train_profile(store, ENCODER, SHELF, vectors, settings, tmp_path / "out")
    assert bundle.card.task == "profile"
    assert bundle.card.after["test"]["purchase_30"]["auc"]["value"] > 0.9
    assert (bundle.folder / "plots" / "calibration-purchase-30.png").is_file()
    held = Foresight.load(bundle)
    assert held.segments is not None
    assert len(held.taxonomy.names) == 4
    text = (bundle.folder / "parameters.json").read_text()
    assert "r000" not in text  # no customer stands in the bundle
