"""Taggers in a bundle: heads and tables of clues among its arrays, lexicon and tags among its parameters.

The body lies there twice, as every bundle has it: ``backbone/`` for further training, and ``tagger/``, a graph of emissions
by piece, for serving. Characters, clues and the CRF are NumPy on both sides.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle, save_bundle, write_card
from shopkeeper.models.card import Card
from shopkeeper.models.onnx import Graph
from shopkeeper.models.tagging.characters import Pieces, Reader
from shopkeeper.models.tagging.clues import Lexicon
from shopkeeper.models.tagging.onnx import OnnxMember, pieces_of
from shopkeeper.models.tagging.spans import Mention
from shopkeeper.models.tagging.text_tagger import Member, TextTagger
from shopkeeper.models.tagging.viterbi import Chain

if TYPE_CHECKING:
    from shopkeeper.models.tagging.tagger import TorchMember

Arrays = Mapping[str, NDArray[Any]]
CAPABILITY = "tagger"
_KEY, _GRAPH = "tagger", "tagger"


def save_tagger(
    folder: Path,
    card: Card,
    tagger: TextTagger,
    *,
    samples: Sequence[str] = (),
    onnx: bool = True,
) -> Bundle:
    """Save a tagger, its members and what they read, as a bundle that `read_tagger` opens.

    Args:
        folder: Must not exist yet; it appears whole or not at all.
        card: Its capabilities are filled in here.
        tagger: Of PyTorch; at most one member has a backbone; members that use a lexicon share one.
        samples: Texts on which the graph is compared with PyTorch, such as the shop's titles.
        onnx: Export the body's graph as well; without it serving uses PyTorch.

    Raises:
        ModelError: Two members have a backbone, the folder exists, or something cannot be written.
    """
    from shopkeeper.models.tagging.tagger import TorchMember

    members = [member for member in tagger.members if isinstance(member, TorchMember)]
    bodies = [member for member in members if member.tagger.backbone is not None]
    if len(bodies) > 1:
        raise ModelError("A bundle holds one backbone, this tagger has more.", where=str(folder))
    if folder.exists():
        raise ModelError("The folder exists already.", where=str(folder), cure="Choose a new one, or remove it.")
    lexicon = next((m.reader.lexicon for m in members if m.reader.lexicon is not None), None)
    arrays = {f"{number}.{name}": own for number, member in enumerate(members) for name, own in _state(member).items()}
    about: dict[str, Any] = {"tags": tagger.tags, "members": [_describe(member) for member in members]}
    if lexicon is not None:
        about["lexicon"] = {"mentions": lexicon.mentions, "seen": lexicon.seen}
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    body = bodies[0].tagger.backbone if bodies else None
    try:
        saved = save_bundle(aside, card, backbone=body, arrays=arrays, parameters={_KEY: about}, onnx=False)
        if bodies and onnx:
            _export(bodies[0], aside / _GRAPH, samples)
        write_card(aside, replace(saved.card, capabilities=(CAPABILITY,)))
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Bundle.open(folder)


def read_tagger(bundle: Bundle, prefer: Literal["onnx", "torch"] = "onnx", *, threads: int = 1) -> TextTagger:
    """The tagger of a bundle, ready to tag.

    Args:
        bundle: Made by `save_tagger`.
        prefer: The ONNX graph, which needs no torch, or PyTorch; PyTorch is also used when there is no graph.
        threads: Texts of one call that the graph takes at the same time.

    Raises:
        ModelError: The bundle holds none.
    """
    about = bundle.parameters.get(_KEY)
    if about is None:
        raise ModelError("This bundle has no tagger.", where=str(bundle.folder), cure="Use a bundle of another task.")
    arrays = bundle.arrays()
    lexicon = Lexicon(**about["lexicon"]) if "lexicon" in about else None
    graph = bundle.folder / _GRAPH
    members: list[Member] = []
    for number, own in enumerate(about["members"]):
        state = {n.removeprefix(f"{number}."): v for n, v in arrays.items() if n.startswith(f"{number}.")}
        if prefer == "onnx" and (graph.is_dir() or not own["backbone"]):
            opened = Graph(graph) if own["backbone"] else None
            members.append(_served(own, about["tags"], state, lexicon, opened, threads))
        else:
            members.append(_trained(own, about["tags"], state, lexicon, bundle))
    return TextTagger(members)


def _served(
    own: Mapping[str, Any], tags: list[str], state: Arrays, lexicon: Lexicon | None, graph: Graph | None, threads: int
) -> OnnxMember:
    return OnnxMember(
        tags,
        Chain.of(tags, state["crf.start"], state["crf.end"], state["crf.moves"]),
        _reader(own, pieces_of(graph) if graph is not None else None, lexicon),
        graph,
        state.get("clues.weight"),
        float(own["weight"]),
        threads,
    )


def _trained(
    own: Mapping[str, Any], tags: list[str], state: Arrays, lexicon: Lexicon | None, bundle: Bundle
) -> TorchMember:
    import torch

    from shopkeeper.models.tagging.tagger import Tagger, TorchMember

    backbone = bundle.backbone() if own["backbone"] else None
    reader = _reader(own, Pieces.of(backbone) if backbone is not None else None, lexicon)
    tagger = Tagger(backbone, tags, chain=own["chain"], buckets=own["buckets"] if own["clues"] else 0)
    _, unexpected = tagger.load_state_dict({name: torch.from_numpy(v) for name, v in state.items()}, strict=False)
    if unexpected:
        raise ModelError(f"The tagger holds weights it has no place for: {unexpected}.", where=str(bundle.folder))
    return TorchMember(tagger.eval(), reader, float(own["weight"]))


def _export(member: TorchMember, folder: Path, samples: Sequence[str]) -> None:
    from shopkeeper.models import export

    texts = list(samples) or list(export.SAMPLES)
    right = TextTagger([replace(member, weight=1.0, bf16=False)]).tag(texts)

    def agreement() -> tuple[float, float]:
        own = _describe(member) | {"weight": 1.0}
        found = _served(own, member.tagger.tags, _state(member), member.reader.lexicon, Graph(folder), 1)
        shares = [_shared(*pair) for pair in zip(right, TextTagger([found]).tag(texts), strict=True)]
        return float(np.mean(shares)), min(shares)

    export.export_tagger(member.tagger, folder, agreement)


def _shared(one: Sequence[Mention], other: Sequence[Mention]) -> float:
    """Share of the mentions that both have, 2 |A and B| / (|A| + |B|); 1 where there are none."""
    return 2 * len(set(one) & set(other)) / (len(one) + len(other)) if one or other else 1.0


def _state(member: TorchMember) -> dict[str, NDArray[Any]]:
    """Everything but the body, by name."""
    state = member.tagger.state_dict()
    return {n: value.detach().float().cpu().numpy() for n, value in state.items() if not n.startswith("model.")}


def _reader(own: Mapping[str, Any], pieces: Pieces | None, lexicon: Lexicon | None) -> Reader:
    return Reader(
        pieces,
        units=own["units"],
        lexicon=lexicon if own["lexicon"] else None,
        windows=own["windows"],
        buckets=own["buckets"],
        longest=own["longest"],
    )


def _describe(member: TorchMember) -> dict[str, Any]:
    tagger, reader = member.tagger, member.reader
    return {
        "backbone": tagger.backbone is not None,
        "clues": tagger.clues is not None,
        "chain": tagger.crf.moves.requires_grad,
        "weight": member.weight,
        "units": reader.units,
        "lexicon": reader.lexicon is not None,
        "windows": reader.windows,
        "buckets": reader.buckets,
        "longest": reader.longest,
    }
