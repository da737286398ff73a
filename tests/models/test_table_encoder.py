"""A table passes what every encoder passes, and means what its teacher meant."""

from __future__ import annotations

import numpy as np
import pytest
from test_encoder_contract import (
    test_any_text_is_encoded,
    test_nothing_gives_no_rows,
    test_odd_texts_give_finite_unit_vectors,
    test_order_and_batch_size_do_not_matter,
    test_shape_type_and_length,
    test_the_same_text_gives_the_same_vector,
    test_threads_do_not_disturb_each_other,
)
from tinymodels import WORDS, tiny_bert, tiny_gpt

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.table import TableEncoder
from shopkeeper.training.tables import distil_table

__all__ = [
    "test_any_text_is_encoded",
    "test_nothing_gives_no_rows",
    "test_odd_texts_give_finite_unit_vectors",
    "test_order_and_batch_size_do_not_matter",
    "test_shape_type_and_length",
    "test_the_same_text_gives_the_same_vector",
    "test_threads_do_not_disturb_each_other",
]

TEXTS = [f"{first} {second}" for first in WORDS[:8] for second in WORDS[:8] if first != second]


@pytest.fixture(scope="module", params=["bert", "gpt"])
def encoder(request: pytest.FixtureRequest) -> TableEncoder:
    return distil_table(tiny_bert() if request.param == "bert" else tiny_gpt(), TEXTS, dimension=16)


def tokenizer():
    return tiny_bert().tokenizer.backend_tokenizer


def test_a_text_is_the_weighted_mean_of_its_tokens() -> None:
    table = np.zeros((tokenizer().get_vocab_size(), 3), dtype=np.float16)
    red, shoe = (tokenizer().token_to_id(word) for word in ("red", "shoe"))
    table[red], table[shoe] = (3, 0, 0), (0, 0, 4)
    encoder = TableEncoder(table, tokenizer())
    np.testing.assert_allclose(encoder.encode(["red", "shoe red", "SHOE"]), [[1, 0, 0], [0.6, 0, 0.8], [0, 0, 1]])
    np.testing.assert_array_equal(encoder.encode(["한국어", ""]), [[1, 0, 0]] * 2)
    assert (encoder.dimension, encoder.megabytes) == (3, table.nbytes / 1e6)


def test_the_table_keeps_who_is_close_to_whom() -> None:
    teacher = tiny_bert()
    table = distil_table(teacher, TEXTS, dimension=32)
    meant, found = (
        vectors @ vectors.T for vectors in (_centred(TorchEncoder(teacher).encode(TEXTS)), table.encode(TEXTS))
    )
    pairs = np.triu_indices(len(TEXTS), 1)
    assert np.corrcoef(meant[pairs], found[pairs])[0, 1] > 0.5


def test_context_and_rarity_count() -> None:
    teacher = tiny_bert()
    often = ["red cup"] * 30 + ["blue shirt"]
    plain, seen = distil_table(teacher, dimension=8), distil_table(teacher, often, dimension=8)
    red, blue = (tokenizer().token_to_id(word) for word in ("red", "blue"))
    lengths = np.linalg.norm(_rows(seen), axis=1)
    assert lengths[red] < lengths[blue]
    assert not np.allclose(_rows(plain)[red], _rows(seen)[red])
    silent = [tokenizer().token_to_id(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")]
    assert not _rows(seen)[silent].any()
    assert distil_table(teacher, dimension=500).dimension == 32


def test_a_tokenizer_that_pads_changes_nothing() -> None:
    teacher, padding = tiny_bert(), tiny_bert()
    padding.tokenizer.backend_tokenizer.enable_padding(length=24)
    np.testing.assert_array_equal(_rows(distil_table(padding, TEXTS)), _rows(distil_table(teacher, TEXTS)))
    assert len(padding.tokenizer.backend_tokenizer.encode("red").ids) == 24


def test_a_saved_table_is_the_same_table(encoder: TableEncoder, tmp_path) -> None:
    bundle = encoder.save(tmp_path / "table", Card(task="table", version="3"))
    again = TableEncoder.of(Bundle.open(tmp_path / "table"))
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    assert again.name == bundle.name == "table-3"
    assert bundle.card.base == encoder.name


def test_what_is_no_table_is_refused(tmp_path) -> None:
    with pytest.raises(ModelError, match="does not fit a tokenizer"):
        TableEncoder(np.zeros((3, 4), dtype=np.float16), tokenizer())
    broken = np.zeros((tokenizer().get_vocab_size(), 4), dtype=np.float16)
    broken[2] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        TableEncoder(broken, tokenizer())
    other = save_bundle(tmp_path / "other", Card(task="other"), arrays={"weights": np.ones(3)})
    with pytest.raises(ModelError, match="holds no table"):
        TableEncoder.of(other)


def _rows(encoder: TableEncoder) -> np.ndarray:
    return encoder._table.astype(np.float32)


def _centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(axis=0)
