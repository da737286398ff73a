"""What is broken or wrong is no wish: complaints are not answered with tips, and wishes are not taken for complaints."""

import pytest
from test_assist import Talk, placed, shop  # noqa: F401

from shopkeeper.store.orders import OrderStatus
from shopkeeper.tasks.assist.wishes import complains

COMPLAINTS = [
    "质量太差了，再也不买了",
    "The kettle I bought stopped working after two days",
    "买的水壶漏水",
    "收到的商品坏了，我要投诉！",
    "I got the wrong item",
    "My item arrived broken!",
]


@pytest.mark.parametrize("customer", ["", "faults1"])
@pytest.mark.parametrize("text", COMPLAINTS)
def test_a_complaint_is_no_wish(shop, text, customer):  # noqa: F811
    if customer:
        placed(shop, OrderStatus.DELIVERED, customer=customer)
    reply = Talk(shop, customer).say(text)
    assert reply.kind in ("handover", "answer", "confirm")
    assert not reply.hits
    assert "sorry" in reply.text or "抱歉" in reply.text


@pytest.mark.parametrize(
    "text",
    [
        "送女朋友什么好",
        "gift for my girlfriend",
        "送妈妈生日礼物",
        "我的水壶坏了，想买个新的",
        "I broke my kettle, I need a new one",
        "有适合送女朋友的咖啡机吗",
        "Got any kettles?",
        "想买个水壶",
    ],
)
def test_a_wish_is_asked_back_or_shown(shop, text):  # noqa: F811
    reply = Talk(shop).say(text)
    assert reply.kind in ("ask", "recommend")
    assert reply.kind == "ask" or reply.hits
    assert "没有找到" not in reply.text
    assert "find nothing" not in reply.text


def test_which_is_cheaper_is_a_comparison_and_when_it_comes_a_delivery(shop):  # noqa: F811
    assert "比较" in Talk(shop).say("煎锅和炒锅哪个便宜？").text
    reply = Talk(shop).say("多久能到货？")
    assert reply.kind == "answer"
    assert "三个工作日" in reply.text
    assert reply.intents[0][0] == "delivery_question"


@pytest.mark.parametrize(
    "text",
    [
        "Will it arrive broken?",
        "Do people say it leaks?",
        "质量好不好",
        "有漏勺吗",
        "买家说会坏吗",
        "What if I get the wrong item?",
        "I bought a kettle, do you have a matching mug?",
        "我买了煎锅，有锅盖吗",
    ],
)
def test_questions_are_no_complaints(text):
    assert not complains(text)
