from datetime import UTC, datetime

import pytest

from shopkeeper.errors import ShopkeeperError
from shopkeeper.extras import require
from shopkeeper.records import Answer, Availability, Hit, Impression, Item, Request


def test_an_items_text_says_the_brand_once():
    item = Item(id="1", title="Acme drill", brand="Acme", category=("Tools", "Drills"), attributes={"power": "800 W"})
    assert item.text == "Acme drill. Tools > Drills. power: 800 W"


def test_sold_out_and_hidden_items_are_not_showable():
    assert Item(id="1", title="t").showable
    assert not Item(id="1", title="t", availability=Availability.OUT_OF_STOCK).showable
    assert not Item(id="1", title="t", hidden=True).showable
    assert Item(id="1", title="t", availability=Availability.PREORDER).showable


def test_an_answer_knows_the_impression_to_log():
    request = Request(query="drill", offset=24, surface="search", time=datetime(2026, 1, 1, tzinfo=UTC))
    hits = (Hit(item="a", score=1.0), Hit(item="b", score=0.5, propensity=0.25))
    impression = Answer(request=request, hits=hits, total=30, model="m-1").impression()
    assert impression == Impression(
        items=("a", "b"), positions=(25, 26), propensities=(1.0, 0.25), model="m-1", surface="search"
    )


def test_a_crooked_impression_is_refused():
    with pytest.raises(ValueError, match="same length"):
        Impression(items=("a",), positions=(), propensities=(1.0,))


def test_a_missing_extra_names_its_install_line():
    with pytest.raises(ShopkeeperError, match=r"pip install 'shopkeeper\[redis\]'"):
        require("no_such_module_here", "redis")


def test_an_error_reads_as_place_fault_and_cure():
    assert str(ShopkeeperError("It is torn.", where="row 3", cure="Mend it.")) == "row 3: It is torn. Mend it."


def test_an_encoder_reads_a_few_attributes_and_no_long_list():
    few = Item(id="1", title="Drill", attributes={"power": "800 W"})
    assert few.passage == few.text == "Drill. power: 800 W"
    many = Item(id="2", title="Drill", description="Drills.", attributes={f"a{n}": str(n) for n in range(7)})
    assert many.passage == "Drill. Drills."
    assert "a6: 6" in many.text
