"""Planted falsehoods and true sentences of the practice shop: what the check catches at a fixed small size."""

from collections import defaultdict

import pytest

from bench.assist_exchanges import KINDS, falsehoods, practice_exchanges
from shopkeeper.practice.shop import build
from shopkeeper.trust.grounding import unsupported


@pytest.fixture(scope="module")
def practice():
    return build(7, products=400, customers=20, days=20)


def test_the_check_catches_planted_falsehoods_and_leaves_true_sentences_alone(practice):
    brands = sorted({item.brand for item in practice.items})
    caught, alarms = defaultdict(list), []
    for one in falsehoods(practice, 60, 7):
        assert one.true != one.false
        caught[one.kind].append(bool(unsupported(one.false, one.evidence, names=brands)))
        alarms.append(bool(unsupported(one.true, one.evidence, names=brands)))
    assert set(caught) == set(KINDS)
    rates = {kind: sum(found) / len(found) for kind, found in caught.items()}
    assert min(rates.values()) >= 0.95, rates
    assert sum(alarms) <= 0.02 * len(alarms)


def test_answers_of_the_practice_exchanges_are_grounded(practice):
    found = practice_exchanges(practice, 120, 7)
    assert len(found) >= 100
    assert {one.language for one in found} == {"en", "zh"}
    assert all(unsupported(one.answer, one.evidence) == () for one in found)
    assert found == practice_exchanges(practice, 120, 7)
