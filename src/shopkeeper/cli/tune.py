"""The command that searches for better options of a recipe."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from shopkeeper.cli.main import Session, app
from shopkeeper.recipes.tune import SCORES, TUNABLE, tune
from shopkeeper.store.database import open_store


@app.command(name="tune")
def tune_(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help=f"Which recipe: {', '.join(TUNABLE)}")],
    trials: Annotated[int, typer.Option(help="Trials of the whole search, the defaults among them.", min=1)] = 20,
    minutes: Annotated[float, typer.Option(help="Wall time of this call.", min=0.0)] = 60.0,
    workers: Annotated[int, typer.Option(help="Processes that run trials; they share the threads.", min=1)] = 1,
) -> None:
    """Search for better options of a recipe; called again it goes on. What is clearly better, `train` uses."""
    session: Session = context.obj
    store = open_store(session.settings.store_url)
    try:
        with session.output.progress():
            found = tune(store, session.settings, task, trials=trials, minutes=minutes, workers=workers)
    finally:
        store.close()
    attempts = found.report.attempts
    names = list(found.report.defaults.values)
    session.output.table(
        f"Trials of {task}, {SCORES[task]}",
        ["", *names, "score", "", "seconds"],
        [
            (
                f"{attempt.number}{' defaults' if attempt is found.report.defaults else ''}",
                *(_short(attempt.values.get(name, "-")) for name in names),
                "-" if attempt.score is None else attempt.score,
                attempt.why or attempt.state,
                f"{attempt.seconds:.0f}",
            )
            for attempt in attempts
        ],
    )
    session.output.say(f"{found.verdict} Written to {found.file}.")
    session.output.result(
        {
            "task": task,
            "verdict": asdict(found.verdict) | {"text": str(found.verdict)},
            "best": found.report.best.to_json(),
            "trials": [attempt.to_json() for attempt in attempts],
            "file": str(found.file),
            "plot": None if found.plot is None else str(found.plot),
        }
    )


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
