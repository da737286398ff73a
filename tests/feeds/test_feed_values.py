"""Cells: text, prices, dates and the rest, each with known answers and with Hypothesis."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.records import Availability
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.behaviour import event_kind
from shopkeeper.store.feeds.dates import when


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("19.99", 19.99, ""),
        ("19.99 USD", 19.99, "USD"),
        ("USD 19.99", 19.99, "USD"),
        ("$1,299.00", 1299.0, "USD"),
        ("US$ 5", 5.0, "USD"),
        ("¥1,299", 1299.0, "CNY"),
        ("￥１２９９", 1299.0, "CNY"),
        ("1299元", 1299.0, "CNY"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("1.299 €", 1299.0, "EUR"),
        ("€12,50", 12.5, "EUR"),
        ("1 299,00 kr", 1299.0, ""),
        ("1\u00a0299,00", 1299.0, ""),
        ("CHF 1'299.50", 1299.5, "CHF"),
        ("1.234.567,89", 1234567.89, ""),
        ("1,234,567", 1234567.0, ""),
        ("0,5", 0.5, ""),
        ("£.99", 0.99, "GBP"),
        ("-5", -5.0, ""),
        ("1.234e-05", 1.234e-05, ""),
        (7, 7.0, ""),
        ({"value": "19.90", "currency": "eur"}, 19.9, "EUR"),
    ],
)
def test_prices_of_many_lands(text, amount, currency):
    assert values.price(text) == (pytest.approx(amount), currency)


@pytest.mark.parametrize(
    "text", ["", "abc", "call us", "10-20", "1.2.3,4,5", "nan", "inf", "1_000", "12 USD EUR", "1e400", True, None, [1]]
)
def test_what_is_no_price_is_refused(text):
    with pytest.raises(ValueError):
        values.price(text)


@given(st.integers(0, 10**11), st.sampled_from(["{:,.2f} USD", "${:,.2f}", "{:.2f}", "¥{:,.2f}"]))
def test_any_price_in_english_spelling(cents, spelling):
    assert values.price(spelling.format(cents / 100))[0] == pytest.approx(cents / 100)


@given(st.integers(0, 10**11))
def test_any_price_in_german_spelling(cents):
    text = f"{cents / 100:,.2f} €".replace(",", "_").replace(".", ",").replace("_", ".")
    assert values.price(text) == (pytest.approx(cents / 100), "EUR")


@given(st.floats(0, 1e12))
def test_a_written_float_reads_back_exactly(amount):
    assert values.price(repr(amount)) == (amount, "")


@given(st.text())
def test_prices_and_dates_raise_nothing_but_value_errors(text):
    for parse in (values.price, values.number, values.availability, when, values.flag, event_kind, values.mapping):
        with contextlib.suppress(ValueError):
            parse(text)
    values.category(text)
    values.many(text)


MOMENT = datetime(2024, 3, 4, 15, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-04T15:06:07Z",
        "2024-03-04 15:06:07",
        "2024-03-04 15:06:07 UTC",
        "2024-03-04T23:06:07+08:00",
        "2024-03-04 10:06:07 -0500",
        "2024/03/04 15:06:07",
        "2024/3/4 15:06:07",
        "20240304150607",
        "04.03.2024 15:06:07",
        "2024年3月4日 15时06分07秒",
        "2024年03月04日 15:06:07",
        "Mon, 04 Mar 2024 15:06:07 GMT",
        "4 March 2024 15:06:07",
        "Mar 4, 2024 3:06:07 PM",
        "1709564767",
        "1709564767000",
        "1709564767000000",
        1709564767,
        1709564767.0,
        1709564767000000,
        datetime(2024, 3, 4, 23, 6, 7, tzinfo=timezone(timedelta(hours=8))),
        datetime(2024, 3, 4, 15, 6, 7),
    ],
)
def test_moments_of_many_spellings(text):
    assert when(text) == MOMENT
    assert when(text).tzinfo is UTC


def test_slashed_dates_need_an_order_only_where_both_readings_exist():
    assert when("25/12/2024").month == when("12/25/2024").month == 12
    assert when("05/05/2024") == datetime(2024, 5, 5, tzinfo=UTC)
    assert when("03/04/2024", "dmy").month == 4
    assert when("03/04/2024", "mdy").month == 3
    with pytest.raises(ValueError, match="both ways"):
        when("03/04/2024")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2024-13-01",
        "2024-02-30",
        "31.02.2024",
        "0001-01-01",
        "99999999999999999999999",
        "1e300",
        True,
        None,
        "13:61 PM",
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError):
        when(text)


@given(st.datetimes(datetime(1900, 1, 2), datetime(2199, 1, 1), timezones=st.just(UTC)))
def test_any_iso_moment_reads_back(moment):
    assert when(moment.isoformat()) == moment
    assert when(moment.strftime("%Y/%m/%d %H:%M:%S.%f")) == moment


@given(st.datetimes(datetime(1980, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)))
def test_epochs_of_all_sizes(moment):
    whole = moment.replace(microsecond=0)
    seconds = round(whole.timestamp())
    assert (
        when(seconds) == when(str(seconds * 1000)) == when(seconds * 1_000_000) == when(str(seconds * 10**9)) == whole
    )


def test_html_becomes_plain_text():
    text = "<style>p{color:red}</style><p>Soft &amp; <b>warm</b>,&nbsp;  100&nbsp;% wool<br/>washable</p><script>alert('x')</script><!-- no -->"
    assert values.paragraph(text) == "Soft & warm, 100 % wool\nwashable"
    assert values.line("<b>Red</b>dish\ncup") == "Reddish cup"
    assert values.paragraph("&lt;script&gt;alert(1)&lt;/script&gt;mild") == "mild"
    assert values.paragraph("a < b and c > d, AT&T, R&D; 5 <6") == "a < b and c > d, AT&T, R&D; 5 <6"
    assert values.paragraph("unclosed <script>bad()") == "unclosed"
    assert values.line("a\x00b\x07c\u202ed\ud800e") == "abcde"


@given(st.text(alphabet=st.sampled_from("ab<>/!&;#x lt gt amp \n\t\u00a0\u200b\x00中script-="), max_size=60))
def test_cleaning_twice_is_cleaning_once(text):
    once = values.paragraph(text)
    assert values.paragraph(once) == once
    assert values.line(values.line(text)) == values.line(text)


@given(st.text(alphabet=st.sampled_from("'=+-@\t\ra1"), max_size=6))
def test_quoted_formulas_are_harmless_and_come_back(text):
    quoted = values.quote_formula(text)
    assert quoted[:1] not in set("=+-@\t\r")
    assert values.unquote_formula(quoted) == text


def test_categories_lists_flags_and_availability():
    assert values.category("A > B > C") == values.category(["A", "B", "C"]) == ("A", "B", "C")
    assert values.category("家居/茶具") == values.category('["家居", "茶具"]') == ("家居", "茶具")
    assert values.category("A/B > C") == ("A/B", "C")
    assert values.category([["A", "B"], ["C"]]) == ("A", "B")
    assert values.many("1, 2|3 ;4") == values.many(["1", "2", 3, "4"]) == ("1", "2", "3", "4")
    assert values.availability("https://schema.org/OutOfStock") is Availability.OUT_OF_STOCK
    assert values.availability("In Stock") is values.availability("有货") is Availability.IN_STOCK
    assert values.flag("是") is True
    assert values.flag("") is False
    with pytest.raises(ValueError):
        values.availability("perhaps")
