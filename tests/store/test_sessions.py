"""Sessions in memory: the contract, and a bounded number of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from sessions_contract import SessionsContract
from toyshop import toy_events

from shopkeeper.errors import SettingsError
from shopkeeper.store.database import open_store
from shopkeeper.store.sessions import MemorySessions, open_sessions


class TestMemorySessions(SessionsContract):
    @pytest.fixture
    def opened(self):
        return MemorySessions


def test_memory_stays_within_its_capacity(tmp_path: Path) -> None:
    events = toy_events()
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        store.events.append(events)
        sessions = MemorySessions(store.events, capacity=10, depth=5)
        for event in events:
            assert len(sessions.recent(event.customer, event.session)) <= 10
        assert len(sessions) == 10


def test_an_address_chooses_who_holds_them(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        assert isinstance(open_sessions("", store.events), MemorySessions)
        with pytest.raises(SettingsError, match="redis://host"):
            open_sessions("http://localhost", store.events)
