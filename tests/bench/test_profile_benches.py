"""The benches of profiles on a small shop whose customers are known."""

import numpy as np
from hash_encoder import HashEncoder
from profileshop import SHOP, frame, lived

from bench.profile_journey import _baskets, _left_out
from bench.profile_rows import rows
from shopkeeper.recipes.customers.profile import read_log
from shopkeeper.retrieval.shelf import Shelf

ENCODER = HashEncoder(16)
LOG = read_log(frame(lived()), Shelf(SHOP), ENCODER.encode([item.passage for item in SHOP]), ENCODER.encode, "hash")


def test_every_system_has_a_row_and_ours_beat_the_base_rate():
    found = {row.system: row.metrics for row in rows(LOG, moments=4)}
    for target in ("purchase_30", "churn_30"):
        names = [f"{target}, base rate", f"{target}, RFM logistic", f"{target}, BG/NBD", f"shopkeeper, words: {target}"]
        losses = [found[name]["log_loss"].value for name in names]
        assert losses[-1] < losses[0]
        assert found[names[0]]["auc"].value == 0.5
    assert "shopkeeper, behaviour only: next category" in found
    assert found["shopkeeper, words: worth"]["spearman"].value > 0.5


def test_the_left_out_item_is_what_is_foreseen():
    asked = _left_out(LOG, 1)
    last = LOG.deeds.indptr[asked.who + 1] - 1
    assert (asked.at == LOG.deeds.times[last]).all()
    assert (asked.past.times < asked.at[asked.past.owners]).all()
    baskets = _baskets(LOG, asked)
    assert np.allclose(baskets.shares.sum(axis=1), 1.0)
