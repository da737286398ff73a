"""The review queue: read page by page, and questions taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopkeeper.records import Decision
from shopkeeper.store.database import SqlStore, open_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(url) as opened:
        yield opened


def test_pages_of_the_queue_hold_every_question_once_and_in_order(store):
    scores = (0.1, 0.3, 0.1 + 0.2, -1.0)
    store.labels.propose(Decision(task="t", subject=f"s{n:02}", text="", score=scores[n % 4]) for n in range(23))
    whole = [one.subject for one in store.labels.pending("t", 100)]
    assert len(whole) == 23
    paged, page = [], store.labels.pending("t", 4)
    while page:
        paged += [one.subject for one in page]
        page = store.labels.pending("t", 4, after=page[-1])
    assert paged == whole


def test_questions_are_removed_of_one_task_and_of_those_who_are_named(store):
    labels = store.labels
    for task in ("t", "u"):
        labels.propose(Decision(task=task, subject=f"s{n}", text="", customer=f"c{n % 2}") for n in range(4))
    labels.decide("t", "s0", "yes")
    assert labels.remove("t", ["s0", "s1", "s9"], customers=["c0"]) == 1
    assert labels.remove("t", ["s1", "s1", "s2"]) == 2
    assert labels.remove("t", []) == 0
    assert [one.subject for one in labels.pending("t")] == ["s3"]
    assert not list(labels.decided("t"))
    assert len(labels.pending("u")) == 4
