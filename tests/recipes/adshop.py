"""A shop whose customers click by taste, by the query and by the place, with chances that are known."""

from datetime import timedelta

import numpy as np
from hash_encoder import HashEncoder
from toyshop import START, TASTES, item_id, taste_of_item, toy_customers, toy_items

from shopkeeper.records import Event, EventKind, Impression
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import open_store

QUERIES = {"garden": "garden lawn plants", "kitchen": "kitchen cooking baking"}
PLACES = 6
LOOKED = np.arange(1, PLACES + 1) ** -0.7
WISH, REST = 0.6, 0.06
"""Chance of a click at place one on what was asked for, and on what was not."""
BOUGHT = {"garden": 0.5, "kitchen": 0.1}
ENCODER = HashEncoder()


def ad_store(path, pages=1200, seed=0, paid=False):
    """Searches over 60 days: six items in random order each, half of the taste asked for. Garden items sell well.

    With `paid`, every second page is one of ads, on which a click is half as likely.
    """
    rng = np.random.default_rng(seed)
    store = open_store(f"sqlite:///{path / 'ads.db'}")
    store.catalogue.put(toy_items())
    store.customers.put(toy_customers())
    events = []
    for number in range(pages):
        time = START + timedelta(days=60 * number / pages)
        taste = TASTES[int(rng.integers(2))]
        about = {"customer": f"c{int(rng.integers(60)):02d}", "session": f"s{number}", "request": f"r{number}"}
        items = [item_id(kind, int(n)) for kind in TASTES for n in rng.choice(18, PLACES // 2, replace=False)]
        items = [items[n] for n in rng.permutation(PLACES)]
        shown = Impression(
            items=tuple(items), positions=tuple(range(1, PLACES + 1)), propensities=(1.0,) * PLACES, surface="search"
        )
        ad = paid and number % 2
        kind = EventKind.AD_IMPRESSION if ad else EventKind.IMPRESSION
        said = {"query": QUERIES[taste]}
        events.append(Event(id=f"i{number}", time=time, kind=kind, impression=shown, **said, **about))
        for place, item in enumerate(items):
            chance = LOOKED[place] * (WISH if taste_of_item(item) == taste else REST) * (0.5 if ad else 1)
            if rng.random() < chance:
                kind = EventKind.AD_CLICK if ad else EventKind.CLICK
                later = time + timedelta(seconds=20 + place)
                events.append(Event(id=f"c{number}-{place}", time=later, kind=kind, item=item, **said, **about))
                if rng.random() < BOUGHT[taste_of_item(item)]:
                    rest = {key: about[key] for key in ("customer", "session")}
                    key = f"b{number}-{place}"
                    later += timedelta(hours=2)
                    events.append(Event(id=key, time=later, kind=EventKind.PURCHASE, item=item, value=9.0, **rest))
    store.events.append(sorted(events, key=lambda event: event.time))
    return store


def shelf_and_vectors(store):
    shelf = Shelf(store.catalogue.scan())
    return shelf, ENCODER.encode([item.passage for item in shelf.items])


def encode(texts):
    return ENCODER.encode(texts, "query")
