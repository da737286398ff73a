"""FAQ, policies, posts and orders out of files."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.database import open_store
from shopkeeper.store.feeds import export_texts, import_orders, import_reviews, import_texts
from shopkeeper.store.orders import OrderLine, OrderStatus


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        yield store


def test_a_faq_comes_in_by_question_and_answer(store, tmp_path):
    file = tmp_path / "faq.csv"
    file.write_text("问题,回答\n几天发货？,两天内发货。\nHow long?,Two days.\n", encoding="utf-8")
    report = import_texts(file, store, rejects=tmp_path / "bad", mapping={"constants": {"kind": "faq"}})
    assert (report.added, report.rejected) == (2, 0)
    found = {passage.title: passage for passage in store.words.scan([PassageKind.FAQ])}
    assert found["几天发货？"].text == "两天内发货。"
    assert found["几天发货？"].language == "zh"
    assert import_texts(file, store, rejects=tmp_path / "bad", mapping={"constants": {"kind": "faq"}}).unchanged == 2


def test_texts_say_what_they_are_and_go_out_as_they_came(store, tmp_path):
    rows = [
        {"id": "p1", "kind": "post", "text": "Fine.", "source": "forum", "time": "2026-05-01T10:00:00Z"},
        {"id": "p2", "kind": "nonsense", "text": "Fine."},
        {"id": "p3", "kind": "policy", "text": "<b>Thirty</b> days.", "title": "Returns"},
    ]
    file = tmp_path / "texts.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    report = import_texts(file, store, rejects=tmp_path / "bad")
    assert (report.added, report.rejected) == (2, 1)
    assert dict(report.reasons) == {"no such kind of text": 1}
    told = list(store.words.scan())
    assert told[0] == Passage(
        id="p1", kind=PassageKind.POST, text="Fine.", source="forum", time=datetime(2026, 5, 1, 10, tzinfo=UTC),
        language="en",
    )  # fmt: skip
    assert told[1].text == "Thirty days."
    out = tmp_path / "out.csv"
    assert export_texts(store, out) == 2
    assert import_texts(out, store, rejects=tmp_path / "bad").unchanged == 2


def test_ids_of_reviews_do_not_depend_on_a_source_that_is_not_there(store, tmp_path):
    file = tmp_path / "r.csv"
    file.write_text("text,rating\nGood,5\n", encoding="utf-8")
    assert import_reviews(file, store, rejects=tmp_path / "bad").added == 1
    file.write_text("text,rating,source\nGood,5,\n", encoding="utf-8")
    assert import_reviews(file, store, rejects=tmp_path / "bad").unchanged == 1


def test_orders_come_in_with_their_lines(store, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(
        "订单号,用户id,下单时间,订单状态,商品,总额,快递公司\n"
        "1001,u1,2026-05-01 08:00,已发货,A-1 x2 | B-7,¥99,顺丰\n"
        "1002,u1,2026-05-01 08:00,nowhere,A-1,9,\n"
        "1003,,2026-05-01 08:00,,A-1,9,\n"
        "1004,u2,2026-05-01 08:00,,A-1 x0,9,\n",
        encoding="utf-8",
    )
    report = import_orders(file, store, rejects=tmp_path / "bad")
    assert dict(report.reasons) == {"unknown status": 1, "no customer": 1, "unparsable lines": 1}
    order = store.orders.get(["1001"])["1001"]
    assert order.lines == (OrderLine(item="A-1", quantity=2), OrderLine(item="B-7"))
    assert (order.status, order.total, order.currency, order.carrier) == (OrderStatus.SHIPPED, 99.0, "CNY", "顺丰")


def test_orders_with_lines_as_objects(store, tmp_path):
    file = tmp_path / "orders.jsonl"
    line = {"item": "A", "quantity": 3, "price": 2.5}
    row = {"id": "1", "customer": "u", "placed": "2026-05-01T08:00:00Z", "lines": [line], "due": "2026-05-04"}
    file.write_bytes(orjson.dumps(row))
    assert import_orders(file, store, rejects=tmp_path / "bad").added == 1
    order = store.orders.get(["1"])["1"]
    assert order.lines == (OrderLine(item="A", quantity=3, price=2.5),)
    assert order.due is not None
