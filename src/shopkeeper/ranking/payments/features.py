"""A payment in numbers: amount, velocity, counterparts, known fraud, graph, sequence and words.

One computation serves training and the running shop. `payment_features` takes a whole history at once; `PaymentWindows`
hands the same code the few payments that bear on one, so both give the same numbers. Everything is as it stood when the
payment was made: earlier payments only, and fraud only once it was known and the delay had passed (Dal Pozzolo et al. 2018,
"Credit card fraud detection: a realistic modeling and a novel learning strategy").

Amounts are compared within a currency only, in thousandths of its median.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shopkeeper.models.text import Floats
from shopkeeper.ranking.payments.columns import Ints, Payments
from shopkeeper.ranking.payments.ledger import Ledger
from shopkeeper.ranking.payments.runs import KnownFraud
from shopkeeper.ranking.payments.table import DELAY, Feature, table_of, tallies


def payment_features(
    payments: Payments,
    rows: Ints | None = None,
    *,
    medians: Mapping[str, float] | None = None,
    vectors: Floats | None = None,
    delay: int = DELAY,
) -> tuple[tuple[Feature, ...], Floats]:
    """Features of payments, each as it stood when it was made.

    Args:
        payments: The whole history, with what is known about fraud.
        rows: int64 (q,), whose features are wanted; all when None.
        medians: Currency to the unit of its amounts; the payments' own medians when None.
        vectors: float32 (items, d), rows that `payments.words` names; None leaves out what words say.
        delay: Seconds until fraud counts as known, and a payment without it as settled.

    Returns:
        The q rows' features, named: float32 (q, f), NaN where something does not apply.
    """
    table = table_of(payments, payments.medians() if medians is None else medians)
    known = {column: KnownFraud(*pair, delay) for column, pair in tallies(payments, delay).items()}
    ledger = Ledger(table, known, vectors)
    everything = np.arange(len(payments), dtype=np.int64)
    columns = ledger.features(everything if rows is None else rows, ledger.derive(everything))
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.float32)
