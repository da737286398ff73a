"""The command for the shop's pictures: which of them somebody should look at."""

from __future__ import annotations

from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.tasks.shop import open_shop


@app.command()
def pictures(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="Lines of each kind at most.", min=1)] = 20,
) -> None:
    """List pictures to look at: of another thing than the words say, twice for two products, or not to be opened."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            found = shop.doubtful_pictures()
        finally:
            shop.close()
    shown = [doubt for kind in ("unread", "copy", "wrong") for doubt in [d for d in found if d.kind == kind][:limit]]
    session.output.table(
        "Pictures to look at",
        ["item", "what", "", "sure"],
        [(doubt.item, doubt.text["en"], doubt.other, f"{doubt.score:.2f}") for doubt in shown],
    )
    session.output.result(
        [{"kind": d.kind, "item": d.item, "other": d.other, "score": d.score, "text": dict(d.text)} for d in shown]
    )
