from __future__ import annotations

import pytest

from shopkeeper.practice import Practice, build


@pytest.fixture(scope="session")
def small() -> Practice:
    """A small practice shop, built once for all these tests."""
    return build(3, products=400, customers=150, days=40)
