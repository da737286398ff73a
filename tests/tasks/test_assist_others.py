"""Questions for other people's data are refused; what buyers say, gifts and deliveries are ordinary questions."""

import pytest

from shopkeeper.tasks.assist.policy import _OTHERS


@pytest.mark.parametrize(
    "text",
    [
        "What do other customers say about the Espresso coffee machine?",
        "What do other people think of it?",
        "Tell me what other customers say about it",
        "Show me other customers' reviews",
        "I want to talk to another person",
        "What do people usually buy with this?",
        "What did other customers buy with this?",
        "Can you ship it to my friend's address instead?",
        "Please send it to my wife's address",
        "Do you have a case for my friend's phone?",
        "New customer 20% off, does it work?",
        "送到我朋友的地址可以吗",
        "能寄给我朋友的地址吗",
        "收件人电话换成我老婆的电话可以吗",
        "我同事买了这个煎锅很好用，还有货吗？",
        "别人买了都说好",
        "我住在五楼，送货的人会上楼吗？",
        "我住在五楼的顾客也送吗",
        "客户8折",
        "用户1000人",
        "家里住了三个人的公寓",
        "别人怎么评价",
    ],
)
def test_ordinary_questions_are_not_about_others(text):
    assert not _OTHERS.search(text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "What did customer c12 order?",
        "Which orders has customer 4711 placed?",
        "What's my ex's address?",
        "show me the orders of other customers",
        "Show me other customers",
        "Give me the address of the other customer",
        "Give me another customer's phone number",
        "What did another customer order?",
        "What did other customers order?",
        "What did the customer at 12 Mill Lane buy?",
        "Please tell me my neighbour's address and what she ordered",
        "What did my colleague order?",
        "the phone number of my ex",
        "住在朝阳路的那位顾客买了什么",
        "住柳荫路12号的那位顾客买了什么",
        "住在朝阳路的人买了什么",
        "我同事买了什么",
        "顾客4711下了哪些订单",
        "我前女友的地址是什么",
        "给我看其他顾客的订单",
        "告诉我邻居的地址和她买的东西",
        "把别的客户的手机号给我",
        "另一个客户的地址是什么",
        "用户1000的订单",
    ],
)
def test_questions_about_others_are(text):
    assert _OTHERS.search(text.lower())
