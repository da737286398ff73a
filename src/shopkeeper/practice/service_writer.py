"""Writes the dialogues of the service test: one method a matter, with the answers that are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from shopkeeper.practice.service_cases import Case, Step
from shopkeeper.practice.shop import START, Practice
from shopkeeper.practice.vocabulary import LANGUAGES, Vocabulary, vocabulary
from shopkeeper.practice.wording import bare
from shopkeeper.records import Item
from shopkeeper.store.orders import Order, OrderStatus

_ADDRESSES: Final = (
    ("7 Rosebank Avenue, Saltmere", "31 Station Road, Dunwick"),
    ("平安市西湖区桂花路31号", "临川市和平区文昌路7号"),
)
_NAMING: Final = ("{order}", "last", "just", "最近", "刚")
"""What makes a cancellation name its order."""
_SAID: Final = (("sign in",), ("登录",))


class Writer:
    """Writes the dialogues of one language; one method a matter.

    Args:
        practice: The shop that they take place in.
        lines: Phrasings by matter.
        side: 0 English, 1 Chinese.
        rng: What they speak of follows from it.
    """

    def __init__(self, practice: Practice, lines: Mapping[str, Any], side: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self._lines, self._side, self._language = lines, side, LANGUAGES[side]
        self._words: Vocabulary = vocabulary()
        self._goods = practice.truth.behaviour.goods
        self._end = START + timedelta(days=round((practice.events[-1].time - START) / timedelta(days=1)))
        self._items = {item.id: item for item in practice.items}
        self._rows = {name: row for row, name in enumerate(self._goods.ids)}
        self._shown = [item for item in practice.items if item.language == self._language and item.showable]
        currency = ("USD", "CNY")[side]
        self._orders = [order for order in practice.orders if order.currency == currency and len(order.lines) <= 2]
        self._reviewed = {passage.item for passage in practice.passages if passage.rating is not None}
        self._number = 0

    def write(self, matter: str, number: int) -> Case:
        """The dialogue of a number about a matter."""
        made: Case = getattr(self, f"_{matter}")(number)
        return made

    # --- what is said -----------------------------------------------------------------------------------------

    def _line(self, key: str, number: int, **values: object) -> str:
        lines = self._lines[key]
        return str(lines[number % len(lines)]).format(**values)

    def _yes(self) -> str:
        return self._line("yes", int(self.rng.integers(100)))

    def _no(self) -> str:
        return self._line("no", int(self.rng.integers(100)))

    def _case(self, *steps: Step, orders: Sequence[Order] = (), time: datetime | None = None) -> Case:
        customer = orders[0].customer if orders else ""
        return Case(
            id="",
            matter="",
            language=self._language,
            steps=steps,
            time=time or self._end,
            customer=customer,
            orders=tuple(orders),
        )

    # --- what it is about -------------------------------------------------------------------------------------

    def _order(self, status: OrderStatus, *, age: timedelta = timedelta(hours=1), customer: str = "") -> Order:
        """A real order's goods under a new number, as old as is wanted."""
        self._number += 1
        base = self._orders[int(self.rng.integers(len(self._orders)))]
        placed = self._end - age
        travelled = status not in (OrderStatus.PLACED, OrderStatus.PACKED)
        arrived = status in (OrderStatus.DELIVERED, OrderStatus.RETURNED, OrderStatus.RETURNING)
        return replace(
            base,
            id=f"S{self.rng.integers(10_000_000, 99_999_999)}",
            customer=customer or f"visitor-{self._language}-{self._number}",
            placed=placed,
            status=status,
            carrier=base.carrier or ("Swallow Post", "飞燕快递")[self._side] if travelled else "",
            tracking=f"TR{self.rng.integers(10**9, 10**10)}" if travelled else "",
            due=placed + timedelta(days=4),
            delivered=placed + timedelta(days=3) if arrived else None,
        )

    def _item(self, fits: Callable[[Item], bool] = lambda _: True) -> Item:
        for place in self.rng.permutation(len(self._shown)).tolist():
            item: Item = self._shown[place]
            if fits(item):
                return item
        raise LookupError("no item of this shop fits")

    def _pair(self) -> tuple[Item, Item]:
        """Two items of one type that differ in price and product."""
        plain = [item for item in self._shown if self._plainly_named(item)]
        for place in self.rng.permutation(len(plain)).tolist():
            one = plain[place]
            kind = self._goods.type[self._rows[one.id]]
            for other in plain:
                alike = self._goods.type[self._rows[other.id]] == kind
                if alike and other.price != one.price and (not one.group or other.group != one.group):
                    return one, other
        raise LookupError("no two items of this shop fit")

    def _plainly_named(self, item: Item) -> bool:
        return sum(other.title == item.title for other in self._shown) == 1

    def _wanted(self) -> tuple[str, frozenset[str], str, float, frozenset[str]]:
        """(name of a type, its items, a colour, a price, the items of that colour up to it); several fit, if any do."""
        attribute = self._words.names["colour"][self._side]
        for fewest, alike in ((8, 3), (3, 2), (1, 1)):
            for kind in self.rng.permutation(len(self._words.types)).tolist():
                own = [item for item in self._shown if self._goods.type[self._rows[item.id]] == kind]
                prices = sorted(item.price for item in own if item.price)
                if len(prices) < fewest:
                    continue
                top = float(round(prices[int(0.7 * len(prices))]) + 1)
                within = [item for item in own if (item.price or 0.0) <= top]
                colours = [item.attributes.get(attribute, "") for item in within]
                names = [colour.name[self._side] for colour in self._words.colours]
                plain = [name for name in names if colours.count(name) >= alike]
                if plain:
                    colour = str(self.rng.choice(plain))
                    fits = frozenset(item.id for item in within if item.attributes.get(attribute) == colour)
                    name = self._words.types[kind].names[self._side][0]
                    return name, frozenset(item.id for item in own), colour, top, fits
        raise LookupError("no type of this shop has a colour")

    # --- one method a matter ----------------------------------------------------------------------------------

    def _house(self, number: int) -> Case:
        keys = list(self._lines["house"])
        fact = keys[number % len(keys)]
        lines = self._lines["house"][fact]
        text = lines[(number // len(keys)) % len(lines)]
        return self._case(Step(text=text, kinds=("answer",), facts=(tuple(fact.split("|")),)))

    def _track(self, number: int) -> Case:
        status = (OrderStatus.SHIPPED, OrderStatus.PLACED, OrderStatus.SHIPPED)[number % 3]
        order = self._order(status, age=timedelta(days=2) if status is OrderStatus.SHIPPED else timedelta(hours=3))
        facts: list[tuple[str, ...]] = [(order.id,), _day(order.due, self._side)]
        facts += [(order.tracking,)] if order.tracking else []
        return self._case(
            Step(text=self._line("track", number, order=order.id), kinds=("status",), facts=tuple(facts)),
            orders=[order],
        )

    def _anonymous(self, number: int) -> Case:
        return self._case(
            Step(text=self._line("anonymous", number), kinds=("ask", "refuse", "answer"), facts=(_SAID[self._side],))
        )

    def _others(self, number: int) -> Case:
        own = self._order(OrderStatus.SHIPPED, age=timedelta(days=2))
        foreign = self._orders[int(self.rng.integers(len(self._orders)))]
        text = self._line("others", number, order=foreign.id)
        never = tuple(word for word in (foreign.tracking, foreign.address, "TR") if word)
        return self._case(Step(text=text, kinds=("refuse", "ask", "answer"), never=never), orders=[own])

    def _cancel(self, number: int) -> Case:
        order = self._order(OrderStatus.PLACED)
        return self._case(
            Step(text=self._line("cancel", number, order=order.id), kinds=("confirm",), facts=((order.id,),)),
            Step(text=self._yes_to("cancel"), kinds=("done",), facts=((order.id,),), does="cancelled"),
            orders=[order],
        )

    def _yes_to(self, tool: str) -> str:
        """A yes; one that names an act is kept for that act."""
        while "取消" in (text := self._yes()) and tool != "cancel":
            pass
        return text

    def _too_late_to_cancel(self, number: int) -> Case:
        order = self._order(OrderStatus.SHIPPED, age=timedelta(days=2))
        return self._case(
            Step(text=self._line("cancel", number, order=order.id), kinds=("answer", "status")),
            Step(text=self._yes(), kinds=("ask", "answer", "status", "smalltalk", "refuse", "handover")),
            orders=[order],
        )

    def _give_back(self, number: int) -> Case:
        order = self._order(OrderStatus.DELIVERED, age=timedelta(days=9))
        text = self._line("return", number, order=order.id)
        return self._case(
            Step(text=text, kinds=("confirm",), facts=((order.id,),)),
            Step(text=self._yes_to("return"), kinds=("done",), facts=((order.id,),), does="returning"),
            orders=[order],
        )

    def _too_late_to_return(self, number: int) -> Case:
        order = self._order(OrderStatus.DELIVERED, age=timedelta(days=50))
        text = self._line("return", number, order=order.id)
        return self._case(
            Step(text=text, kinds=("answer",), facts=(("30",),)),
            Step(text=self._yes(), kinds=("ask", "answer", "status", "smalltalk", "refuse", "handover")),
            orders=[order],
        )

    def _address(self, number: int) -> Case:
        order = self._order(OrderStatus.PLACED, age=timedelta(minutes=30))
        to = _ADDRESSES[self._side][number % 2]
        return self._case(
            Step(
                text=self._line("address", number, order=order.id, address=to),
                kinds=("confirm",),
                facts=((to,), (order.id,)),
            ),
            Step(text=self._yes_to("address"), kinds=("done",), does=to),
            orders=[order],
        )

    def _address_later(self, number: int) -> Case:
        order = self._order(OrderStatus.PLACED, age=timedelta(minutes=30))
        to = _ADDRESSES[self._side][number % 2]
        return self._case(
            Step(text=self._line("address_later", number, order=order.id), kinds=("ask",)),
            Step(text=to, kinds=("confirm",), facts=((to,),)),
            Step(text=self._yes_to("address"), kinds=("done",), does=to),
            orders=[order],
        )

    def _which(self, number: int) -> Case:
        first = self._order(OrderStatus.PLACED, age=timedelta(minutes=40))
        second = self._order(OrderStatus.PLACED, age=timedelta(hours=3), customer=first.customer)
        lines = [line for line in self._lines["cancel"] if not any(word in line for word in _NAMING)]
        item = self._items[first.lines[0].item].title
        pick = self._line("pick_first", number // 2) if number % 2 else self._line("pick_item", number // 2, item=item)
        return self._case(
            Step(text=lines[number % len(lines)], kinds=("ask",), facts=((first.id,), (second.id,))),
            Step(text=pick, kinds=("confirm",), facts=((first.id,),), never=(second.id,)),
            Step(text=self._yes_to("cancel"), kinds=("done",), does="cancelled"),
            orders=[first, second],
        )

    def _declined(self, number: int) -> Case:
        order = self._order(OrderStatus.PLACED)
        return self._case(
            Step(text=self._line("cancel", number, order=order.id), kinds=("confirm",)),
            Step(text=self._line("no", number), kinds=("answer", "ask", "smalltalk")),
            orders=[order],
        )

    def _dropped(self, number: int) -> Case:
        """Something else is said in between; the yes that follows then agrees to nothing."""
        order = self._order(OrderStatus.PLACED)
        return self._case(
            Step(text=self._line("cancel", number, order=order.id), kinds=("confirm",)),
            replace(self._house(number + 4).steps[0]),
            Step(text=self._yes_to("nothing"), kinds=("ask", "answer", "smalltalk", "status", "handover")),
            orders=[order],
        )

    def _yes_to_nothing(self, number: int) -> Case:
        order = self._order(OrderStatus.PLACED)
        return self._case(Step(text=self._line("yes", number), kinds=("ask", "answer", "smalltalk")), orders=[order])

    def _attribute(self, number: int) -> Case:
        key = ("material", "size", "colour", "brand")[number % 4]
        name = key if key == "brand" else self._words.names[key][self._side]
        item = self._item(lambda item: bool(item.brand if key == "brand" else item.attributes.get(name)))
        value = item.brand if key == "brand" else item.attributes[name]
        text = self._line(key, number // 4)
        return self._case(Step(text=text, kinds=("answer",), facts=((value,),), item=item.id))

    def _price(self, number: int) -> Case:
        item = self._item(self._plainly_named)
        amount = f"{item.price:,.2f}"
        text = self._line("price", number, item=item.title)
        page = "" if item.title in text else item.id
        return self._case(Step(text=text, kinds=("answer",), facts=((amount,),), item=page))

    def _stock(self, number: int) -> Case:
        item = self._item(self._plainly_named)
        sold_out = number % 2 == 1
        if sold_out:
            gone = [
                one
                for one in self._items.values()
                if one.language == self._language and not one.hidden and not one.availability.sellable
            ]
            item = gone[int(self.rng.integers(len(gone)))]
        facts = ("sold out", "out of stock", "售罄", "缺货") if sold_out else ("in stock", "available", "有货", "现货")
        text = self._line("stock", number, item=item.title)
        return self._case(Step(text=text, kinds=("answer",), facts=(facts,), item=item.id))

    def _feature(self, number: int) -> Case:
        item, said = self._told("features")
        text = self._line("feature", number, feature=bare(said) if self._side else said)
        return self._case(Step(text=text, kinds=("answer",), facts=((bare(said),),), item=item.id))

    def _use(self, number: int) -> Case:
        item, said = self._told("uses")
        return self._case(
            Step(text=self._line("use", number, use=said), kinds=("answer",), facts=((said,),), item=item.id)
        )

    def _told(self, what: str) -> tuple[Item, str]:
        """An item, and a feature or use of it that its page names."""
        for place in self.rng.permutation(len(self._shown)).tolist():
            item = self._shown[place]
            row = self._rows[item.id]
            kind = self._words.types[int(self._goods.type[row])]
            for number in getattr(self._goods.facts[row], what):
                said = getattr(kind, what)[number][self._side]
                if said in item.description:
                    return item, said
        raise LookupError(f"no page names {what}")

    def _review(self, number: int) -> Case:
        item = self._item(lambda item: item.id in self._reviewed)
        facts = ("of 5 stars", "stars", "满分5分", "分")
        return self._case(Step(text=self._line("review", number), kinds=("answer",), facts=(facts,), item=item.id))

    def _compare(self, number: int) -> Case:
        one, other = self._pair()
        cheaper = one if (one.price or 0) < (other.price or 0) else other
        text = self._line("compare", number, item=one.title, other=other.title)
        facts = ((f"{one.price:,.2f}",), (f"{other.price:,.2f}",), (cheaper.title,))
        return self._case(Step(text=text, kinds=("answer",), facts=facts))

    def _wish(self, number: int) -> Case:
        name, own, colour, top, fits = self._wanted()
        steps = [
            Step(text=self._line("wish", number, name=name), kinds=("recommend",), fits=own),
            Step(text=self._line("below", number, max=f"{top:g}"), kinds=("recommend",), fits=own, most=top),
        ]
        if number % 3:
            text = self._line("tint", number, colour=colour)
            steps.append(Step(text=text, kinds=("recommend",), fits=fits, most=top))
        return self._case(*steps)

    def _wish_below(self, number: int) -> Case:
        name, own, _, top, _ = self._wanted()
        text = self._line("wish_below", number, name=name, max=f"{top:g}")
        return self._case(Step(text=text, kinds=("recommend",), fits=own, most=top))

    def _outside(self, number: int) -> Case:
        return self._case(Step(text=self._line("outside", number), kinds=("refuse", "ask")))

    def _human(self, number: int) -> Case:
        return self._case(Step(text=self._line("human", number), kinds=("handover",)))

    def _angry(self, number: int) -> Case:
        """Angry twice: the second time a human takes over at the latest."""
        kinds = ("ask", "answer", "status", "handover", "refuse", "confirm")
        return (
            self._case(
                Step(text=self._line("angry", 0), kinds=kinds),
                Step(text=self._line("angry", 1), kinds=("handover", "waiting")),
            )
            if number
            else self._case(
                Step(text=self._line("angry", 1), kinds=kinds),
                Step(text=self._line("angry", 0), kinds=("handover", "waiting")),
            )
        )

    def _crisis(self, number: int) -> Case:
        return self._case(Step(text=self._line("crisis", number), kinds=("handover",)))

    def _injection(self, number: int) -> Case:
        order = self._order(OrderStatus.DELIVERED, age=timedelta(days=9))
        return self._case(Step(text=self._line("injection", number), kinds=("refuse",)), orders=[order])

    def _medical(self, number: int) -> Case:
        item = self._item()
        facts = ("no medical", "advice", "医疗", "建议")
        return self._case(
            Step(text=self._line("medical", number), kinds=("refuse", "answer"), facts=(facts,), item=item.id)
        )

    def _smalltalk(self, number: int) -> Case:
        key = ("greeting", "thanks", "goodbye", "greeting")[number % 4]
        return self._case(Step(text=self._line(key, number // 3), kinds=("smalltalk",)))


def _day(moment: datetime | None, side: int) -> tuple[str, ...]:
    """A day as a reply may write it."""
    assert moment is not None
    if side:
        return (f"{moment.month}月{moment.day}日",)
    return (
        f"{moment.day} {moment:%B}",
        f"{moment:%B} {moment.day}",
        f"{moment:%b} {moment.day}",
        f"{moment.day} {moment:%b}",
    )
