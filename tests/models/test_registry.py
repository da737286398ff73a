from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from shopkeeper.errors import InputError, ModelError, NotFoundError
from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.models.registry import Registry


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "source", Card(task="blend"), parameters={"x": 1}).folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_a_life(registry: Registry, source: Path) -> None:
    assert registry.live("blend") is None
    assert (registry.versions("blend"), registry.tasks()) == ([], [])
    assert [registry.add(source) for _ in range(3)] == ["v1", "v2", "v3"]
    assert registry.tasks() == ["blend"]
    assert registry.live("blend") is None
    for version in ("v1", "v2", "v3"):
        registry.promote("blend", version)
    live = registry.live("blend")
    assert live is not None
    assert (live.card.version, live.name) == ("v3", "blend-v3")
    assert registry.rollback("blend") == "v2"
    assert registry.rollback("blend") == "v1"
    with pytest.raises(NotFoundError, match="no earlier version"):
        registry.rollback("blend")
    assert [version for version, _ in registry.history("blend")] == ["v1", "v2", "v3", "v2", "v1"]


def test_a_number_is_never_given_twice(registry: Registry, source: Path) -> None:
    registry.add(source)
    registry.remove("blend", registry.add(source))
    assert registry.add(source) == "v3"
    assert registry.versions("blend") == ["v1", "v3"]


def test_the_live_version_stays(registry: Registry, source: Path) -> None:
    registry.promote("blend", registry.add(source))
    with pytest.raises(InputError, match="live version"):
        registry.remove("blend", "v1")


def test_rollback_skips_what_was_removed(registry: Registry, source: Path) -> None:
    for _ in range(3):
        registry.promote("blend", registry.add(source))
    registry.remove("blend", "v2")
    assert registry.rollback("blend") == "v1"


def test_promoting_the_live_one_again_changes_nothing_to_go_back_to(registry: Registry, source: Path) -> None:
    for version in (registry.add(source), registry.add(source)):
        registry.promote("blend", version)
    registry.promote("blend", "v2")
    assert registry.rollback("blend") == "v1"


def test_damaged_versions_are_not_promoted(registry: Registry, source: Path, tmp_path: Path) -> None:
    registry.add(source)
    (tmp_path / "models" / "blend" / "v1" / "parameters.json").write_text("{}")
    with pytest.raises(ModelError):
        registry.promote("blend", "v1")
    assert registry.live_version("blend") is None


@pytest.mark.parametrize("task", ["", "../x", "a/b", "A", ".hidden", "x" * 99, "a\n"])
def test_bad_task_names(registry: Registry, task: str) -> None:
    with pytest.raises(InputError):
        registry.versions(task)


@pytest.mark.parametrize("version", ["", "v0", "../v1", "v1/..", "1", "v99", "live.json"])
def test_bad_versions(registry: Registry, source: Path, version: str) -> None:
    registry.add(source)
    for act in (registry.promote, registry.remove, registry.open):
        with pytest.raises(NotFoundError):
            act("blend", version)


def test_a_folder_that_is_no_bundle(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a bundle"):
        registry.add(tmp_path)


def _add(folder: Path, source: Path) -> str:
    registry = Registry(folder)
    version = registry.add(source)
    registry.promote("blend", version)
    return version


def test_processes_share_it(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "models"
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        given = list(pool.map(_add, [folder] * 6, [source] * 6))
    assert sorted(given) == [f"v{n}" for n in range(1, 7)]
    registry = Registry(folder)
    assert len(registry.history("blend")) == 6
    assert registry.live("blend") is not None
    assert not [path for path in (folder / "blend").iterdir() if path.is_dir() and path.name.startswith(".")]
