"""How a sequence model is fitted to trails: what may be varied, the softmax over items, the fitted model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shopkeeper.compute.device import pick_device, set_threads
from shopkeeper.errors import TrainingError
from shopkeeper.models.sequence import SequenceModel, SequenceShape, export_sequence
from shopkeeper.recipes.recommend.next_lessons import Lessons, Windows
from shopkeeper.retrieval.histories import Floats
from shopkeeper.retrieval.next_items import NextItems, TextPath
from shopkeeper.retrieval.shelf import Rows
from shopkeeper.retrieval.trails import KINDS, Trails
from shopkeeper.settings import Settings
from shopkeeper.training.batching import Buckets
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import fit
from shopkeeper.training.optimisers import Group
from shopkeeper.training.plan import FitReport, FitSettings

_TOGETHER = 128
"""Trails that are validated at once."""
_FLAT = 1e-6
"""Directions of the text vectors with less than this share of the largest variance are noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOptions:
    """What may be varied.

    Attributes:
        width: Length of item vectors and states.
        layers: Transformer layers.
        heads: Attention heads.
        length: Steps that are read.
        dropout: On the steps, within attention and after each branch.
        scale: What cosines are multiplied with before the softmax.
        hide: Probability with which an item goes by its text alone in a training step.
        text: Directions of the text vectors that are kept.
        negatives: Items drawn for the softmax of a batch; 0 compares with all.
        rate: Peak learning rate.
        weight_decay: Decoupled decay of matrices.
        batch: Trails of one step.
        epochs: Passes over the trails at most.
        patience: Validations without improvement before training stops, one an epoch. The first epochs are worse than the
            start, which compares texts and is no bad guess: fewer than five would end there.
    """

    width: int = 128
    layers: int = 2
    heads: int = 2
    length: int = 50
    dropout: float = 0.5
    scale: float = 20.0
    hide: float = 0.1
    text: int = 256
    negatives: int = 512
    rate: float = 3e-3
    weight_decay: float = 0.01
    batch: int = 256
    epochs: int = 16
    patience: int = 6


@dataclass(frozen=True, slots=True)
class NextModel:
    """A fitted sequence model, before it is put into a bundle or to work.

    Attributes:
        model: Item vectors and body.
        rows: int64 (items,), shelf rows of the items learnt from, rising.
        features: What the text vectors became before the model's own projection; None without texts.
        epochs: Passes over the trails after which the state was reached.
    """

    model: SequenceModel
    rows: Rows
    features: TextPath | None
    epochs: int = 0

    @property
    def items(self) -> Floats:
        """Unit vectors of the items learnt from, float32 (items, d)."""
        with torch.no_grad():
            vectors: Floats = self.model.items().cpu().numpy()
        return vectors

    @property
    def text(self) -> TextPath | None:
        """From text vectors to item vectors; None without texts."""
        project = self.model.items.project
        if self.features is None or project is None:
            return None
        weight, bias = project.weight.detach().cpu().numpy().T, project.bias.detach().cpu().numpy()
        return TextPath(self.features.matrix @ weight, self.features.shift @ weight + bias)

    def graph(self) -> bytes:
        """The body as ONNX."""
        return export_sequence(self.model.body)

    def table(self, width: int, vectors: Floats | None) -> Floats:
        """Unit vectors of all rows of a shelf, float32 (width, d); zeros where nothing is known of an item.

        Args:
            width: Rows of the shelf.
            vectors: Encoder vectors, float32 (width, t), or None.
        """
        found = np.zeros((width, self.model.body.shape.width), dtype=np.float32)
        if vectors is not None and self.text is not None:
            found[:] = self.text(vectors)
        found[self.rows] = self.items
        return found

    def states(self, trails: Trails, table: Floats) -> Floats:
        """What `retrieval.next_items.NextItems.states` gives, computed by PyTorch: float32 (users, d).

        Args:
            trails: Any number of users.
            table: See `table`; steps on unknown items are left out.
        """
        body = self.model.body
        device = next(body.parameters()).device
        trails = trails.keep(np.any(table != 0, axis=1)[trails.rows]).newest(body.shape.length)
        out = np.zeros((len(trails), table.shape[1]), dtype=np.float32)
        with torch.no_grad():
            for users in trails.alike(_TOGETHER):
                batch = trails.take(users)
                rows, kinds, times = batch.padded()
                given = (torch.from_numpy(values).to(device) for values in (table[rows], kinds, times))
                newest = torch.from_numpy(batch.lengths - 1).to(device)
                out[users] = body(*given)[torch.arange(len(users), device=device), newest].cpu().numpy()
        return out

    def to_serving(self, width: int, vectors: Floats | None = None, *, threads: int = 1) -> NextItems:
        """The model at work over the shelf it was learnt on; arguments as for `table`."""
        length = self.model.body.shape.length
        served = NextItems(self.graph(), self.table(width, None), length, self.text, threads=threads)
        if vectors is not None:
            served.put(np.arange(len(vectors), dtype=np.int64), vectors)
        return served


def fit_next(
    trails: Trails,
    vectors: Floats | None,
    settings: Settings,
    *,
    options: NextOptions | None = None,
    judge: Callable[[NextModel], float] | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    hooks: Sequence[Hook] = (),
) -> tuple[NextModel, FitReport]:
    """Fit a sequence model to what customers did.

    Items that nobody touched are neither seen nor used as negatives: at serving their text speaks for them.

    Args:
        trails: What to learn from, rows of a shelf.
        vectors: float32 (shelf rows, t), encoder vectors, or None to go by behaviour alone.
        settings: Device, threads and seed.
        options: What may be varied.
        judge: Score of the model as it stands on validation, higher is better; None trains for all epochs.
        minutes: Wall-time budget; `settings.train.minutes` when None.
        seed: Of everything random; `settings.compute.seed` when None.
        hooks: What else happens in the loop.

    Raises:
        TrainingError: No customer took one step after another.
    """
    options = options or NextOptions()
    seed = settings.compute.seed if seed is None else seed
    set_threads(settings.compute)
    device = pick_device(settings.compute)
    rows = np.unique(trails.rows)
    lessons = Lessons(trails, rows, options.length, device)
    if not len(lessons.lengths):
        raise TrainingError(
            "No customer did two things one after the other, so there is no order to learn.",
            where="events",
            cure="Import more events with customer ids.",
        )
    features = None if vectors is None else whitening(vectors, options.text)
    shape = SequenceShape(
        kinds=len(KINDS), width=options.width, layers=options.layers, heads=options.heads, length=options.length,
        dropout=options.dropout,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        said = None if features is None or vectors is None else torch.from_numpy(_affine(features, vectors[rows]))
        model = SequenceModel(len(rows), shape, said).to(device)
    found = NextModel(model, rows, features)
    report = fit(
        model,
        Buckets(lessons.lengths, options.batch, lessons.batch),
        lambda learning, windows: next_loss(learning, windows, options),
        FitSettings(
            epochs=options.epochs,
            minutes=settings.train.minutes if minutes is None else minutes,
            rate=options.rate,
            weight_decay=options.weight_decay,
            optimiser=quick_adamw,
            patience=options.patience,
        ),
        validate=None if judge is None else lambda: judge(found),
        hooks=hooks,
        seed=seed,
        name="Learning what comes next",
    )
    return replace(found, epochs=round(report.epochs * report.best_step / report.steps)), report


def next_loss(model: nn.Module, windows: Windows, options: NextOptions) -> Tensor:
    """Softmax cross-entropy of the next item over scaled cosines, a scalar.

    With `options.negatives` below the number of items it is a sampled softmax: m items are drawn evenly for the whole
    batch, and stand for all N by the correction log(N / m) (Bengio & Senecal 2008, "Adaptive importance
    sampling to accelerate training of a neural probabilistic language model").

    Args:
        model: A `SequenceModel`.
        windows: The batch.
        options: Scale, negatives, and how often an item goes by its text alone.
    """
    assert isinstance(model, SequenceModel)
    asked = windows.worth > 0
    wanted, weights = windows.wanted[asked], windows.worth[asked]
    count = len(model.items.ids)
    if not 0 < options.negatives < count:
        items = model.items(hide=options.hide)
        states = model.body(items[windows.rows], windows.kinds, windows.times)[asked]
        losses = cross_entropy(options.scale * (states @ items.T).float(), wanted, reduction="none")
        return (losses * weights).sum() / weights.sum()
    drawn = torch.randperm(count, device=wanted.device)[: options.negatives]
    needed, place = torch.unique(torch.cat([windows.rows.flatten(), wanted, drawn]), return_inverse=True)
    items = model.items(needed, hide=options.hide)
    history, target, others = place.split([windows.rows.numel(), len(wanted), len(drawn)])
    steps = items[history].reshape(*windows.rows.shape, -1)
    states = options.scale * model.body(steps, windows.kinds, windows.times)[asked]
    right = (states * items[target]).sum(dim=-1, keepdim=True) - math.log(count / options.negatives)
    wrong = states @ items[others].T
    column = torch.full((count,), -1, device=wanted.device).index_put_((drawn,), torch.arange(len(drawn)).to(wanted))
    hits = (column[wanted] >= 0).nonzero()[:, 0]
    wrong[hits, column[wanted[hits]]] = -torch.inf
    losses = cross_entropy(torch.cat([right, wrong], dim=1).float(), torch.zeros_like(wanted), reduction="none")
    return (losses * weights).sum() / weights.sum()


def whitening(vectors: Floats, directions: int) -> TextPath:
    """An affine map after which the text vectors vary equally in their main directions, and have length 1 on average.

    Encoder vectors crowd in a narrow cone; whitened, they keep apart what a linear projection can learn from (Zhang et al.
    2024, "Are ID embeddings necessary? Whitening pre-trained text embeddings for effective sequential recommendation").

    Args:
        vectors: float32 (n, t); zero rows are items without a text, and left out.
        directions: Directions kept at most.
    """
    told = vectors[vectors.any(axis=1)].astype(np.float64)
    centre = told.mean(axis=0) if len(told) else np.zeros(vectors.shape[1])
    spread = (told - centre).T @ (told - centre) / max(len(told), 1)
    values, axes = np.linalg.eigh(spread)
    kept = np.flatnonzero(values > _FLAT * max(values[-1], 1e-12))[::-1][:directions]
    matrix = axes[:, kept] / np.sqrt(values[kept] * max(len(kept), 1))
    return TextPath(matrix.astype(np.float32), (-centre @ matrix).astype(np.float32))


def quick_adamw(groups: list[Group]) -> torch.optim.Optimizer:
    """AdamW whose second moments forget within fifty steps: rows of rare items get few gradients."""
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def _affine(path: TextPath, vectors: Floats) -> Floats:
    return np.asarray(vectors @ path.matrix + path.shift, dtype=np.float32)
