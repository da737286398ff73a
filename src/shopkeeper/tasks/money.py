"""Amounts of money as people read them: on pages, in replies and in the pen's copy."""

from __future__ import annotations

from typing import Final

_SIGNS: Final = {
    "CNY": "¥",
    "JPY": "¥",
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "HKD": "HK$",
    "TWD": "NT$",
    "KRW": "₩",
    "INR": "₹",
}
_WITHOUT_CENTS: Final = ("JPY", "KRW")


def money(amount: float, currency: str, language: str = "", *, cents: bool = True) -> str:
    """An amount with its currency.

    Args:
        amount: In units of the currency, not cents.
        currency: ISO 4217; empty where it is not known.
        language: ``"zh"`` writes yuan as Chinese sentences do, after the number and without needless zeros.
        cents: False leaves ``.00`` away where prices are mostly whole: of yuan.

    >>> money(1234.5, "USD"), money(128, "CNY"), money(9, "SEK"), money(2, "")
    ('$1,234.50', '¥128.00', '9.00 SEK', '2.00')
    >>> money(128, "CNY", cents=False), money(79.9, "CNY", "zh"), money(500, "JPY")
    ('¥128', '79.9元', '¥500')
    """
    code = currency.upper()
    if code == "CNY" and language == "zh":
        return f"{amount:.2f}".rstrip("0").rstrip(".") + "元"
    whole = float(amount).is_integer() and (code in _WITHOUT_CENTS or (code == "CNY" and not cents))
    number = f"{amount:,.0f}" if whole else f"{amount:,.2f}"
    sign = _SIGNS.get(code)
    return f"{sign}{number}" if sign else f"{number} {currency}".strip()
