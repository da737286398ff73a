"""From a trained encoder to a table of token vectors that serves at every keystroke (`models.table.TableEncoder`).

As in model2vec (Tulkens and van Dongen 2024) every token of the vocabulary goes through the encoder on its own, the
vectors are reduced by principal components and weighted by how rare the token is (SIF, Arora et al. 2017). Beyond that,
a token that the shop's own texts hold gets the mean of its vectors in context, the more so the more often it was seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shopkeeper.models.backbone import Backbone, run
from shopkeeper.models.encoders import batcher_of, tensors
from shopkeeper.models.table import TableEncoder
from shopkeeper.models.text import unit
from shopkeeper.progress import span
from shopkeeper.training.batching import Ints

Values = NDArray[np.float32]
_BATCH = 512
_RARE = 1e-3  # SIF's a: a token of this probability has half the weight of one that is never seen


def distil_table(
    backbone: Backbone, texts: Sequence[str] = (), *, dimension: int = 256, alone: float = 4.0
) -> TableEncoder:
    """Distil a table of token vectors.

    Args:
        backbone: The teacher, fine-tuned or not; left as it is.
        texts: The shop's own texts, as many as there is time for; without them tokens are seen on their own only.
        dimension: Length of the vectors; that of the teacher where it is shorter.
        alone: How many sightings in context the vector of the token on its own counts for.

    Returns:
        Float16 table with the teacher's tokenizer.
    """
    tokenizer = backbone.tokenizer.backend_tokenizer
    silent = _silent(backbone)
    model = backbone.model
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            vectors = _on_their_own(backbone, silent)
            sums, counts = _in_context(backbone, texts, len(vectors))
    finally:
        model.train(training)
    counts[silent] = 0
    vectors = (alone * vectors + sums) / (alone + counts[:, None])
    speaking = np.setdiff1d(np.arange(len(vectors)), silent)
    found = np.zeros((len(vectors), min(dimension, vectors.shape[1])), dtype=np.float32)
    weights = _weights(counts[speaking] if counts.any() else None, len(speaking))
    found[speaking] = weights[:, None] * unit(_principal(vectors[speaking], found.shape[1]))
    return TableEncoder(found.astype(np.float16), tokenizer, f"{backbone.name}-table")


def _silent(backbone: Backbone) -> Ints:
    """Numbers of tokens that say nothing: padding, unknown, beginnings and ends."""
    return np.array(sorted(set(backbone.tokenizer.all_special_ids)), dtype=np.int64)


def _on_their_own(backbone: Backbone, silent: Ints) -> Values:
    """Pooled vector of every token between the usual beginning and end, float32 (v, d); zeros where silent."""
    backend, device = batcher_of(backbone).tokenizer, backbone.model.device
    frame = backend.encode("").ids  # of BERT: beginning and end
    head, tail = frame[: (len(frame) + 1) // 2], frame[(len(frame) + 1) // 2 :]
    out = np.zeros((backend.get_vocab_size(), backbone.dimension), dtype=np.float32)
    speaking = np.setdiff1d(np.arange(len(out)), silent)
    with span("Tokens on their own", len(speaking), "tokens") as progress:
        for start in range(0, len(speaking), _BATCH):
            some = speaking[start : start + _BATCH]
            ids = torch.tensor([[*head, token, *tail] for token in some.tolist()], device=device)
            out[some] = backbone.vectors(ids, torch.ones_like(ids)).float().cpu().numpy()
            progress.advance(len(some))
    return out


def _in_context(backbone: Backbone, texts: Sequence[str], size: int) -> tuple[Values, Values]:
    """For every token the sum of its vectors in `texts`, float32 (v, d), and how often it was seen, float32 (v,)."""
    device = backbone.model.device
    sums, counts = torch.zeros(size, backbone.dimension), torch.zeros(size)
    with span("Tokens in context", len(texts), "texts") as progress:
        for part in batcher_of(backbone).texts(texts, "passage", 64):
            ids, mask, types = tensors(part, device)
            seen = mask.bool()
            hidden = run(backbone.model, ids, mask, types)[seen].float().cpu()
            tokens = ids[seen].cpu()
            sums.index_add_(0, tokens, hidden)
            counts.index_add_(0, tokens, torch.ones(len(tokens)))
            progress.advance(len(part.rows))
    return sums.numpy(), counts.numpy()


def _principal(vectors: Values, dimension: int) -> Values:
    """Centred, and turned onto the `dimension` directions of most variance; float32 (n, dimension)."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    turned: Values = centred @ directions[:, ::-1][:, :dimension]
    return turned


def _weights(counts: Values | None, size: int) -> Values:
    """SIF: a / (a + probability) of each token; counted, or by Zipf's law from its place in the vocabulary when not."""
    shares = 1.0 / np.arange(2, size + 2) if counts is None else counts + 1.0
    weights: Values = (_RARE / (_RARE + shares / shares.sum())).astype(np.float32)
    return weights
