"""The knowledge graph: bring triples in, look at an item's neighbourhood, check the logic rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from shopkeeper.cli.data import PARTLY
from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.retrieval.graph.taxonomy import GOOGLE, google_category
from shopkeeper.retrieval.graph.triples import Graph
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.feeds.triples import FORMATS, import_triples
from shopkeeper.tasks.recommend.knowledge import RULES, read_rules
from shopkeeper.trust.consistency import check as check_rules

graph = typer.Typer(no_args_is_help=True, help="What is known about the goods: triples, and logic rules over them.")
rules = typer.Typer(no_args_is_help=True, help=f"Logic rules, kept in {RULES} in the shop's folder.")
graph.add_typer(rules, name="rules")
app.add_typer(graph, name="graph")

_FILE = (
    "CSV, TSV, JSONL, Parquet, N-Triples, Turtle, RDF/XML, or Google's product taxonomy: "
    "https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt, also zh-CN and other languages."
)
_UNKNOWN = 20
"""So many names that Google's taxonomy does not have are shown."""


@graph.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=_FILE)],
    format_: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "auto",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="head=COLUMN, relation=COLUMN or tail=COLUMN, repeatable.")
    ] = None,
    base: Annotated[str, typer.Option(help="RDF: what to cut from addresses so that item ids remain.")] = "",
    strict: Annotated[bool, typer.Option(help="Write nothing at all if any row is bad.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Where bad rows go (default: HOME/rejects/).")] = None,
) -> None:
    """Import triples. Good rows are kept, bad rows go to a rejects file; importing twice changes nothing."""
    session: Session = context.obj
    target = rejects or session.settings.home / "rejects" / f"{file.name}.rejects.jsonl"
    mapping = dict(_pair(text) for text in map_ or ())
    with _store(session) as store, session.output.progress():
        report = import_triples(
            file, store.triples, rejects=target, format=format_, mapping=mapping, base=base, strict=strict
        )
    session.output.say(f"{report.added:,} added, {report.unchanged:,} as they were, {report.rejected:,} rejected.")
    if report.rejected:
        session.output.warn(f"Rejected rows and reasons: {report.rejects}")
    session.output.result(report.to_json())
    if report.rejected:
        raise typer.Exit(PARTLY)


@graph.command()
def remove(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Name of the file whose triples are taken back.")],
) -> None:
    """Take back all triples that came from a file."""
    session: Session = context.obj
    with _store(session) as store:
        gone = store.triples.remove(source)
    session.output.say(f"{gone:,} triples removed.")
    session.output.result({"removed": gone})


@graph.command()
def show(
    context: typer.Context,
    item: Annotated[str, typer.Argument(help="An item's id, or an entity such as brand=Sonoro.")],
    limit: Annotated[int, typer.Option(help="How many triples at most.", min=1)] = 50,
) -> None:
    """Everything that is joined to an item or an entity."""
    session: Session = context.obj
    with _store(session) as store:
        known = _graph(store)
    node = known.node(item)
    if not node:
        raise NotFoundError(f"The graph does not know {item!r}.", where="item", cure="Use an item's id or NAME=VALUE.")
    found: list[tuple[str, str, str]] = []
    for relation in known.relations.values[1:]:
        for back in (False, True):
            _, ends = known.step(np.array([node]), relation, back=back)
            names = [known.nodes.values[end] for end in ends.tolist()]
            found += [(end, relation, item) if back else (item, relation, end) for end in names]
    session.output.table(f"{known.text(node)}: {len(found)} triples", ["head", "relation", "tail"], found[:limit])
    session.output.result({"item": item, "triples": found[:limit], "total": len(found)})


@graph.command()
def status(context: typer.Context) -> None:
    """How many triples there are, of which relation and from where; which items stand in Google's taxonomy."""
    session: Session = context.obj
    with _store(session) as store:
        known, sources = _graph(store), store.triples.sources()
    _, codes, _ = known.edges()
    counts = np.bincount(codes, minlength=len(known.relations.values))
    relations = {known.relations.values[code]: int(counts[code]) for code in np.argsort(-counts, kind="stable")}
    relations = {name: count for name, count in relations.items() if count}
    session.output.table(f"{len(known):,} triples", ["relation", "triples"], list(relations.items()))
    session.output.table("Imported", ["source", "triples"], list(sources.items()))
    told: dict[str, Any] = {"triples": len(known), "relations": relations, "sources": sources}
    if known.taxonomy:
        told["google_taxonomy"] = _standing(session, known)
    session.output.result(told)


@rules.command()
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help=f"The rules (default: {RULES} in the shop's folder).")] = None,
) -> None:
    """Read the rules and look for contradictions between them, the catalogue and the graph."""
    session: Session = context.obj
    path = file or session.settings.home / RULES
    found = read_rules(path)
    with _store(session) as store:
        conflicts = check_rules(found, _graph(store))
    for conflict in conflicts:
        session.output.warn(f"{conflict.kind}: {', '.join(conflict.culprit)}: {conflict.text['en']}")
        session.output.warn(f"    {conflict.text['zh']}")
    session.output.say(f"{len(found.rules)} rules, {len(conflicts)} conflicts.")
    listed = [{"kind": c.kind, "culprit": c.culprit, "text": c.text} for c in conflicts]
    session.output.result({"rules": [str(rule) for rule in found.rules], "conflicts": listed})
    if conflicts:
        raise typer.Exit(PARTLY)


def _standing(session: Session, known: Graph) -> dict[str, Any]:
    """How many items have a place in Google's taxonomy, and which ``google_product_category`` it does not know."""
    heads, _, _ = known.edges(GOOGLE)
    placed = int(np.count_nonzero(known.rows_of(np.unique(heads)) >= 0))
    items = [known.shelf.item(row) for row in known.items().tolist()]
    given = Counter(value for item in items if (value := google_category(item)))
    unknown = [(value, count) for value, count in given.most_common() if not known.taxonomy.meant(value)]
    session.output.say(f"{placed:,} of {len(items):,} items stand in Google's taxonomy.")
    if unknown:
        session.output.table("Unknown to Google's taxonomy", ["google_product_category", "items"], unknown[:_UNKNOWN])
    return {"items": placed, "unknown": dict(unknown[:_UNKNOWN])}


@contextmanager
def _store(session: Session) -> Iterator[SqlStore]:
    with open_store(session.settings.store_url) as store:
        yield store


def _graph(store: SqlStore) -> Graph:
    return Graph(Shelf(store.catalogue.scan()), store.triples.scan())


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in ("head", "relation", "tail"):
        raise InputError(
            f"--map takes head=COLUMN, relation=COLUMN or tail=COLUMN, not {text!r}.", where="--map", cure="Correct it."
        )
    return name, value
