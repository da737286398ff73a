"""What logic rules are: an act, a weight and conditions that must all hold. `logic_syntax` reads them from text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Act = Literal["suggest", "boost", "never"]

ACTS: Final = ("suggest", "boost", "never")
DEEDS: Final = ("bought", "viewed", "in_basket")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that stands for the customer (C), the candidate (Y) or anything else."""

    name: str


Term = Variable | str | float


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: ``fits(Y, X)``, perhaps negated."""

    predicate: str
    terms: tuple[Term, ...]
    negated: bool = False

    @property
    def variables(self) -> frozenset[str]:
        """Names of what must be found, the customer left out."""
        return frozenset(term.name for term in self.terms if isinstance(term, Variable) and term.name != "C")

    def __str__(self) -> str:
        """As it is written."""
        shown = (
            t.name if isinstance(t, Variable) else f'"{t}"' if isinstance(t, str) else f"{t:g}" for t in self.terms
        )
        return f"{'not ' * self.negated}{self.predicate}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class LogicRule:
    """One rule.

    Attributes:
        act: ``suggest`` brings a candidate in, ``boost`` moves one that is there, ``never`` forbids one.
        weight: Of the first two; 0 for ``never``.
        body: All must hold.
        line: Where it begins, from 1.
        text: What to tell the customer per language tag, with ``{X}`` for a title; empty to name the rule's line only.
    """

    act: Act
    weight: float
    body: tuple[Condition, ...]
    line: int
    text: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"line {self.line}"

    def __str__(self) -> str:
        """As it is written, in one line and without texts."""
        weight = f" {self.weight:g}" if self.act != "never" else ""
        return f"{self.act}{weight}: {', '.join(map(str, self.body))}"


@dataclass(frozen=True, slots=True)
class LogicRules:
    """A file of rules.

    Attributes:
        rules: In their order.
        functional: (relation, line): a head has at most one tail.
        asymmetric: (relation, line): never both ways, never in a circle.
    """

    rules: tuple[LogicRule, ...] = ()
    functional: tuple[tuple[str, int], ...] = ()
    asymmetric: tuple[tuple[str, int], ...] = ()
