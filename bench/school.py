"""One model goes through a course of periods, by one method against forgetting or another."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench.periods import Course
from bench.texts import Ints
from shopkeeper.models.adapters import Lora
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.heads import Classifier
from shopkeeper.models.text import unit
from shopkeeper.recipes.texts.update import GENTLE, GENTLE_HEAD
from shopkeeper.training.continual import grow, put_back, remembering
from shopkeeper.training.criteria import classes
from shopkeeper.training.distillation import answers
from shopkeeper.training.elastic import Anchor, ElasticPenalty, anchor, own_answers
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.memory import Reservoir, herding, lessons, rehearsed
from shopkeeper.training.period_adapters import by_share, period_adapter
from shopkeeper.training.supervised import supervised
from shopkeeper.training.texts import TokenRows
from shopkeeper.training.trunk import Trunk

KEPT = 0.05
BATCH = 16
ADAPTER = Lora(rank=8)
ADAPTER_RATE, ADAPTER_HEAD = 1e-3, 2.0  # the head learns at the rate that it has in the other methods


@dataclass(frozen=True, slots=True)
class Method:
    """What is done against forgetting; nothing by default.

    Attributes:
        name: Of its row.
        memory: How the texts to be rehearsed are chosen.
        former: Weight of the model's own former answers.
        elastic: Strength of elastic weights.
        gentle: Each period after the first at half the rate, the head at twice that of the body: it knows its work by now.
        adapters: Learn each period t in a LoRA of its own and add 1/t of it: the mean of all periods' changes.
    """

    name: str
    memory: Literal["", "reservoir", "herding"] = ""
    former: float = 0.0
    elastic: float = 0.0
    gentle: bool = False
    adapters: bool = False


@dataclass(frozen=True, slots=True)
class School:
    """What all methods share: the body as it was before, its frozen layers run once, how long to train."""

    backbone: Backbone
    trunk: Trunk
    texts: TokenRows
    begin: dict[str, torch.Tensor]
    settings: FitSettings
    seed: int

    def beginner(self, count: int) -> Classifier:
        """The body as it was, under a new head."""
        put_back(self.backbone.model, self.begin)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return Classifier(self.backbone, classes=count)

    def right(self, model: Classifier, course: Course, rows: Ints) -> NDArray[np.float64]:
        """1 where the model is right about a text, else 0; float (len(rows),)."""
        found = answers(model, self.texts, rows, bfloat16=True, within=self.trunk.using).argmax(dim=1)
        return (found == course.wanted[torch.from_numpy(rows)]).double().numpy()

    def attend(self, course: Course, method: Method) -> NDArray[np.float64]:
        """Learn one period after another; accuracy on each so far after each, float (t, t), NaN above the diagonal."""
        count = len(course.train)
        table = np.full((count, count), np.nan)
        model = self.beginner(course.classes[0])
        rng = np.random.default_rng(self.seed)
        kept = np.zeros(0, dtype=np.int64)
        bowl: Anchor | None = None
        for period, new in enumerate(course.train):
            former = self._answers(model, np.concatenate([new, kept])) if method.former and period else None
            if course.classes[period] > model.classes:
                model.linear = grow(model.linear, course.classes[period], seed=self.seed + period)
                model.classes = course.classes[period]
            self._learn(model, course, rehearsed(new, kept, rng, repeats=4), method, former, bowl, period)
            if method.memory:
                kept = np.concatenate([kept, self._worth_keeping(model, course, new, method.memory, rng)])
            if method.elastic:
                alone = lessons(self.texts, course.wanted, new, 1)
                here = anchor(model, alone, self.trunk.loss(own_answers), most=100, seed=self.seed)
                bowl = here if bowl is None else bowl + here
            for earlier in range(period + 1):
                table[period, earlier] = self.right(model, course, course.test[earlier]).mean()
        return table

    def joint(self, course: Course) -> list[float]:
        """Accuracy on each period where all are learnt at once, every text kept: what no remedy is expected to beat."""
        model = self.beginner(course.classes[-1])
        self._learn(model, course, np.concatenate(course.train), Method("joint"), None, None, 0)
        return [float(self.right(model, course, rows).mean()) for rows in course.test]

    def _learn(
        self,
        model: Classifier,
        course: Course,
        rows: Ints,
        method: Method,
        former: torch.Tensor | None,
        bowl: Anchor | None,
        period: int,
    ) -> None:
        loss = supervised(classes()) if former is None else remembering(classes(), former, weight=method.former)
        hooks = [ElasticPenalty(bowl, method.elastic)] if bowl is not None else []
        settings, seed = self.settings, self.seed + period
        if method.gentle and period:
            settings = replace(settings, rate=GENTLE * settings.rate, rates={"linear": GENTLE_HEAD})
        with ExitStack() as stack:
            if method.adapters:
                stack.enter_context(by_share(model, 1 / (period + 1)))
                stack.enter_context(period_adapter(self.backbone, ADAPTER, seed=seed))
                settings = replace(settings, rate=ADAPTER_RATE, rates={"linear": ADAPTER_HEAD})
            examples = lessons(self.texts, course.wanted, rows, BATCH)
            fit(model, examples, self.trunk.loss(loss), settings, hooks=hooks, seed=seed)

    def _answers(self, model: Classifier, rows: Ints) -> torch.Tensor:
        """Logits of some texts at their numbers among all; the rest stays empty."""
        table = torch.zeros(len(self.texts.ids), model.classes)
        table[torch.from_numpy(rows)] = answers(model, self.texts, rows, bfloat16=True, within=self.trunk.using)
        return table

    def _worth_keeping(self, model: Classifier, course: Course, new: Ints, way: str, rng: np.random.Generator) -> Ints:
        budget = int(KEPT * len(new))
        if way == "reservoir":
            reservoir = Reservoir[int](budget, rng)
            reservoir.offer(rng.permutation(new).tolist())
            return np.array(reservoir.kept, dtype=np.int64)
        model.eval()
        vectors = []
        with torch.no_grad():
            for start in range(0, len(new), 64):
                some = new[start : start + 64]
                with self.trunk.using(some):
                    vectors.append(model.pooled(*self.texts.batch(some)).float().numpy())
        return new[herding(unit(np.concatenate(vectors)), course.wanted[torch.from_numpy(new)].numpy(), budget)]
