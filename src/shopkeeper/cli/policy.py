"""Would another recommender earn more clicks than the one that served? Asked of the log before anything is switched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from shopkeeper.cli.analytics import Language
from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.evaluation.offpolicy import LEAST
from shopkeeper.evaluation.offpolicy_log import KINDS, read_pages
from shopkeeper.evaluation.offpolicy_report import PolicyReport, estimate
from shopkeeper.evaluation.replaying import Replay
from shopkeeper.models.registry import Registry
from shopkeeper.progress import span
from shopkeeper.records import Event, now
from shopkeeper.store.database import open_store

_DAYS = 28
"""How far back the log is asked when nobody says."""
_HEADS = {
    "en": ("estimator", "clicks a page", "from", "to", "difference", "from", "to"),
    "zh": ("估计方法", "每页点击", "下限", "上限", "差异", "下限", "上限"),
}
_SAID = {
    "en": {
        "title": "{model} on {pages:,} pages of {surface} since {since:%Y-%m-%d %H:%M}; earned: {earned:.4f} clicks a page",
        "leak": "{version} was learnt on {created}, perhaps from the very clicks it is examined on: the estimate may be too"
        " good. Ask about pages after that, with --since.",
    },
    "zh": {
        "title": "{model}：{surface} 自 {since:%Y-%m-%d %H:%M} 起共 {pages:,} 页；现行策略每页点击 {earned:.4f}",
        "leak": "{version} 训练于 {created}，可能已见过用来评估它的点击，估计会偏高。请用 --since 只看此后的页面。",
    },
}


@app.command()
def policy(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(help=f"First day or moment of the pages, ISO 8601, UTC (default: {_DAYS} days ago).")
    ] = "",
    surface: Annotated[str, typer.Option(help="Where the pages were shown.")] = "home:for_you",
    version: Annotated[
        str, typer.Option(help="Bundle of task recommend to examine, e.g. v3 (default: the live one).")
    ] = "",
    least: Annotated[float, typer.Option(help="Effective pages needed at each place.", min=1)] = LEAST,
    language: Annotated[Language, typer.Option(help="Language of the verdict.")] = Language.EN,
) -> None:
    """Estimate from the log what a recommender would earn, or say why the log cannot tell. Nothing is switched.

    The recommender is asked again on every page, with what was known then; other settings are tried with --set.
    """
    session: Session = context.obj
    start = _moment(since) if since else now() - timedelta(days=_DAYS)
    with open_store(session.settings.store_url) as store, session.output.progress():
        events = sorted((event for _, event in store.events.scan(kinds=KINDS, start=start)), key=_time)
        with span("replay", len(read_pages(events, surface)), "pages") as progress:
            candidate = Replay(session.settings, store, start, version=version, progress=progress)
            found = estimate(events, candidate, surface=surface, least=least, seed=session.settings.compute.seed)
    leak = _leak(session, version, start)
    said = _SAID[language]
    if leak:
        session.output.warn(said["leak"].format(**leak))
    if found.estimates:
        facts = {"model": candidate.model, "surface": surface or "*", "since": start, "pages": found.pages}
        title = said["title"].format(**facts, earned=found.earned[0])
        session.output.table(title, _HEADS[language], _rows(found))
    session.output.say(found.text[language])
    asked = {"model": candidate.model, "surface": surface, "since": start.isoformat(), "seen_in_training": bool(leak)}
    session.output.result(asked | _document(found))


def _time(event: Event) -> datetime:
    return event.time


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--since takes a day or a moment, not {text!r}.", where="--since", cure="For example: --since 2026-01-31"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _leak(session: Session, version: str, start: datetime) -> dict[str, str]:
    """Version and time of a bundle that was learnt after the first page; empty for none."""
    registry = Registry(session.settings.bundles)
    bundle = registry.open("recommend", version) if version else registry.live("recommend")
    if bundle is None or datetime.fromisoformat(bundle.card.created) <= start:
        return {}
    return {"version": bundle.name, "created": bundle.card.created}


def _rows(found: PolicyReport) -> list[tuple[object, ...]]:
    return [
        (name, one.value, one.low, one.high, one.gain.mean, one.gain.low, one.gain.high)
        for name, one in found.estimates.items()
    ]


def _document(found: PolicyReport) -> dict[str, Any]:
    verdict, (earned, low, high) = found.verdict, found.earned
    return {
        "ok": verdict.ok,
        "text": dict(found.text),
        "pages": found.pages,
        "earned": {"value": earned, "low": low, "high": high},
        "effective_pages": verdict.effective,
        "effective_clicks": verdict.effective_clicks,
        "unseen": verdict.unseen,
        "largest_weight": verdict.largest,
        "estimates": {
            name: {
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "gain": {"value": one.gain.mean, "low": one.gain.low, "high": one.gain.high, "clear": one.gain.clear},
            }
            for name, one in found.estimates.items()
        },
    }
