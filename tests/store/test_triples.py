"""Triples in the store, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.knowledge import Triple
from shopkeeper.store.protocols import Changes

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=200)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(url) as opened:
        yield opened


def test_what_was_put_is_there_once_and_in_order(store: SqlStore) -> None:
    assert store.triples.version == store.triples.count() == 0
    triples = [Triple("b", "fits", "a", "x.csv"), Triple("茶", "r", "a", "y.csv"), Triple("b", "fits", "A", "x.csv")]
    assert store.triples.put([*triples, triples[0]]) == Changes(added=3, unchanged=1)
    assert list(store.triples.scan()) == sorted(triples, key=lambda t: (t.head, t.relation, t.tail))
    first = store.triples.version
    assert store.triples.put(triples) == Changes(unchanged=3)
    assert store.triples.version == first
    assert store.triples.put([Triple("b", "fits", "a", "y.csv")]) == Changes(updated=1)
    assert store.triples.version > first
    assert store.triples.sources() == {"x.csv": 1, "y.csv": 2}


def test_a_source_is_taken_back_whole(store: SqlStore) -> None:
    store.triples.put([Triple(f"h{n}", "r", "t", "big" if n % 2 else "small") for n in range(12_000)])
    before = store.triples.version
    assert store.triples.remove("big") == 6_000
    assert store.triples.version == before + 1
    assert store.triples.remove("big") == 0
    assert store.triples.version == before + 1
    assert {triple.source for triple in store.triples.scan()} == {"small"}
    assert store.triples.count() == 6_000


@pytest.mark.parametrize(
    ("triple", "said"),
    [
        (Triple("", "r", "t"), "head is empty"),
        (Triple("h", "", "t"), "relation is empty"),
        (Triple("h", "r", "t" * 201), "201 characters"),
        (Triple("h", "r\x00", "t"), "NUL"),
        (Triple("h", "r", "t", "s" * 201), "source has 201"),
        (Triple("𝒳" * 200, "𝒳" * 200, "𝒳" * 200), "2,000 bytes"),
    ],
)
def test_what_cannot_be_kept_is_refused(store: SqlStore, triple: Triple, said: str) -> None:
    with pytest.raises(InputError, match=said):
        store.triples.put([Triple("h", "r", "t"), triple])
    assert store.triples.count() == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.tuples(TEXT, TEXT, TEXT))
def test_any_triple_comes_back_as_it_went(store: SqlStore, parts: tuple[str, str, str]) -> None:
    triple = Triple(*parts)
    if len("".join(parts).encode()) > 2_000:
        return
    store.triples.put([triple])
    assert triple in set(store.triples.scan())
    assert store.triples.put([triple]) == Changes(unchanged=1)
