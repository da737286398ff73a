"""Taggers in a bundle: heads and tables of clues among its arrays, lexicon and tags among its parameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle, save_bundle, write_card
from shopkeeper.models.card import Card
from shopkeeper.models.characters import Reader
from shopkeeper.models.clues import Lexicon
from shopkeeper.models.tagger import Member, Tagger, TextTagger

_KEY = "tagger"
CAPABILITY = "tagger"


def save_tagger(folder: Path, card: Card, tagger: TextTagger) -> Bundle:
    """Save a tagger, its members and what they read, as a bundle that `read_tagger` opens.

    Args:
        folder: Must not exist yet.
        card: Its capabilities are filled in here.
        tagger: At most one member has a backbone; members that use a lexicon share one.

    Raises:
        ModelError: Two members have a backbone, the folder exists, or something cannot be written.
    """
    bodies = [member.tagger.backbone for member in tagger.members if member.tagger.backbone is not None]
    if len(bodies) > 1:
        raise ModelError("A bundle holds one backbone, this tagger has more.", where=str(folder))
    lexicon = next((m.reader.lexicon for m in tagger.members if m.reader.lexicon is not None), None)
    arrays = {
        f"{number}.{name}": value.detach().float().cpu().numpy()
        for number, member in enumerate(tagger.members)
        for name, value in member.tagger.state_dict().items()
        if not name.startswith("model.")
    }
    about: dict[str, Any] = {"tags": tagger.tags, "members": [_describe(member) for member in tagger.members]}
    if lexicon is not None:
        about["lexicon"] = {"mentions": lexicon.mentions, "seen": lexicon.seen}
    body = bodies[0] if bodies else None
    bundle = save_bundle(folder, card, backbone=body, arrays=arrays, parameters={_KEY: about}, onnx=False)
    write_card(folder, replace(bundle.card, capabilities=(CAPABILITY,)))
    return Bundle.open(folder)


def read_tagger(bundle: Bundle) -> TextTagger:
    """The tagger of a bundle, ready to tag.

    Raises:
        ModelError: The bundle holds none.
    """
    about = bundle.parameters.get(_KEY)
    if about is None:
        raise ModelError("This bundle has no tagger.", where=str(bundle.folder), cure="Use a bundle of another task.")
    arrays = bundle.arrays()
    lexicon = Lexicon(**about["lexicon"]) if "lexicon" in about else None
    members = []
    for number, own in enumerate(about["members"]):
        backbone = bundle.backbone() if own["backbone"] else None
        reader = Reader(
            backbone,
            units=own["units"],
            lexicon=lexicon if own["lexicon"] else None,
            windows=own["windows"],
            buckets=own["buckets"],
            longest=own["longest"],
        )
        tagger = Tagger(backbone, about["tags"], chain=own["chain"], buckets=own["buckets"] if own["clues"] else 0)
        prefix = f"{number}."
        state = {n.removeprefix(prefix): torch.from_numpy(v) for n, v in arrays.items() if n.startswith(prefix)}
        _, unexpected = tagger.load_state_dict(state, strict=False)
        if unexpected:
            raise ModelError(f"The tagger holds weights it has no place for: {unexpected}.", where=str(bundle.folder))
        members.append(Member(tagger.eval(), reader, float(own["weight"])))
    return TextTagger(members)


def _describe(member: Member) -> dict[str, Any]:
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
