"""A classifier of abuse that the shop taught is asked as soon as it is live, by the name of its class."""

import numpy as np
import pytest
from tinymodels import tiny_bert

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.heads import Classifier
from shopkeeper.models.registry import Registry
from shopkeeper.recipes.texts.linear_text import fit_linear
from shopkeeper.tasks.assist.opening import ABUSE, learnt_abuse
from shopkeeper.trust.safety import Safety

TEXTS = [f"where is parcel {n}" for n in range(20)] + [f"a sneaky rotter {n}" for n in range(20)]


def promoted(folder, names):
    """A live classifier whose classes, in alphabetical order, are `names`; the second half of the texts is the first of them."""
    linear, _ = fit_linear(TEXTS, np.repeat([1, 0], 20), 2)
    arrays, values = linear.save()
    bundle = save_bundle(
        folder / "made",
        Card(task=ABUSE, name="Abuse"),
        classifier=Classifier(tiny_bert(), classes=2),
        arrays=arrays,
        parameters={"classes": names, "linear": values, "share": 0.0, "scales": [1.0, 1.0]},
        onnx=False,
    )
    registry = Registry(folder / "models")
    registry.promote(ABUSE, registry.add(bundle.folder))
    return registry


def test_the_class_called_abuse_decides_wherever_it_stands(tmp_path):
    assert learnt_abuse(Registry(tmp_path / "models")) is None
    safety = Safety(learnt_abuse(promoted(tmp_path, [ABUSE, "fine"])))
    assert [danger.kind for danger in safety.inspect("you sneaky rotter")] == [ABUSE]
    assert safety.inspect("where is my parcel") == ()


def test_classes_of_other_names_are_not_guessed_at(tmp_path):
    registry = promoted(tmp_path, ["0", "1"])
    with pytest.raises(ModelError, match="no class called abuse") as raised:
        learnt_abuse(registry)
    assert "--rollback abuse" in raised.value.cure
