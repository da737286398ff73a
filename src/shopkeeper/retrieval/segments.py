"""What is popular among customers alike: for whoever nothing is known of but a language, a country or a kind of device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from shopkeeper.errors import InputError
from shopkeeper.retrieval.histories import Floats, Histories, Matrix
from shopkeeper.retrieval.popularity import counted, on_log_scale


@dataclass(frozen=True, slots=True)
class SegmentPopularity:
    """Popularity in the whole shop, and how each segment of customers departs from it.

    A segment's shares are the mean of a Dirichlet distribution that starts at the shop's shares: a segment of which little
    is known likes what everybody likes.

    Attributes:
        counts: float32 (width,), what was done with each item in the whole shop, fading with age.
        segments: Label to its row of `held`.
        held: float32 (segments, width), the same within each segment.
        prior: Behaviour, in events of strength 1, that a segment must show to be believed half.
    """

    counts: Floats
    segments: Mapping[str, int]
    held: Matrix
    prior: float

    @property
    def overall(self) -> Floats:
        """float32 (width,), in [0, 1]: the same as `popularity`."""
        return on_log_scale(self.counts)

    def of(self, segments: Sequence[str]) -> Floats:
        """What is popular with a person.

        Args:
            segments: All labels of the person. Each weighs as much as it is believed; unknown ones say nothing.

        Returns:
            float32 (width,), in [0, 1], on the scale of `popularity`; `overall` when no label is known.
        """
        rows = sorted({self.segments[label] for label in segments if label in self.segments})
        total = float(self.counts.sum(dtype=np.float64))
        if not rows or not total:
            return self.overall
        own = self.held[rows]
        size = np.asarray(own.sum(axis=1), dtype=np.float64).ravel()
        belief = size / (size + self.prior)
        weight = belief / max(belief.sum(), 1e-12)
        shares = (weight * belief / np.maximum(size, 1e-12)) @ own + (weight @ (1 - belief)) / total * self.counts
        return on_log_scale(shares * total)


def segment_popularity(
    histories: Histories,
    labels: Sequence[tuple[str, ...]],
    width: int,
    *,
    half_life: float,
    until: float,
    prior: float = 100.0,
    least: int = 20,
) -> SegmentPopularity:
    """Count what is popular in each segment.

    Args:
        histories: What customers did.
        labels: Of each user, in the order of the histories: none, one or several, e.g. ``("language=zh", "country=CN")``.
        width: Number of rows of the shelf.
        half_life: Days after which an event counts half.
        until: Now, in seconds since 1970.
        prior: See `SegmentPopularity`; above 0.
        least: Segments in which fewer customers did anything are left out: they would tell what single people bought.

    Raises:
        InputError: There is not one tuple of labels for each user, or `prior` is not above 0.
    """
    if len(labels) != len(histories):
        raise InputError(
            f"There are labels for {len(labels)} users and histories of {len(histories)}.",
            where="labels",
            cure="Give one tuple for each user; an empty one says that nothing is known.",
        )
    if not prior > 0:
        raise InputError(f"It is {prior}.", where="prior", cure="Give a number above 0.")
    active = np.bincount(histories.users, weights=histories.strengths > 0, minlength=len(histories)) > 0
    belongs = [
        (user, label) for user in np.flatnonzero(active).tolist() for label in dict.fromkeys(labels[user]) if label
    ]
    names = sorted({label for _, label in belongs})
    place = {name: number for number, name in enumerate(names)}
    users = np.array([user for user, _ in belongs], dtype=np.int64)
    of = np.array([place[label] for _, label in belongs], dtype=np.int64)
    people = np.bincount(of, minlength=len(names))
    kept = [name for name in names if people[place[name]] >= least]
    weight = counted(histories, half_life=half_life, until=until)
    done = sp.csr_array((weight, histories.rows, histories.indptr), shape=(len(histories), width))
    member = sp.csr_array((np.ones(len(of), dtype=np.float32), (of, users)), shape=(len(names), len(histories)))
    held = sp.csr_array(member[[place[name] for name in kept]] @ done)
    counts = np.bincount(histories.rows, weights=weight, minlength=width).astype(np.float32)
    return SegmentPopularity(counts, {name: row for row, name in enumerate(kept)}, held, prior)
