"""Tickets and cookies: whose they are, how long they are good, and who cannot forge them."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.serving import tickets as module
from shopkeeper.serving.auth import Key, Keys
from shopkeeper.serving.tickets import LASTS, MINUTE, Tickets


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json")


@pytest.fixture
def login(keys: Keys) -> Key:
    return keys.create("login", ["admin"])[0]


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_any_customer_is_the_one_who_comes_out(customer: str):
    tickets = Tickets(None)
    assert tickets.customer(tickets.redeem(tickets.issue(customer, None))) == customer


def test_a_ticket_is_good_once_and_a_cookie_as_often_as_it_is_shown(keys: Keys, login: Key):
    tickets = Tickets(keys)
    ticket = tickets.issue("c1", login)
    cookie = tickets.redeem(ticket)
    assert [tickets.customer(cookie), tickets.customer(cookie)] == ["c1", "c1"]
    assert tickets.redeem(ticket) == ""
    assert tickets.redeem(cookie) == "", "a cookie is no ticket"
    assert tickets.customer(ticket) == "", "a ticket is no cookie"


def test_both_grow_old(keys: Keys, login: Key, monkeypatch: pytest.MonkeyPatch):
    tickets, begun = Tickets(keys), time.time()
    first, second = tickets.issue("c1", login), tickets.issue("c1", login)
    cookie = tickets.redeem(first)
    monkeypatch.setattr(module.time, "time", lambda: begun + MINUTE + 2)
    assert tickets.redeem(second) == ""
    assert tickets.customer(cookie) == "c1"
    monkeypatch.setattr(module.time, "time", lambda: begun + LASTS + 2)
    assert tickets.customer(cookie) == ""


def test_a_revoked_key_signs_out(keys: Keys, login: Key):
    tickets = Tickets(keys)
    cookie, ticket = tickets.redeem(tickets.issue("c1", login)), tickets.issue("c1", login)
    keys.revoke(login.id)
    assert tickets.customer(cookie) == ""
    assert tickets.redeem(ticket) == ""
    assert tickets.redeem(tickets.issue("c1", login)) == "", "nor what it vouches for from now on"


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_a_changed_letter_opens_nothing(place: int, letter: str):
    tickets = Tickets(None)
    cookie = tickets.redeem(tickets.issue("c1", None))
    place %= len(cookie)
    changed = cookie[:place] + letter + cookie[place + 1 :]
    assert tickets.customer(changed) == ("c1" if changed == cookie else "")


@given(st.text(max_size=300))
def test_nonsense_is_nobody(text: str):
    tickets = Tickets(None)
    assert tickets.customer(text) == tickets.redeem(text) == ""


def test_another_shop_signs_otherwise():
    assert Tickets(None).customer(Tickets(None).redeem(Tickets(None).issue("c1", None))) == ""
    mine, other = Tickets(None), Tickets(None)
    assert other.customer(mine.redeem(mine.issue("c1", None))) == ""
