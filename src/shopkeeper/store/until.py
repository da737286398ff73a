"""A store that ends at a moment: what was known then, for learning that must not see what it is examined on."""

from __future__ import annotations

from datetime import datetime

from shopkeeper.store.protocols import Store
from shopkeeper.store.views import LogView, View, WordsView


class Until(View):
    """`store` as it was before `moment`: later events and passages are not there. Read-only, see `View`."""

    def __init__(self, store: Store, moment: datetime) -> None:
        super().__init__(
            store,
            LogView(store.events, lambda event: event.time < moment, lambda frame: frame, moment),
            WordsView(store.words, lambda passage: passage.time is None or passage.time < moment),
        )
