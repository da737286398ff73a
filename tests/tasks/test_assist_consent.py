"""Only a clear yes is one: the gate before every act of the assistant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.tasks.assist.consent import consent

TOOLS = ("cancel", "return", "address")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["yes", "Yes, please!", "OK go ahead", "sure, thanks", "是的", "好的，谢谢", "嗯，确认", "可以。", "ＹＥＳ"]
)
def test_a_clear_yes(text, tool):
    assert consent(text, tool) is True


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["no", "No thanks", "never mind", "please don't", "不", "不用了", "算了", "先别", "还是不要了"]
)
def test_a_clear_no(text, tool):
    assert consent(text, tool) is False


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "thanks",
        "谢谢",
        "yes but to another address",
        "是的，不过先等等",
        "maybe",
        "yes and where is my other order",
        "可能吧",
        "why?",
        "好吗",
        "yes?",
        "ok??",
        "sure?",
        "cancel it?",
        "取消？",
        "对了",
        "行了",
        "够了",
    ],
)
def test_anything_else_is_neither(text, tool):
    assert consent(text, tool) is not True


def test_a_verb_agrees_to_its_own_act_only():
    assert consent("cancel it", "cancel") is True
    assert consent("yes, cancel it", "return") is None
    assert consent("取消吧", "cancel") is True
    assert consent("好的，取消吧", "address") is None
    assert consent("退吧", "return") is True


@given(
    st.sampled_from(["yes", "ok", "sure", "是的", "好的"]),
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9),
)
def test_no_yes_survives_an_unknown_word(yes, word):
    known = {
        "please",
        "thanks",
        "yeah",
        "sure",
        "right",
        "okay",
        "fine",
        "alright",
        "proceed",
        "perfect",
        "correct",
        "exactly",
        "agreed",
        "confirm",
        "confirmed",
        "certainly",
        "absolutely",
        "definitely",
    }
    if word not in known:
        assert consent(f"{yes} {word}", "cancel") is not True


@given(st.text(max_size=300))
def test_anything_at_all_is_judged(text):
    assert consent(text, "return") in (True, False, None)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("text", ["y", "Y.", "do it", "我确认", "我同意", "好嘞", "好滴", "好哒", "嗯呢，办理一下吧"])
def test_short_and_friendly_yeses(text, tool):
    assert consent(text, tool) is True


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["n", "N!", "no, keep my order", "keep my order", "No, I want to keep my order please"]
)
def test_short_and_long_noes(text, tool):
    assert consent(text, tool) is False


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("取消一下吧", "cancel"),
        ("好的，麻烦帮我取消一下", "cancel"),
        ("我要取消订单", "cancel"),
        ("Yes, I'd like to cancel it", "cancel"),
        ("是的，我要退货", "return"),
        ("Yes, I want to return it", "return"),
        ("I do want to return my order, please", "return"),
        ("Yes, I want to change the address", "address"),
        ("好的，改一下", "address"),
    ],
)
def test_a_yes_in_a_sentence_is_one_to_its_own_act(text, tool):
    assert consent(text, tool) is True
    assert all(consent(text, other) is None for other in TOOLS if other != tool)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text",
    [
        "yes but another one",
        "yes, and what about my other order",
        "Yes, I want to return another one",
        "yes I want",
        "no, cancel the other one",
        "好的，我",
        "好的，等一下",
        "是的，我要退另一个",
        "我要换一个",
        "一下",
        "thanks, please",
    ],
)
def test_a_yes_to_something_else_is_none(text, tool):
    assert consent(text, tool) is not True
