"""Commands for pictures: what one shows, and which of the shop's somebody should look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.serving.image_search import seen_document
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


@app.command()
def look(
    context: typer.Context,
    picture: Annotated[Path, typer.Argument(help="A picture file.", exists=True, dir_okay=False)],
) -> None:
    """Say what a picture shows: its colours and traits, and what a product that looks so most likely is."""
    session: Session = context.obj
    with session.output.progress():
        shop = open_shop(session.settings)
        try:
            seen = shop.see(picture.read_bytes())
        finally:
            shop.close()
    rows = [("colour", name, f"{share:.0%}") for name, share in seen.traits.colours]
    rows += [(name, value, f"{sure:.0%}") for name, (value, sure) in seen.likely.items()]
    traits = seen.traits
    rows += [(name, f"{getattr(traits, name):.2f}", "") for name in ("brightness", "saturation", "texture", "fill")]
    session.output.table(picture.name, ["what", "", "sure or share"], rows)
    session.output.result(seen_document(seen))
