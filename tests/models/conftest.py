from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.models.backbones import Backbone
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.heads import Classifier


@pytest.fixture(params=[tiny_bert, tiny_gpt], ids=["bert", "gpt"])
def tiny(request: pytest.FixtureRequest) -> Backbone:
    return request.param()


@pytest.fixture(scope="session")
def encoder_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "encoder"
    return save_bundle(folder, Card(task="relevance"), backbone=tiny_bert())


@pytest.fixture(scope="session")
def gpt_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "gpt"
    return save_bundle(folder, Card(task="relevance"), backbone=tiny_gpt())


@pytest.fixture(scope="session")
def scorer_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "scorer"
    return save_bundle(folder, Card(task="purchase"), classifier=Classifier(tiny_bert(), classes=2))
