"""Names in the settings become objects, and an unknown one is answered with those that are known."""

import pytest

from shopkeeper.errors import InputError, SettingsError, TrainingError
from shopkeeper.models.adapters import Bottleneck, Lora
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.search.relevance import RelevanceOptions, method_of
from shopkeeper.recipes.techniques import ATTACKS, AVERAGES, OPTIMISERS, SCHEDULES, with_techniques
from shopkeeper.settings import Settings, TrainSettings
from shopkeeper.training.adversarial import FGM, PGD
from shopkeeper.training.averaging import ExponentialAverage


def test_settings_left_alone_change_nothing():
    own = Method(rate=3e-4, open_layers=3, agree=0.5)
    assert with_techniques(own, TrainSettings()) == own


def test_what_is_asked_lies_over_the_recipes_own():
    asked = TrainSettings(
        adapter="lora:16", adversarial="fgm", average="ema", optimiser="lion", schedule="linear", rate=1e-5, r_drop=1.0
    )
    method = with_techniques(Method(), asked)
    assert isinstance(method.adapter, Lora)
    assert method.adapter.rank == 16
    assert [type(make()) for make in method.hooks] == [FGM, ExponentialAverage]
    assert (method.optimiser.__name__, method.schedule.__name__, method.rate) == ("lion", "warm_linear", 1e-5)
    assert method.agree == 1.0
    assert method.describe()["hooks"] == ["FGM", "ExponentialAverage"]


def test_every_technique_of_the_settings_reaches_the_method():
    asked = {"solve": True, "gradual": True, "members": 3, "noise": 0.7, "clean": True, "weight_decay": 0.0}
    method = with_techniques(Method(), TrainSettings(**asked, dropout=0.0))
    assert {name: getattr(method, name) for name in asked} == asked
    assert method.dropout == 0.0


def test_what_is_asked_takes_the_place_of_the_recipes_own_attack():
    own = Method(hooks=(FGM, ExponentialAverage))
    assert with_techniques(own, TrainSettings(adversarial="none")).hooks == (ExponentialAverage,)
    assert with_techniques(own, TrainSettings(adversarial="pgd")).hooks == (ExponentialAverage, PGD)
    assert with_techniques(own, TrainSettings(average="none")).hooks == (FGM,)
    assert with_techniques(own, TrainSettings()).hooks == own.hooks


@pytest.mark.parametrize(("layers", "expected"), [(-2, 2), (-1, None), (0, 0), (5, 5)])
def test_layers(layers, expected):
    assert with_techniques(Method(open_layers=2), TrainSettings(layers=layers)).open_layers == expected


@pytest.mark.parametrize("known", [ATTACKS, AVERAGES, OPTIMISERS, SCHEDULES])
def test_every_known_name_is_understood(known):
    key = {id(ATTACKS): "adversarial", id(AVERAGES): "average", id(OPTIMISERS): "optimiser", id(SCHEDULES): "schedule"}
    for name in known:
        with_techniques(Method(), TrainSettings(**{key[id(known)]: name})).describe()


@pytest.mark.parametrize("setting", ["adversarial", "average", "optimiser", "schedule", "augment"])
def test_an_unknown_name_is_answered_with_the_known_ones(setting):
    with pytest.raises(SettingsError, match=rf"train\.{setting}.*'fmg' is not known\. Choose among"):
        with_techniques(Method(), TrainSettings(**{setting: "fmg"}))


def test_adapters_are_named_too():
    assert isinstance(with_techniques(Method(), TrainSettings(adapter="bottleneck:32")).adapter, Bottleneck)
    with pytest.raises(InputError, match="lora"):
        with_techniques(Method(), TrainSettings(adapter="lara"))


def test_an_adapter_brings_its_own_rate_and_leaves_that_of_the_head():
    own = Method(rate=2e-4, head_rate=10.0)
    method = with_techniques(own, TrainSettings(adapter="ia3"))
    assert method.rate == 5e-3
    assert method.rate * method.head_rate == pytest.approx(own.rate * own.head_rate)
    assert with_techniques(own, TrainSettings(adapter="ia3", rate=1e-4)).rate == 1e-4


@pytest.mark.parametrize("augment", ["typos, synonyms", "insert"])
def test_synonyms_need_a_lexicon(augment):
    with pytest.raises(SettingsError, match=r"train\.lexicon"):
        with_techniques(Method(), TrainSettings(augment=augment))


@pytest.mark.parametrize("asked", [{"mixup": 0.2}, {"members": 2}, {"dropout": 0.0}, {"clean": True}, {"layers": 2}])
def test_what_teaching_an_encoder_has_no_use_for_is_refused(tmp_path, asked):
    settings = Settings(home=tmp_path, train=TrainSettings(**asked))
    with pytest.raises(TrainingError, match=rf"train\.{next(iter(asked))}"):
        method_of(settings, RelevanceOptions())
