"""What the log says: which searches succeed, which fail, and what might help."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.evaluation.search_log import QueryFigures, read_searches, report
from shopkeeper.records import now
from shopkeeper.store.database import open_store

analytics = typer.Typer(no_args_is_help=True, help="What the log says about searches.")
app.add_typer(analytics, name="analytics")

_WORDS = {
    "en": {
        "summary": "{searches} searches of {queries} queries in {days} days: {clicked:.0%} clicked, {empty:.0%} found nothing.",
        "top": "Most frequent",
        "unanswered": "Without result",
        "disappointing": "Fewer clicks than their places would give",
        "refinements": "Typed next, after no click",
        "query": "query",
        "searches": "searches",
        "clicked": "clicked",
        "ordered": "ordered",
        "clicks": "clicks",
        "expected": "expected",
        "repair": "what might help",
        "before": "typed",
        "after": "then typed",
        "sessions": "sessions",
    },
    "zh": {
        "summary": "{days} 天内 {queries} 种搜索词共 {searches} 次搜索：{clicked:.0%} 有点击，{empty:.0%} 无结果。",
        "top": "最常搜索",
        "unanswered": "无结果",
        "disappointing": "点击明显低于所在位置应有水平",
        "refinements": "未点击后改搜",
        "query": "搜索词",
        "searches": "次数",
        "clicked": "点击率",
        "ordered": "下单率",
        "clicks": "点击",
        "expected": "应有点击",
        "repair": "建议",
        "before": "先搜",
        "after": "改搜",
        "sessions": "会话数",
    },
}


class Language(StrEnum):
    """Languages that the tables speak."""

    EN = "en"
    ZH = "zh"


@analytics.callback()
def about() -> None:
    """What the log says about searches."""


@analytics.command()
def searches(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=3650)] = 30,
    limit: Annotated[int, typer.Option(help="Rows of each table at most.", min=1, max=1000)] = 20,
    language: Annotated[Language, typer.Option(help="Language of the tables.")] = Language.EN,
) -> None:
    """Frequent queries, those that find or sell nothing, what people typed next, and what might help."""
    session: Session = context.obj
    end = now()
    start = end - timedelta(days=days)
    store = open_store(session.settings.store_url)
    try:
        found = report(read_searches(store.events, start, end), start, end, store.catalogue.scan(), limit=limit)
    finally:
        store.close()
    said = _WORDS[language]
    output = session.output
    output.say(said["summary"].format(days=days, **asdict(found)))
    _table(context, said["top"], found.top, ("query", "searches", "clicked", "ordered"), language)
    _table(context, said["unanswered"], found.unanswered, ("query", "searches", "repair"), language)
    asked = ("query", "searches", "clicks", "expected", "repair")
    _table(context, said["disappointing"], found.disappointing, asked, language)
    if found.refinements:
        heads = ("before", "after", "sessions", "clicked")
        rows = [(r.before, r.after, r.sessions, f"{r.clicked:.0%}") for r in found.refinements]
        output.table(said["refinements"], [said[head] for head in heads], rows)
    output.result(asdict(found))


def _table(
    context: typer.Context, title: str, figures: tuple[QueryFigures, ...], heads: tuple[str, ...], language: str
) -> None:
    session: Session = context.obj
    if figures:
        names = [_WORDS[language][head] for head in heads]
        session.output.table(title, names, [[_cell(row, head, language) for head in heads] for row in figures])


def _cell(row: QueryFigures, head: str, language: str) -> object:
    if head == "repair":
        return row.repair.text[language] if row.repair else ""
    value = getattr(row, head)
    return f"{value:.0%}" if head in ("clicked", "ordered") else f"{value:.1f}" if head == "expected" else value
