"""The moments at which recommendation is taught and tested: what was known then, as histories and as trails, and what came next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.next_items import Split, split_last, split_time
from shopkeeper.retrieval.histories import read
from shopkeeper.retrieval.shelf import Rows, Shelf
from shopkeeper.retrieval.trails import Ints, Trails, read_trails


@dataclass(frozen=True, slots=True)
class Moment:
    """A `Split`, with its histories as trails.

    Attributes:
        split: Who is asked for what.
        learn: Trails to fit on.
        past: One trail a user in question.
    """

    split: Split
    learn: Trails
    past: Trails

    def take(self, users: Ints) -> Moment:
        """The same moment for some of the users, each at most once."""
        return Moment(self.split.take(users), self.learn, self.past.take(users))

    def without(self, rows: Rows) -> Moment:
        """The same moment, had nobody ever touched the items at `rows`; they can still be what comes next."""
        split = self.split
        learn, past = (part.keep(~np.isin(part.rows, rows)) for part in (split.learn, split.past))
        kept = replace(split, learn=learn, past=past)  # what they own stays out all the same
        trails = (part.keep(~np.isin(part.rows, rows)) for part in (self.learn, self.past))
        return Moment(kept, *trails)


def moments(frame: pl.DataFrame, shelf: Shelf, protocol: str, *, repeats: bool = False) -> tuple[Moment, Moment]:
    """Validation and test, see `splits`."""
    first, second = splits(frame, shelf, protocol, repeats=repeats)
    return moment(frame, shelf, first, protocol), moment(frame, shelf, second, protocol)


def moment(frame: pl.DataFrame, shelf: Shelf, split: Split, protocol: str) -> Moment:
    """A split of the events in `frame` with its trails."""
    if protocol == "time":
        frame = frame.filter((pl.col("customer") != "") & (pl.col("time").dt.epoch("us") / 1e6 < split.until))
    trails, _ = read_trails(frame, shelf)
    return Moment(split, trails.within(split.learn), trails.take(split.asked).within(split.past))


def splits(frame: pl.DataFrame, shelf: Shelf, protocol: str, *, repeats: bool = False) -> tuple[Split, Split]:
    """Validation and test.

    Args:
        frame: Events, see `EventLog.frame`.
        shelf: The items.
        protocol: ``time``: the last 30 % of the events in two windows; ``last``: the last two items of every customer.
        repeats: With ``time``: what a customer bought before may be foreseen, too.

    Raises:
        TrainingError: There is nothing to foresee in one of them.
    """
    if protocol == "last":
        histories, _ = read(frame, shelf)
        found = split_last(histories, len(shelf), 2), split_last(histories, len(shelf), 1)
    else:
        seconds = np.sort((frame["time"].dt.epoch("us") / 1e6).to_numpy())
        marks = [float(seconds[int(share * (len(seconds) - 1))]) for share in (0.7, 0.85)] if len(seconds) else [0, 0]
        end = float(seconds[-1]) + 1 if len(seconds) else 1.0
        found = (
            split_time(frame, shelf, marks[0], marks[1], repeats=repeats),
            split_time(frame, shelf, marks[1], end, repeats=repeats),
        )
    for name, split in zip(("validation", "test"), found, strict=True):
        if not len(split.targets):
            raise TrainingError(
                f"No customer takes anything in the {name} part of the log, so there is nothing to learn from.",
                where="events",
                cure="Import more events with customer ids; until then recommendation works with default weights.",
            )
    return found
