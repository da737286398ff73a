"""The practice shop: a simulated bilingual store with known truths, deterministic by seed, without a download."""

from shopkeeper.practice.shop import Practice, build, write
from shopkeeper.practice.truth import EvaluationQuery, Response, Truth, load

__all__ = ["EvaluationQuery", "Practice", "Response", "Truth", "build", "load", "write"]
