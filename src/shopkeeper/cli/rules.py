"""Merchandising rules: list them, bring them in and out as files, take some away, and see who changed what."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.records import Filters
from shopkeeper.serving.problems import fault_of
from shopkeeper.serving.rule_schemas import RulesIn
from shopkeeper.store.database import open_store
from shopkeeper.store.merchandising import Rule, RuleChange, Then, When
from shopkeeper.store.protocols import Rules
from shopkeeper.store.rules import change_document, rule_document

rules = typer.Typer(no_args_is_help=True, help="What merchandisers decided about searches: pins, boosts, banners ...")
app.add_typer(rules, name="rules")

By = Annotated[str, typer.Option(help="Who does it; kept with the change.")]


@rules.command(name="list")
def list_(context: typer.Context) -> None:
    """All rules, the strongest first."""
    with _rules(context) as kept:
        found = sorted(kept.scan(), key=lambda rule: rule.strength)
    session: Session = context.obj
    columns = ["rule", "name", "priority", "", "when", "then", "changed", "by"]
    session.output.table(f"{len(found)} rules", columns, [_row(rule) for rule in found])
    session.output.result({"rules": [rule_document(rule) for rule in found]})


@rules.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help='JSON: {"rules": [...]}, as `export` writes it.')],
    by: By = "cli",
) -> None:
    """Add or replace the rules of a file by id, all or none."""
    wanted = _parsed(file)
    with _rules(context) as kept:
        changes = kept.put(wanted, by)
    session: Session = context.obj
    session.output.say(f"{changes.added} added, {changes.updated} changed, {changes.unchanged} as they were.")
    session.output.result({"added": changes.added, "updated": changes.updated, "unchanged": changes.unchanged})


@rules.command()
def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to; standard output when left out.")] = None,
) -> None:
    """Write all rules as JSON that `import` reads."""
    with _rules(context) as kept:
        document = {"rules": [rule_document(rule) for rule in kept.scan()]}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
    session: Session = context.obj
    if file is None:
        sys.stdout.write(text.decode())
        return
    try:
        file.write_bytes(text)
    except OSError as error:
        raise InputError(
            f"The file cannot be written: {error.strerror}.", where=str(file), cure="Name another."
        ) from error
    session.output.say(f"{len(document['rules'])} rules written to {file}.")
    session.output.result({"rules": len(document["rules"]), "file": str(file)})


@rules.command()
def remove(
    context: typer.Context,
    identifiers: Annotated[list[str], typer.Argument(metavar="RULE...", help="Ids of rules.")],
    by: By = "cli",
) -> None:
    """Take rules away; the log remembers what they were."""
    with _rules(context) as kept:
        changes = kept.remove(identifiers, by)
    session: Session = context.obj
    session.output.say(f"{changes.removed} removed, {changes.unchanged} were not there.")
    session.output.result({"removed": changes.removed, "unchanged": changes.unchanged})


@rules.command()
def log(
    context: typer.Context,
    rule: Annotated[str, typer.Option(help="Only changes of this rule.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
) -> None:
    """Who changed what and when, newest first; --json shows every rule before and after."""
    with _rules(context) as kept:
        found = kept.changes(limit=limit, rule=rule)
    session: Session = context.obj
    rows = [(c.number, f"{c.time:%Y-%m-%d %H:%M:%S}", c.actor, c.rule, _act(c)) for c in found]
    session.output.table("Changes", ["", "time (UTC)", "who", "rule", "what"], rows)
    session.output.result({"changes": [change_document(change) for change in found]})


@contextmanager
def _rules(context: typer.Context) -> Iterator[Rules]:
    session: Session = context.obj
    with open_store(session.settings.store_url) as store:
        yield store.rules


def _parsed(file: Path) -> list[Rule]:
    try:
        document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror}.", where=str(file), cure="Check its name."
        ) from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"This is not JSON: {error}.", where=str(file), cure='Write {"rules": [...]}.') from None
    try:
        return RulesIn.model_validate({"rules": document} if isinstance(document, list) else document).records()
    except ValidationError as error:
        fault = fault_of(error.errors(include_url=False)[0])
        where = f"{file}, {fault['where']}" if fault["where"] else str(file)
        raise InputError(str(fault["what"]), where=where, cure=str(fault["cure"])) from None


def _row(rule: Rule) -> tuple[object, ...]:
    state = "on" if rule.enabled else "off"
    changed = f"{rule.changed:%Y-%m-%d %H:%M}" if rule.changed else ""
    return rule.id, rule.name, rule.priority, state, _when(rule.when), _then(rule.then), changed, rule.changed_by


def _when(when: When) -> str:
    parts = [*(f"“{query}”" for query in when.exact), *(f"…{phrase}…" for phrase in when.contains)]
    said = [" or ".join(parts)] if parts else []
    said += [" > ".join(path) for path in when.categories]
    said += [f"{name}: {'/'.join(values)}" for name, values in when.segments.items()]
    said += ["/".join(when.languages)] if when.languages else []
    said += [f"from {when.start:%Y-%m-%d %H:%M %Z}"] if when.start else []
    said += [f"until {when.end:%Y-%m-%d %H:%M %Z}"] if when.end else []
    return "; ".join(said) or "always"


def _then(then: Then) -> str:
    said = [f"pin {pin.item} at {pin.position}" for pin in then.pins]
    said += [f"x{boost.factor:g}" for boost in then.boosts]
    said += [f"hide {', '.join(then.hide)}"] if then.hide else []
    said += ["filter"] if then.filters != Filters() else []
    said += [f"go to {then.redirect}"] if then.redirect else []
    said += [f"search “{then.query}”"] if then.query else []
    said += [f"banner “{next(iter(then.banner.text.values()))}”"] if then.banner else []
    return "; ".join(said)


def _act(change: RuleChange) -> str:
    if change.before is None:
        return "added"
    if change.after is None:
        return "removed"
    before, after = rule_document(change.before), rule_document(change.after)
    named = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return "changed " + ", ".join(name for name in named if name not in ("changed", "changed_by"))
