"""Amounts of money as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.store.feeds.values import price
from shopkeeper.tasks.money import money


@pytest.mark.parametrize(
    ("amount", "currency", "language", "cents", "written"),
    [
        (1234.5, "USD", "", True, "$1,234.50"),
        (9, "SEK", "", True, "9.00 SEK"),
        (2, "", "", True, "2.00"),
        (128.0, "CNY", "", True, "¥128.00"),
        (128.0, "CNY", "", False, "¥128"),
        (128.5, "CNY", "", False, "¥128.50"),
        (39.9, "EUR", "", False, "€39.90"),
        (1234.5, "SEK", "", False, "1,234.50 SEK"),
        (500, "JPY", "", True, "¥500"),
        (79.9, "CNY", "zh", True, "79.9元"),
        (80, "CNY", "zh", True, "80元"),
        (80, "USD", "zh", True, "$80.00"),
    ],
)
def test_amounts_are_written_as_shops_do(amount, currency, language, cents, written):
    assert money(amount, currency, language, cents=cents) == written


@given(st.integers(0, 10**9), st.sampled_from(["CNY", "EUR", "USD", "GBP", "HKD", "INR"]), st.booleans())
def test_what_is_written_is_read_back(hundredths, currency, cents):
    amount, read = price(money(hundredths / 100, currency, cents=cents))
    assert (round(amount * 100), read) == (hundredths, currency)
