"""Texts of a domain: `classify` sorts them by a live classifier, `hot` names the matters that many are about."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.compute.cores import threads
from shopkeeper.domains import domain_of
from shopkeeper.errors import InputError
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Floats
from shopkeeper.records import PassageKind, now
from shopkeeper.serving.classify import classified_document
from shopkeeper.settings import Settings
from shopkeeper.store.database import open_store
from shopkeeper.tasks.classify import MOST_TEXTS, Classified, ClassifyTask, Encode
from shopkeeper.tasks.listen.hot_topics import hot_topics


@app.command()
def classify(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="Which question, e.g. department, office, sentiment.")],
    text: Annotated[list[str] | None, typer.Argument(help="A text, or several.")] = None,
    file: Annotated[Path | None, typer.Option(help="Texts from a file, one a line.")] = None,
    similar: Annotated[int, typer.Option(help="Similar texts asked before, with each.", min=0, max=20)] = 0,
    ask: Annotated[bool, typer.Option(help="Put what a human must decide into the review queue.")] = False,
) -> None:
    """Sort texts into classes, and say what the domain's rules say about them."""
    texts = [*(text or ()), *_lines(file)]
    if not texts:
        raise typer.BadParameter("give a text, or --file", param_hint="TEXT")
    session: Session = context.obj
    settings = session.settings
    store = open_store(settings.store_url)
    registry, domain = Registry(settings.bundles), domain_of(settings.home)
    sorter = ClassifyTask(registry, store, domain, _encoder(settings), threads(settings.compute))
    try:
        parts = [texts[start : start + MOST_TEXTS] for start in range(0, len(texts), MOST_TEXTS)]
        found = [one for part in parts for one in sorter.answer(task, part, similar=similar)]
        asked = sorter.ask(found).added if ask else 0
    finally:
        store.close()
    _show(session, task, found, asked)


@app.command()
def hot(
    context: typer.Context,
    days: Annotated[float, typer.Option(help="Messages of the last so many days.", min=0)] = 90,
    half_life: Annotated[float, typer.Option(help="Age in days at which a message counts half.", min=0.01)] = 30,
    likes: Annotated[Path | None, typer.Option(help="CSV file with the columns id and likes.")] = None,
    limit: Annotated[int, typer.Option(help="Matters at most.", min=1)] = 10,
) -> None:
    """What many questions and posts are about now: messages of one matter put together, the hottest first."""
    session: Session = context.obj
    settings, moment = session.settings, now()
    liked = _likes(likes)
    store = open_store(settings.store_url)
    try:
        asked = store.words.scan(kinds=[PassageKind.QUESTION, PassageKind.POST])
        recent = [one for one in asked if one.time and (moment - one.time).total_seconds() <= days * 86_400]
    finally:
        store.close()
    with session.output.progress():
        encode = _encoder(settings)
        found = hot_topics(recent, encode, moment, likes=liked, half_life_days=half_life)[:limit]
    rows = [(one.title, len(one.messages), one.likes, one.heat, one.last.date()) for one in found]
    session.output.table(f"Hot among {len(recent):,} messages", ["matter", "messages", "likes", "heat", "last"], rows)
    session.output.result([asdict(one) for one in found])


def _likes(file: Path | None) -> dict[str, int]:
    if file is None:
        return {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return {row["id"]: int(row["likes"]) for row in csv.DictReader(lines)}
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        cure = "Give a UTF-8 CSV file with the columns id and likes, whole numbers."
        raise InputError(f"The likes cannot be read: {error}.", where=str(file), cure=cure) from error


def _encoder(settings: Settings) -> Encode:
    """Texts to vectors by the live encoder, or the one that suits their language; opened at the first texts."""
    live = Registry(settings.bundles).live("relevance")

    def encode(texts: Sequence[str]) -> Floats:
        name = encoder_name(settings.models, [_language(text) for text in texts])
        return encoders(settings, live, name).passage.encode(texts)

    return encode


def _show(session: Session, task: str, found: Sequence[Classified], asked: int) -> None:
    rows = [
        (one.text[:80], one.label, one.title["en"], one.probability, "human" if one.human else "", one.due or "")
        for one in found
    ]
    session.output.table(f"{task} by {found[0].model}", ["text", "label", "", "probability", "decides", "due"], rows)
    for one in found:
        language = _language(one.text)
        for held in one.held:
            session.output.say(f"{held.rule.kind.upper()} ({held.word}): {held.rule.text[language]}")
        for like in one.similar:
            session.output.say(f"  asked before: {like.text[:100]}" + (f" -> {like.label}" if like.label else ""))
            if like.reply:
                session.output.say(f"    replied: {like.reply[:200]}")
    if notice := found[0].notice:
        session.output.say(notice[_language(found[0].text)])
    if asked:
        session.output.say(f"{asked} new questions wait: shopkeeper review show {task}")
    session.output.result(
        {"task": task, "model": found[0].model, "asked": asked, "texts": [classified_document(one) for one in found]}
    )


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The texts cannot be read: {error}.", where=str(file), cure="Give a UTF-8 file.") from error


def _language(text: str) -> str:
    return "zh" if any("一" <= letter <= "鿿" for letter in text[:200]) else "en"
