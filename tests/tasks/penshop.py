"""A small shop to write for: English and Chinese items, reviews with known counts, and a desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shopkeeper.records import Availability, Item, Passage, PassageKind
from shopkeeper.store.database import open_store
from shopkeeper.tasks.write.task import WriteTask
from shopkeeper.tasks.write.words import ShopWords

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def items() -> list[Item]:
    rake = Item(
        id="rake",
        title="Steel rake with handle",
        description="A rake for leaves and soil. The handle is 150 cm long. Not suitable for children.",
        brand="Greenleaf",
        category=("Garden", "Rakes"),
        price=24.99,
        currency="USD",
        attributes={"colour": "green", "material": "steel", "season": "autumn", "article number": "88123"},
        language="en",
    )
    knife = Item(
        id="knife",
        title="不锈钢厨师刀 20 cm",
        description="刀身为不锈钢。手柄不防水。适合切肉切菜。",
        brand="灶台",
        category=("厨房", "刀具"),
        price=79.9,
        currency="CNY",
        attributes={"颜色": "银色", "材质": "不锈钢", "规格": "20 cm"},
        language="zh",
    )
    others = [
        Item(id=f"other-{n}", title=f"{colour} {thing}", description="It is made for daily use.", brand=brand,
             category=("Garden", "Rakes"), price=10.0 + n, currency="USD", language="en",
             attributes={"colour": colour, "material": material})
        for n, (colour, thing, brand, material) in enumerate(
            [("red", "rake", "Acme Tools", "plastic"), ("red", "spade", "Acme Tools", "plastic"),
             ("red", "fork", "Acme Tools", "plastic"), ("green", "hoe", "Greenleaf", "steel"),
             ("green", "saw", "Greenleaf", "steel")])
    ]  # fmt: skip
    bare = Item(id="bare", title="Hose", language="en")
    gone = Item(
        id="sold", title="Green watering can", brand="Greenleaf", price=5.0, currency="USD", language="en",
        availability=Availability.OUT_OF_STOCK, attributes={"colour": "green"},
    )  # fmt: skip
    return [rake, knife, *others, bare, gone]


def reviews() -> list[Passage]:
    said = [
        ("rake", "Sturdy and well made, solid quality.", 5, "en"),
        ("rake", "Excellent quality. Fast delivery, arrived early.", 5, "en"),
        ("rake", "Great quality for the garden.", 4, "en"),
        ("rake", "The parcel arrived late and damaged.", 1, "en"),
        ("rake", "Solid build. Call me on 138 1234 5678 or mail bob@example.com about the quality.", 5, "en"),
        ("knife", "质量很好，很锋利。", 5, "zh"),
        ("knife", "做工精细，质量不错。", 5, "zh"),
        ("knife", "快递太慢了。", 2, "zh"),
    ]
    return [
        Passage(id=f"r{n}", kind=PassageKind.REVIEW, text=text, item=item, rating=float(stars), language=language,
                customer=f"c{n}", time=DAY + timedelta(days=n))
        for n, (item, text, stars, language) in enumerate(said)
    ]  # fmt: skip


class PenShop:
    """A store, its items in memory as a shelf would hold them, and the task."""

    def __init__(self, folder, **options):
        self.store = open_store(f"sqlite:///{folder / 'shop.db'}")
        self.items = {item.id: item for item in items()}
        self.store.catalogue.put(self.items.values())
        self.store.words.put(reviews())
        self.task = self.pen(**options)

    def pen(self, **options) -> WriteTask:
        """Another task over the same store, as another process would have."""
        return WriteTask(
            self.items.get, self.store.words, self.store.labels, lambda: ShopWords(self.items.values()), **options
        )
