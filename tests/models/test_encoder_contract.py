"""Every encoder, whatever runs it, passes this suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.models.encoders import StaticEncoder, TorchEncoder
from shopkeeper.models.text import Encoder

TEXTS = ["red shoe", "红 鞋", "a warm cup", "x", "blue shirt " * 40]
ODD = ["", " ", "\0", "\x01\x02\t\n", "\ud800 red", "红" * 10_000, "word " * 2_000, "😀👨‍👩‍👧", "한국어", "a\0b"]
KINDS = ["torch-bert", "torch-gpt", "onnx-bert", "onnx-gpt", "static"]


@pytest.fixture(scope="module", params=KINDS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "static":
        return StaticEncoder()
    if request.param.startswith("torch"):
        return TorchEncoder(tiny_bert() if request.param == "torch-bert" else tiny_gpt())
    bundle = request.getfixturevalue("encoder_bundle" if request.param == "onnx-bert" else "gpt_bundle")
    return bundle.encoder()


def test_shape_type_and_length(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert encoder.name


def test_nothing_gives_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_odd_texts_give_finite_unit_vectors(encoder: Encoder) -> None:
    vectors = encoder.encode(ODD)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_order_and_batch_size_do_not_matter(encoder: Encoder) -> None:
    texts = [*TEXTS, *ODD]
    whole = encoder.encode(texts)
    np.testing.assert_allclose(encoder.encode(texts, batch=1), whole, atol=1e-3)
    np.testing.assert_allclose(encoder.encode(texts[::-1], batch=3)[::-1], whole, atol=1e-3)


def test_the_same_text_gives_the_same_vector(encoder: Encoder) -> None:
    np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))


def test_threads_do_not_disturb_each_other(encoder: Encoder) -> None:
    alone = [encoder.encode([text]) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: encoder.encode([text]), TEXTS * 4))
    for at, vectors in enumerate(together):
        np.testing.assert_allclose(vectors, alone[at % len(TEXTS)], atol=1e-5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_is_encoded(encoder: Encoder, text: str) -> None:
    vector = encoder.encode([text], side="query")
    assert np.isfinite(vector).all()
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-4
