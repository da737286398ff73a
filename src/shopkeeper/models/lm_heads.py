"""Heads that predict words: over masked or coming words of a text, or over a whole text from its one vector.

A shop uses some thousands of the 136,000 tokens of a multilingual model. The softmax therefore runs over the tokens that
the shop's own texts hold (`words`), which is exact for them and costs a few per cent of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from shopkeeper.models.backbone import Backbone, run


class TiedDecoder(nn.Module):
    """Vectors to logits over some tokens, by dot products with their input embeddings.

    Args:
        embeddings: The word embeddings of the body, shared, not copied.
        words: int64 (v,), the tokens that may be said.
        counts: float (v,), how often each occurs: the bias starts at the logarithm of its share, so that the first
            guess is the unigram one. None starts at zero, for a body whose own head this was.
        transform: Put dense -> gelu -> norm before the products, as BERT does. It starts near the identity, scaled so
            that logits start with a spread of about one.
    """

    words: Tensor

    def __init__(self, embeddings: nn.Embedding, words: Tensor, counts: Tensor | None, *, transform: bool) -> None:
        super().__init__()
        self._embeddings = [embeddings]  # in a list: the weights belong to the body and are not registered twice
        self.register_buffer("words", words, persistent=False)
        start = torch.zeros(len(words)) if counts is None else torch.log(counts.float() / counts.sum())
        self.bias = nn.Parameter(start)
        self.transform: nn.Module = nn.Identity()
        if transform:
            width = self._table().shape[1]
            dense, norm = nn.Linear(width, width), nn.LayerNorm(width)
            with torch.no_grad():
                dense.weight.copy_(torch.eye(width) + 0.02 * torch.randn(width, width))
                dense.bias.zero_()
                norm.weight.fill_(1.0 / float(self._table().norm(dim=1).mean().clamp_min(1e-3)))
            self.transform = nn.Sequential(dense, nn.GELU(), norm)

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits, float32 (m, v), of float (m, d) vectors."""
        vectors = self.transform(hidden)
        with torch.autocast(vectors.device.type, enabled=False):
            return functional.linear(vectors.float(), self._table(), self.bias)

    def _table(self) -> Tensor:
        weight = self._embeddings[0].weight
        return functional.embedding(self.words.to(weight.device), weight)


class LanguageModel(nn.Module):
    """A backbone that predicts words at some places: masked ones, or the next ones of a causal model.

    Attributes:
        model: The body of the backbone, which is what pretraining is for; the rest is thrown away afterwards.
    """

    def __init__(self, backbone: Backbone, words: Tensor, counts: Tensor) -> None:
        super().__init__()
        self.model: nn.Module = backbone.model
        causal = backbone.causal
        self.decoder = TiedDecoder(
            backbone.model.get_input_embeddings(), words, None if causal else counts, transform=not causal
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, at: Tensor) -> Tensor:
        """Logits, float32 (m, v).

        Args:
            input_ids: int64 (n, t).
            attention_mask: int64 (n, t).
            token_type_ids: int64 (n, t).
            at: int64 (m,), places in the flattened (n * t) whose vectors predict.
        """
        hidden = run(self.model, input_ids, attention_mask, token_type_ids)
        return self.decoder(hidden.flatten(0, 1)[at])  # type: ignore[no-any-return]


class Denoiser(nn.Module):
    """Rebuilds a whole text from the one vector of a damaged copy (TSDAE, Wang et al. 2021).

    The decoder is one causal layer that sees the words so far and, at every place, the vector; being this weak, it has to
    rely on the vector.
    """

    def __init__(self, backbone: Backbone, words: Tensor, counts: Tensor, *, longest: int = 512) -> None:
        super().__init__()
        self.backbone = backbone
        self.model: nn.Module = backbone.model
        width = backbone.dimension
        embeddings = backbone.model.get_input_embeddings()
        self._embeddings = [embeddings]
        self.start = nn.LayerNorm(width)
        self.places = nn.Embedding(longest, width)
        self.project = nn.Linear(width, width)
        heads = next(count for count in (8, 4, 2, 1) if width % count == 0)
        self.layer = nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True, norm_first=True)
        self.decoder = TiedDecoder(embeddings, words, counts, transform=True)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(
        self,
        damaged_ids: Tensor,
        damaged_mask: Tensor,
        damaged_types: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        at: Tensor,
    ) -> Tensor:
        """Logits, float32 (m, v): the first three describe the damaged texts, the next two the whole ones; `at` as above."""
        vector = self.backbone.vectors(damaged_ids, damaged_mask, damaged_types)
        count = input_ids.shape[1]
        places = self.places(torch.arange(count, device=input_ids.device))
        hidden = self.start(self._embeddings[0](input_ids)) + places + self.project(vector)[:, None, :]
        later = torch.ones(count, count, dtype=torch.bool, device=input_ids.device).triu(1)
        hidden = self.layer(hidden, src_mask=later, src_key_padding_mask=attention_mask == 0)
        return self.decoder(hidden.flatten(0, 1)[at])  # type: ignore[no-any-return]
