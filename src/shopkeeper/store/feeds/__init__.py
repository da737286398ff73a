"""Import and export: shops' files in, records out, and the other way round."""

from shopkeeper.store.feeds.exporting import (
    export_events,
    export_judgements,
    export_products,
    export_reviews,
    export_texts,
    item_cells,
)
from shopkeeper.store.feeds.importing import (
    import_events,
    import_judgements,
    import_orders,
    import_products,
    import_reviews,
    import_texts,
    read_products,
)
from shopkeeper.store.feeds.labels import import_labels
from shopkeeper.store.feeds.lexicon import read_lexicon
from shopkeeper.store.feeds.mapping import ColumnMapping, guess_mapping, load_mapping, parse_mapping
from shopkeeper.store.feeds.media import URLS, import_media
from shopkeeper.store.feeds.report import ImportReport, StrictImportError

__all__ = [
    "URLS",
    "ColumnMapping",
    "ImportReport",
    "StrictImportError",
    "export_events",
    "export_judgements",
    "export_products",
    "export_reviews",
    "export_texts",
    "guess_mapping",
    "import_events",
    "import_judgements",
    "import_labels",
    "import_media",
    "import_orders",
    "import_products",
    "import_reviews",
    "import_texts",
    "item_cells",
    "load_mapping",
    "parse_mapping",
    "read_lexicon",
    "read_products",
]
