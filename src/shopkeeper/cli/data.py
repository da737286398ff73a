"""Commands that bring data in and out: init, import, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.domains import FILE as DOMAIN_FILE
from shopkeeper.domains import Domain, LabelSet, domain_file, domain_of
from shopkeeper.errors import InputError
from shopkeeper.settings import FILE, describe
from shopkeeper.store.database import SqlStore, open_store
from shopkeeper.store.feeds import (
    URLS,
    ImportReport,
    export_events,
    export_judgements,
    export_products,
    export_reviews,
    export_texts,
    import_events,
    import_judgements,
    import_labels,
    import_media,
    import_orders,
    import_products,
    import_reviews,
    import_texts,
    load_mapping,
)

PARTLY = 3
MEDIA = "media"

IMPORTS: dict[str, Callable[..., ImportReport]] = {
    "products": import_products,
    "events": import_events,
    "reviews": import_reviews,
    "texts": import_texts,
    "orders": import_orders,
    "judgements": import_judgements,
    "labels": import_labels,
}
EXPORTS: dict[str, Callable[..., int]] = {
    "products": export_products,
    "events": export_events,
    "reviews": export_reviews,
    "texts": export_texts,
    "judgements": export_judgements,
}


@app.command()
def init(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The shop's name.")] = "My shop",
    domain: Annotated[
        str, typer.Option(help="Another walk of life: medicine, education, city, finance, media, or a TOML file.")
    ] = "",
) -> None:
    """Create the shop's folder, its settings file and its database; with --domain also what that domain says."""
    from shopkeeper.tasks.recommend.knowledge import RULES

    session: Session = context.obj
    home = session.settings.home
    source = domain_file(domain) if domain else None
    chosen = domain_of(source) if source else Domain()
    home.mkdir(parents=True, exist_ok=True)
    file = home / FILE
    written = {file: _settings_template(name, chosen.settings)}
    if source:
        written[home / DOMAIN_FILE] = source.read_text(encoding="utf-8")
    if chosen.logic:
        written[home / RULES] = chosen.logic.lstrip()
    created = [path for path in written if not path.exists()]
    for path in created:
        path.write_text(written[path], encoding="utf-8")
    open_store(session.settings.store_url).close()
    session.output.say(f"{'Created' if file in created else 'Kept'} {file}. Next: shopkeeper import products FILE")
    session.output.result(
        {
            "home": str(home),
            "settings": str(file),
            "created": file in created,
            "domain": chosen.name,
            "written": [path.name for path in created],
        }
    )


@app.command(name="import")
def import_(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="products, events, reviews, texts, orders, judgements, labels or media")],
    file: Annotated[
        Path,
        typer.Argument(
            help="The file; format guessed from its content unless --format is given. For media a folder, a zip file, or "
            "the word urls: download what items name by address, from the hosts of fetch.hosts."
        ),
    ],
    format_: Annotated[
        str, typer.Option("--format", help="auto, merchant, shopify, ga4, segment, csv, tsv, jsonl, parquet")
    ] = "auto",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN, repeatable, e.g. --map id=sku.")
    ] = None,
    map_file: Annotated[Path | None, typer.Option(help="TOML or JSON file with the column mapping.")] = None,
    task: Annotated[str, typer.Option(help="Labels only: which question they answer, e.g. department.")] = "",
    strict: Annotated[bool, typer.Option(help="Write nothing at all if any row is bad.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Where bad rows go (default: HOME/rejects/).")] = None,
    remove_missing: Annotated[
        bool, typer.Option(help="Products only: remove items that the file does not hold.")
    ] = False,
    allow_unknown_items: Annotated[
        bool, typer.Option(help="Keep events and texts about items not in the catalogue.")
    ] = False,
) -> None:
    """Import a file. Good rows are kept, bad rows go to a rejects file with reasons; importing twice changes nothing."""
    session: Session = context.obj
    target = rejects or session.settings.home / "rejects" / f"{file.name}.rejects.jsonl"
    run: Callable[[SqlStore], ImportReport]
    if kind == MEDIA:
        run = partial(_import_media, session, file, target, strict)
    else:
        mapping = load_mapping(map_file) if map_file else {}
        mapping |= dict(_pair(text) for text in map_ or ())
        extra: dict[str, object] = {"allow_unknown_items": allow_unknown_items}
        if kind == "products":
            extra = {"remove_missing": remove_missing}
        elif kind == "orders":
            extra = {}
        elif kind == "labels":
            extra = {"labels": _label_set(session, task)}
        options = {"format": format_, "mapping": mapping or None, "strict": strict, "rejects": target, **extra}
        run = partial(_choose(IMPORTS, kind, MEDIA), file, **options)
    store = open_store(session.settings.store_url)
    try:
        with session.output.progress():
            report = run(store)
    finally:
        store.close()
    _show(session, report)
    if report.rejected:
        raise typer.Exit(PARTLY)


@app.command()
def export(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="products, events, reviews, texts or judgements")],
    file: Annotated[Path, typer.Argument(help="Where to write.")],
    format_: Annotated[
        str, typer.Option("--format", help="csv, tsv, jsonl, parquet, xml (products); by the file's ending when empty")
    ] = "",
) -> None:
    """Export what the shop holds; the same file can be imported again."""
    session: Session = context.obj
    export_ = _choose(EXPORTS, kind)
    store = open_store(session.settings.store_url)
    try:
        with session.output.progress():
            count = export_(store, file, format=format_ or file.name.removesuffix(".gz").rpartition(".")[2])
    finally:
        store.close()
    session.output.say(f"Wrote {count:,} {kind} to {file}.")
    session.output.result({"kind": kind, "file": str(file), "rows": count})


def _import_media(session: Session, source: Path, rejects: Path, strict: bool, store: SqlStore) -> ImportReport:
    return import_media(
        URLS if str(source) == URLS and not source.exists() else source,
        store,
        session.settings.media,
        rejects=rejects,
        strict=strict,
        hosts=session.settings.fetch.listed,
    )


def _label_set(session: Session, task: str) -> LabelSet:
    if not task:
        raise InputError("Labels answer a question.", where="--task", cure="Name it, e.g. --task department.")
    return domain_of(session.settings.home).label_set(task)


def _show(session: Session, report: ImportReport) -> None:
    """Say what was read as what, what was done, and where the bad rows are."""
    columns = [(name, ", ".join(found)) for name, found in report.mapping.columns.items()]
    if columns:
        session.output.table("Columns", ["field", "read from"], columns)
    if report.unmapped:
        session.output.say(f"Kept as attributes or properties: {', '.join(report.unmapped)}")
    session.output.say(
        f"{report.rows:,} rows of {report.format} in {report.seconds:.1f} s: {report.added:,} added, {report.updated:,} updated, "
        f"{report.unchanged:,} unchanged, {report.removed:,} removed, {report.rejected:,} rejected."
    )
    for reason, count in report.skipped.items():
        session.output.say(f"  {count:,} passed over: {reason}")
    for reason, count in report.reasons.items():
        session.output.say(f"  {count:,} x {reason}")
    if report.rejects:
        session.output.warn(f"Rejected rows with reasons: {report.rejects}")
    session.output.result(report.to_json())


def _choose(table: dict[str, Callable[..., Any]], kind: str, *others: str) -> Callable[..., Any]:
    if kind not in table:
        raise InputError(
            f"{kind!r} is not something to import or export.", cure=f"Choose one of: {', '.join([*table, *others])}."
        )
    return table[kind]


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not equals:
        raise InputError(f"--map takes FIELD=COLUMN, not {text!r}.", cure="For example: --map id=sku --map title=name")
    return field, column


def _settings_template(name: str, changed: Mapping[str, Any]) -> str:
    """Every setting as a remark with its default; those that a domain changes stand as they are to be."""
    lines = [
        "# Every setting with its default; uncomment what you change. See docs/settings.md.",
        f"name = {_toml(name)}",
    ]
    section = ""
    for dotted, _, default, text in describe():
        part, _, key = dotted.rpartition(".")
        if dotted in {"home", "name"}:
            continue
        if part != section:
            section = part
            lines += ["", f"[{section}]"]
        value = f"{key} = {_toml(changed[dotted])}" if dotted in changed else f"# {key} = {_toml(default)}"
        lines += [f"# {text}", value]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return str(value).lower()
