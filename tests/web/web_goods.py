"""A product that tries everything a title can try, variants, and rules of a merchandiser."""

from datetime import timedelta

from shopkeeper.records import Item, Passage, PassageKind, now
from shopkeeper.store.merchandising import Banner, Rule, Then, When
from shopkeeper.store.orders import Order, OrderLine, OrderStatus

HOSTILE = Item(
    id='<b>"&/?#',
    title="<script>alert('title')</script> & Co",
    description="</textarea><img src=x onerror=alert(1)>",
    brand='"><svg onload=alert(1)>',
    category=("<i>Odd</i>", "A&B"),
    attributes={"<u>name</u>": "'\"><script>1</script>"},
    price=1.5,
    currency="EUR",
    images=("javascript:alert(1)", "../shop.db"),
)

GOODS = [
    *(
        Item(
            id=f"headphones-{colour}",
            title=f"Wireless headphones {colour}",
            description="Closed headphones with a long battery. Foldable; the headphones come with a soft bag.",
            brand="Tonfa",
            category=("Audio", "Headphones"),
            attributes={"colour": colour},
            price=price,
            currency="EUR",
            group="headphones",
            language="en",
        )
        for colour, price in (("white", 79.0), ("violet", 79.0), ("amber", 69.0))
    ),
    Item(
        id="earphones-zh",
        title="降噪蓝牙耳机",
        description="头戴式蓝牙耳机，续航三十小时，附收纳袋。",
        brand="Tonfa",
        category=("Audio", "Headphones"),
        price=99.0,
        currency="EUR",
        videos=("toys/turning.webm", "javascript:alert(1)", "turning.gif"),
        language="zh",
    ),
]

_BANNER = Banner(text={"en": "<b>Earphone</b> week & more", "zh": "<b>耳机</b>周开始了"}, link="/search?brand=Tonfa")
RULES = [
    Rule(id="week", name="Week", when=When(contains=("headphones", "耳机")), then=Then(banner=_BANNER)),
    Rule(id="back", name="Back", when=When(exact=("returns", "退货")), then=Then(redirect="/basket")),
    Rule(id="there", name="There", when=When(exact=("hither",)), then=Then(redirect="/search?q=thither")),
    Rule(id="again", name="Again", when=When(exact=("thither",)), then=Then(redirect="/search?q=hither")),
    Rule(id="round", name="Round", when=When(exact=("roundabout",)), then=Then(redirect="/search?q=roundabout")),
    Rule(id="cans", name="Cans", when=When(exact=("brain cans",)), then=Then(query="wireless headphones")),
]

POLICIES = [
    Passage(
        id="policy-returns",
        kind=PassageKind.POLICY,
        title="Returns",
        text="You can return any item within 30 days of delivery. The return is free of charge.",
        language="en",
    ),
    Passage(
        id="policy-returns-zh",
        kind=PassageKind.POLICY,
        title="退货",
        text="收到商品后 30 天内可以退货，退货免运费。",
        language="zh",
    ),
]


def open_orders() -> list[Order]:
    """An order for each of some customers, placed an hour ago."""
    line = OrderLine(item="garden-04", quantity=1, price=12.0)
    placed = now() - timedelta(hours=1)
    return [
        Order(id=f"B20{number:02d}", customer=f"c{number:02d}", placed=placed, status=OrderStatus.PLACED, lines=(line,))
        for number in (10, 12, 14, 16, 18)
    ]
