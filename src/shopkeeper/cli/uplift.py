"""Who should get the coupon: learn from a trial, and choose customers."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray

from shopkeeper.cli.main import Session, app
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.registry import Registry
from shopkeeper.ranking.ads.uplift import TASK, Uplift, chosen
from shopkeeper.recipes.ads.campaign_trial import customers_at, read_trial
from shopkeeper.recipes.ads.uplift import train_uplift
from shopkeeper.records import Customer, Scalar, now
from shopkeeper.store.database import open_store

uplift = typer.Typer(no_args_is_help=True, help="Who is persuaded by a coupon, an e-mail or an ad, and whom to treat.")
app.add_typer(uplift, name="uplift")

_SIDES = ("customers", "treated", "outcome of the treated", "outcome of the others", "effect")


@uplift.command()
def train(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="CSV or Parquet, one customer a row; or give --campaign.")] = None,
    treated: Annotated[str, typer.Option(help="Column with 1 for those treated, else 0.")] = "treated",
    outcome: Annotated[str, typer.Option(help="Column with what came of it: 1 or 0, or money.")] = "outcome",
    leave: Annotated[list[str] | None, typer.Option(help="Column to leave out, e.g. an id (repeatable).")] = None,
    campaign: Annotated[str, typer.Option(help="Learn from the shop's own log of this campaign.")] = "",
    days: Annotated[float, typer.Option(help="With --campaign: days within which a purchase counts.", min=0.1)] = 14.0,
    chance: Annotated[
        float | None, typer.Option(help="Chance of being treated, where it was not the share of the treated.")
    ] = None,
    observed: Annotated[
        bool, typer.Option("--observed", help="Treatment was not drawn by lot: estimate its chance from the columns.")
    ] = False,
) -> None:
    """Learn from customers some of whom were treated by lot; the model serves at once.

    Columns that name a customer (all values differ) are left out.
    """
    session: Session = context.obj
    if (file is None) == (not campaign):
        raise typer.BadParameter("give a FILE or --campaign", param_hint="FILE")
    left: list[str] = []
    if file is None:
        with open_store(session.settings.store_url) as store:
            trial = read_trial(store, campaign, days=days)
        customers, side, result = trial.features, trial.treated.astype(np.float64), trial.outcome
        if trial.left_out:
            session.output.warn(f"{trial.left_out:,} customers are left out: drawn into both arms, or too lately.")
    else:
        frame = _read(file)
        side, result = _column(frame, treated, file), _column(frame, outcome, file)
        customers = frame.drop(treated, outcome, *(leave or ()), strict=False)
        left = [name for name in customers.columns if _names_rows(customers[name])]
        customers = customers.drop(left)
    registry = Registry(session.settings.bundles)
    with session.output.progress(), tempfile.TemporaryDirectory() as scratch:
        bundle = train_uplift(
            customers,
            side,
            result,
            Path(scratch) / TASK,
            propensity=chance,
            randomised=not observed,
            name=campaign or (file.stem if file is not None else ""),
            seed=session.settings.compute.seed,
        )
        version = registry.add(bundle.folder)
        registry.promote(TASK, version)
    if left:
        session.output.say(f"Left out, for their values name customers: {', '.join(left)}.")
    _show(session, registry.open(TASK, version), left)


@uplift.command()
def who(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet of customers; without it, those of the shop's log.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the customers to treat at most.", min=0.0, max=1.0)] = 1.0,
    cost: Annotated[float, typer.Option(help="What treating one customer costs.", min=0.0)] = 0.0,
    benefit: Annotated[float, typer.Option(help="What one unit of the outcome is worth.")] = 1.0,
    out: Annotated[Path, typer.Option(help="CSV to write: the columns given, gain and treat.")] = Path("who.csv"),
    mark: Annotated[
        str,
        typer.Option(
            help="Without a file: also write it down as this attribute of the customers, treat or leave, for the segments of campaigns and rules."
        ),
    ] = "",
) -> None:
    """Choose the customers whom treatment changes most, and only those for whom it is worth its cost."""
    session: Session = context.obj
    if mark and file is not None:
        raise typer.BadParameter("only customers of the log can be marked; leave the file out", param_hint="--mark")
    bundle = Registry(session.settings.bundles).live(TASK)
    if bundle is None:
        raise NotFoundError(
            "No model of who is persuaded was learnt yet.", where=TASK, cure="Learn one: shopkeeper uplift train FILE"
        )
    model = Uplift.load(bundle)
    shown, customers = _customers(session) if file is None else (_read(file),) * 2
    gain = model.gain(customers)
    treat = chosen(gain, share=share, cost=cost, benefit=benefit, seed=session.settings.compute.seed)
    shown.with_columns(pl.Series("gain", gain), pl.Series("treat", treat)).write_csv(out)
    if mark:
        _mark(session, mark, shown["customer"].to_list(), treat)
    expected = float(gain[treat].sum())
    session.output.say(
        f"{int(treat.sum()):,} of {len(treat):,} customers are to be treated; that is expected to gain {expected:,.1f} in"
        f" the outcome, against {float(gain.sum()):,.1f} if all were. Written to {out}."
    )
    session.output.result(
        {
            "model": bundle.name,
            "customers": len(treat),
            "treat": int(treat.sum()),
            "expected_gain": expected,
            "expected_gain_of_all": float(gain.sum()),
            "file": str(out),
        }
    )


def _customers(session: Session) -> tuple[pl.DataFrame, pl.DataFrame]:
    with open_store(session.settings.store_url) as store:
        people = sorted(set(store.events.frame()["customer"].to_list()) - {""})
        table = customers_at(store, people, np.full(len(people), now().timestamp()))
    return pl.DataFrame({"customer": people}, schema={"customer": pl.String}), table


def _mark(session: Session, attribute: str, people: list[str], treat: NDArray[np.bool_]) -> None:
    """Write ``treat`` or ``leave`` into an attribute of customers, beside their others."""
    with open_store(session.settings.store_url) as store:
        known = store.customers.get(people)
        store.customers.put(
            replace(one, attributes={**one.attributes, attribute: "treat" if chosen_ else "leave"})
            for one, chosen_ in zip((known.get(who) or Customer(id=who) for who in people), treat.tolist(), strict=True)
        )
        told: dict[str, Scalar] = {"attribute": attribute, "treat": int(treat.sum()), "leave": int((~treat).sum())}
        store.audit.record("uplift", actor="cli", detail=told)


def _read(file: Path) -> pl.DataFrame:
    if not file.is_file():
        raise InputError("There is no such file.", where=str(file), cure="Check the path.")
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"The table cannot be read: {error}.", where=str(file), cure="Give a CSV with a header, or a Parquet file."
        ) from error


def _column(frame: pl.DataFrame, name: str, file: Path) -> NDArray[np.float64]:
    if name not in frame.columns:
        raise InputError(
            f"There is no column {name!r}; there are {', '.join(frame.columns)}.",
            where=str(file),
            cure="Name the columns with --treated and --outcome.",
        )
    series = frame[name]
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean) or series.null_count():
        raise InputError(
            f"The column {name!r} is not a number in every row.",
            where=f"{file}, column {name}",
            cure="Write 1 or 0 (or an amount of money for the outcome) for every customer.",
        )
    return series.cast(pl.Float64).to_numpy()


def _names_rows(series: pl.Series) -> bool:
    """Does every row have a value of its own, as an id has? Fractions may all differ and still be quantities."""
    return len(series) > 1 and not series.dtype.is_float() and series.n_unique() == len(series)


def _show(session: Session, bundle: Bundle, left: list[str]) -> None:
    card = bundle.card
    session.output.table("The trial", ("", ""), [(name, card.data[name]) for name in _SIDES])
    before, after = card.before["cross-fitted"], card.after["cross-fitted"]
    rows = [(name, before[name], after[name]) for name in after]
    session.output.table("Customers it was not taught", ("", "likely to buy", "persuaded"), rows)
    session.output.say(f"{bundle.name}, {card.settings['kind']}, is live. {card.notes}")
    session.output.result(
        {
            "model": bundle.name,
            "kind": card.settings["kind"],
            "data": dict(card.data),
            "before": dict(card.before),
            "after": dict(card.after),
            "left_out": left,
            "notes": card.notes,
        }
    )
