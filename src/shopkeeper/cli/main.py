"""The `shopkeeper` command: every step of running a shop, for people and (with ``--json``) for programs.

Exit codes: 0 done, 1 the shop could not do it (bad input, missing data), 2 the command was called wrongly,
3 done in part (some rows rejected, some recipes skipped under ``--strict``), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import typer

from shopkeeper import __version__, settings
from shopkeeper.cli.output import Output
from shopkeeper.errors import ShopkeeperError
from shopkeeper.settings import Settings

app = typer.Typer(
    name="shopkeeper",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A pretrained language model, fine-tuned on a shop's own words and behaviour, runs the shop.",
)

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "data": ("init", "import", "export"),
    "learn": ("train", "evaluate", "models", "demo"),
    "operate": ("search", "suggest", "recommend", "similar", "tag", "index", "serve", "keys", "doctor"),
    "review": ("review",),
    "runs": ("runs",),
    "tune": ("tune",),
    "analytics": ("analytics",),
    "rules": ("rules",),
    "campaigns": ("campaigns",),
    "uplift": ("uplift",),
    "checks": ("guard",),
    "graph": ("graph",),
    "profiles": ("profile", "segments", "customer"),
    "pictures": ("pictures", "look"),
    "mailing": ("mail",),
    "policy": ("policy",),
    "ask": ("ask", "desk"),
    "mcp": ("mcp",),
    "classify": ("classify", "hot"),
    "listen": ("listen", "opinions"),
    "alerts": ("alerts",),
    "write": ("write",),
}
"""Which module registers which commands."""


@dataclass(frozen=True, slots=True)
class Session:
    """What every command needs: the settings in force and where results go."""

    settings: Settings
    output: Output


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"shopkeeper {__version__}\n")
        raise typer.Exit


@app.callback()
def configure(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="The shop's folder (default: $SHOPKEEPER_HOME or ./shop).")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting: --set serve.port=9000 (repeatable).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
    version: Annotated[  # noqa: ARG001 - the callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read the settings once, for every command."""
    overrides: dict[str, Any] = {}
    for pair in set_ or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes NAME=VALUE, not {pair!r}")
        overrides[name] = value
    context.obj = Session(settings.load(home, overrides=overrides), Output(as_json=as_json))


def needed(arguments: Sequence[str]) -> list[str]:
    """Modules whose commands stand on the line; all of them where none does, for the help and for slips.

    Learning takes seconds to import, which nobody waits for who only wants to import a feed.
    """
    return [module for module, names in COMMANDS.items() if set(names) & set(arguments)] or list(COMMANDS)


def main() -> None:
    """Entry point: run the command, turn errors into one line of advice and an exit code."""
    arguments = sys.argv[1:]
    for commands in needed(arguments):
        import_module(f"shopkeeper.cli.{commands}")
    if "--json" in arguments:  # allowed anywhere on the line
        arguments = ["--json", *(argument for argument in arguments if argument != "--json")]
    try:
        app(arguments)
    except ShopkeeperError as error:
        output = Output(as_json="--json" in arguments)
        output.result({"error": {"what": error.what, "where": error.where, "cure": error.cure}})
        sys.stderr.write(f"shopkeeper: {error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("shopkeeper: interrupted; what was finished is kept.\n")
        raise SystemExit(130) from None
