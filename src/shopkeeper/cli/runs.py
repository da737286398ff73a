"""Commands about past runs: list them, put some side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError
from shopkeeper.training.runs import compare, find_run, list_runs

runs = typer.Typer(help="List training runs, or compare some.", invoke_without_command=True)
app.add_typer(runs, name="runs")


@runs.callback()
def list_(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="Only of this recipe.")] = "",
) -> None:
    """List training runs, oldest first."""
    if context.invoked_subcommand is not None:
        return
    session: Session = context.obj
    records = list_runs(session.settings.home, task)
    session.output.table(
        "Runs",
        ["run", "", "started", "seconds", "notes"],
        [
            (run.name, run.state, run.started[:19], "" if run.seconds is None else f"{run.seconds:.0f}", run.notes)
            for run in records
        ],
    )
    session.output.result(
        [
            {"run": run.name, "state": run.state, "started": run.started, "seconds": run.seconds, "notes": run.notes}
            for run in records
        ]
    )


@runs.command(name="compare")
def compare_(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="Runs as TASK/NUMBER, two or more.")],
) -> None:
    """Settings that differ and all metrics, side by side."""
    if len(names) < 2:
        raise InputError("One run alone cannot be compared.", where="runs", cure="Name two: relevance/1 relevance/2.")
    session: Session = context.obj
    found = compare([find_run(session.settings.home, name) for name in names])
    for title, rows in (("Settings that differ", found.settings), ("Metrics", found.metrics)):
        shown = [(name, *("-" if value is None else value for value in row)) for name, row in rows.items()]
        session.output.table(title, ["", *found.names], shown)
    session.output.result(
        {
            "runs": found.names,
            "settings": {name: list(row) for name, row in found.settings.items()},
            "metrics": {name: list(row) for name, row in found.metrics.items()},
        }
    )
