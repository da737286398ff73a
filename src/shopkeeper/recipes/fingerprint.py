"""What a model was trained on, in a few figures that change when the data does."""

from __future__ import annotations

from typing import Any

from shopkeeper.store.protocols import Store


def fingerprint(store: Store) -> dict[str, Any]:
    """Counts and positions of the store: enough to tell whether two models saw the same data."""
    return {
        "items": store.catalogue.count(),
        "catalogue_version": store.catalogue.version,
        "events": store.events.count(),
        "events_position": store.events.position,
        "judgements": store.labels.count(),
        "customers": store.customers.count(),
        "passages": store.words.count(),
    }
