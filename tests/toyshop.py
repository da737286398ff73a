"""A tiny shop with a known answer: two tastes, Chinese and English, nothing random but by seed.

40 items: 20 for the garden, 20 for the kitchen; in each, the even ones are titled in English, the odd ones in Chinese.
60 customers: even numbers garden, odd numbers kitchen. Every customer searches, views and buys within one taste only, so
anything that learns must prefer a customer's own taste; and item ``garden-04`` is bought together with ``garden-06``
more often than with anything else (likewise in the kitchen). Nothing is sold out except ``garden-18`` and ``kitchen-18``;
``garden-19`` and ``kitchen-19`` are hidden; nobody touches those four.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from shopkeeper.records import (
    Availability,
    Customer,
    Event,
    EventKind,
    Impression,
    Item,
    Judgement,
    Passage,
    PassageKind,
)
from shopkeeper.store.database import SqlStore, open_store

TASTES = ("garden", "kitchen")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60
CUSTOMERS = 60
PAIR = (4, 6)
"""Numbers of the two items of each taste that are bought together."""

_TITLES = {
    "garden": [
        ("Steel garden rake", "钢制园艺耙"),
        ("Watering can 10 litres", "十升浇水壶"),
        ("Pruning shears for roses", "玫瑰修枝剪"),
        ("Wheelbarrow with rubber tyre", "橡胶轮独轮手推车"),
        ("Organic potting soil", "有机盆栽土"),
        ("Tomato seeds", "番茄种子"),
        ("Lawn mower electric", "电动割草机"),
        ("Garden hose 20 metres", "二十米花园水管"),
        ("Flower pot terracotta", "陶土花盆"),
        ("Leather work gloves", "园艺皮手套"),
    ],
    "kitchen": [
        ("Cast iron frying pan", "铸铁煎锅"),
        ("Chef knife stainless steel", "不锈钢厨师刀"),
        ("Bamboo cutting board", "竹制砧板"),
        ("Electric kettle 1.7 litres", "电热水壶"),
        ("Espresso coffee machine", "意式咖啡机"),
        ("Non-stick baking tray", "不粘烤盘"),
        ("Porcelain rice bowls", "瓷饭碗"),
        ("Wok with lid", "带盖炒锅"),
        ("Stand mixer for dough", "和面机"),
        ("Silicone spatula", "硅胶铲"),
    ],
}
_WORDS = {
    "garden": {"en": "For the garden, lawn, plants and flowers outdoors.", "zh": "适合花园、草坪、植物和户外花卉。"},
    "kitchen": {"en": "For the kitchen, cooking, baking and the table.", "zh": "适合厨房、烹饪、烘焙和餐桌。"},
}
_QUERIES = {"garden": ("garden tools", "花园", "flower pot"), "kitchen": ("frying pan", "厨房", "knife")}
_BRANDS = {"garden": ("Greenleaf", "绿野"), "kitchen": ("Hearth", "灶台")}
_COLOURS = ("red", "green", "blue", "black")


def taste_of_item(item: str) -> str:
    """``garden`` or ``kitchen``."""
    return item.split("-")[0]


def taste_of_customer(customer: str) -> str:
    """``garden`` or ``kitchen``: even customers garden, odd ones kitchen."""
    return TASTES[int(customer.removeprefix("c")) % 2]


def item_id(taste: str, number: int) -> str:
    """The id of an item, e.g. ``garden-04``."""
    return f"{taste}-{number:02d}"


def toy_items() -> list[Item]:
    """The 40 items, garden first."""
    return [_item(taste, number) for taste in TASTES for number in range(20)]


def toy_customers() -> list[Customer]:
    """The 60 customers ``c00`` to ``c59``."""
    return [Customer(id=f"c{n:02d}", language="zh" if n % 4 > 1 else "en", created=START) for n in range(CUSTOMERS)]


def toy_events(seed: int = 0) -> list[Event]:
    """2,160 events of 60 days in order of time: searches with impressions, views, carts, purchases.

    The same seed gives the same events; ids are unique over seeds.
    """
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(CUSTOMERS):
        for visit in range(3):
            events.extend(_visit(f"c{number:02d}", visit, seed, rng))
    events.sort(key=lambda event: (event.time, event.id))
    return events


def toy_passages() -> list[Passage]:
    """One review of every fourth item, good for the even tens and bad for the odd ones, and one FAQ per language."""
    reviews = [
        Passage(
            id=f"review-{item.id}",
            kind=PassageKind.REVIEW,
            text="Very good, works well." if place % 8 == 0 else "Broke after a week, disappointing.",
            item=item.id,
            customer=f"c{place:02d}",
            time=START + timedelta(days=DAYS, minutes=place),
            rating=5.0 if place % 8 == 0 else 1.0,
            language="en",
        )
        for place, item in enumerate(toy_items())
        if place % 4 == 0
    ]
    faq = [
        Passage(id="faq-en", kind=PassageKind.FAQ, title="Returns", text="Return within 30 days.", language="en"),
        Passage(id="faq-zh", kind=PassageKind.FAQ, title="退货", text="三十天内可以退货。", language="zh"),
    ]
    return reviews + faq


def toy_judgements() -> list[Judgement]:
    """For every query of `toy_events`: grade 3 for three items of its taste, 0 for three of the other."""
    return [
        Judgement(query=query, item=item_id(other, number), grade=3.0 if other == taste else 0.0, rater="toy")
        for taste in TASTES
        for query in _QUERIES[taste]
        for other in TASTES
        for number in range(3)
    ]


def toy_store(path: Path, seed: int = 0) -> SqlStore:
    """A SQLite store in the folder `path` that holds all of the above. Close it."""
    store = open_store(f"sqlite:///{path / 'shop.db'}")
    store.catalogue.put(toy_items())
    store.customers.put(toy_customers())
    store.events.append(toy_events(seed))
    store.words.put(toy_passages())
    store.labels.put(toy_judgements())
    return store


def _item(taste: str, number: int) -> Item:
    language = "en" if number % 2 == 0 else "zh"
    place = 0 if language == "en" else 1
    return Item(
        id=item_id(taste, number),
        title=_TITLES[taste][number // 2][place],
        description=_WORDS[taste][language],
        brand=_BRANDS[taste][place],
        category=(taste.capitalize(), "Tools" if number < 10 else "More"),
        price=5.0 + 2.5 * number,
        currency="EUR",
        availability=Availability.OUT_OF_STOCK if number == 18 else Availability.IN_STOCK,
        attributes={"colour": _COLOURS[number % 4]},
        codes=(f"{taste[0].upper()}{number:04d}",),
        language=language,
        hidden=number == 19,
        created=START - timedelta(days=20 - number),
    )


def _visit(customer: str, visit: int, seed: int, rng: np.random.Generator) -> list[Event]:
    taste = taste_of_customer(customer)
    time = START + timedelta(days=float(rng.uniform(visit * DAYS / 3, (visit + 1) * DAYS / 3)))
    session = f"{customer}-s{visit}"
    wanted = [int(n) for n in rng.choice(18, size=3, replace=False)]
    if rng.random() < 0.5:
        wanted = list(PAIR) + [n for n in wanted if n not in PAIR][:1]
    shown = tuple(item_id(taste, number) for number in wanted)
    request = f"toy{seed}-{session}"
    query = _QUERIES[taste][int(rng.integers(3))]
    impression = Impression(
        items=shown, positions=(1, 2, 3), propensities=(1.0, 1.0, 1.0), model="toy", surface="search"
    )
    rows: list[tuple[EventKind, dict[str, object]]] = [
        (EventKind.SEARCH, {"query": query}),
        (EventKind.IMPRESSION, {"query": query, "impression": impression}),
    ]
    for place, number in enumerate(wanted):
        item = item_id(taste, number)
        rows += [(EventKind.CLICK, {"item": item, "query": query}), (EventKind.VIEW, {"item": item})]
        if place < 2:
            rows += [
                (EventKind.CART, {"item": item}),
                (EventKind.PURCHASE, {"item": item, "value": 5.0 + 2.5 * number}),
            ]
    return [
        Event(
            id=f"{request}-{step}",
            time=time + timedelta(seconds=20 * step),
            kind=kind,
            customer=customer,
            session=session,
            request=request,
            **fields,  # type: ignore[arg-type]
        )
        for step, (kind, fields) in enumerate(rows)
    ]


def toy_footwear() -> list[Item]:
    """20 shoes to ask questions about: what is of leather, what says it is not, variants of one product, a price each.

    ``boot-*`` are boots of leather (even) and without (odd), the latter saying so; ``run-*`` are two running shoes in four
    colours, each one product; prices rise with the number. One attribute is called ``rating`` and is none.
    """
    boots = [
        ("Ankle boots of brown leather", "Real leather, warm."),
        ("Vegan ankle boots", "Without leather, made of cork. Leather-free and light."),
        ("Leather riding boots", "Soft leather from Spain."),
        ("Rubber rain boots", "Dry feet in the garden."),
        ("真皮短靴", "头层真皮，保暖。"),
        ("素食短靴", "不含真皮，软木制成。"),
        ("Suede winter boots", "Leather sole."),
        ("Felt slippers", "No leather, no glue."),
    ]
    made = [
        Item(
            id=f"boot-{place:02d}",
            title=title,
            description=description,
            brand="Cobbler" if place < 4 else "鞋匠",
            category=("Shoes", "Boots"),
            price=20.0 + 10 * place,
            currency="EUR",
            attributes={"season": "winter" if place % 2 else "autumn", "rating": "all weather"},
            language="zh" if place in (4, 5) else "en",
            created=START + timedelta(days=place),
        )
        for place, (title, description) in enumerate(boots)
    ]
    colours = ("red", "green", "blue", "black")
    for model, (title, brand) in enumerate(
        (("Running shoes", "Fleet"), ("Trail running shoes", "Fleet"), ("跑鞋", "飞"))
    ):
        for place, colour in enumerate(colours):
            made.append(
                Item(
                    id=f"run-{model}-{colour}",
                    title=f"{title} {colour}",
                    description="Light shoes for a long run.",
                    brand=brand,
                    category=("Shoes", "Running"),
                    price=50.0 + 10 * model + place,
                    currency="EUR",
                    attributes={"colour": colour, "size": str(38 + place)},
                    group=f"run-{model}",
                    language="en" if model < 2 else "zh",
                    created=START + timedelta(days=30 + model),
                )
            )
    return made


def toy_stars() -> list[Event]:
    """Reviews of `toy_footwear` and the kitchen: boots get 5 stars, running shoes 3, kitchen items 1 to 5 by number."""
    stars = {item.id: 5.0 if item.id.startswith("boot") else 3.0 for item in toy_footwear()}
    stars |= {item_id("kitchen", number): 1.0 + number % 5 for number in range(18)}
    return [
        Event(id=f"stars-{item}", time=START, kind=EventKind.REVIEW, customer="critic", item=item, value=value)
        for item, value in stars.items()
    ]
