"""A bundle carries plots: the card shows them, the seal covers them, the registry keeps them."""

import pytest

from shopkeeper.errors import ModelError
from shopkeeper.evaluation.plots import learning_curve
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.registry import Registry


def test_the_card_shows_the_plots_also_out_of_the_registry(tmp_path):
    png = learning_curve([1.0, 0.5])
    bundle = save_bundle(tmp_path / "one", Card(task="blend"), plots={"learning-curve": png, "calibration": png})
    registry = Registry(tmp_path / "models")
    kept = registry.open("blend", registry.add(bundle.folder))
    for folder in (bundle.folder, kept.folder):
        page = (folder / "card.md").read_text(encoding="utf-8")
        assert "![learning-curve](plots/learning-curve.png)" in page
        assert page.index("plots/calibration.png") < page.index("plots/learning-curve.png")
        assert (folder / "plots" / "learning-curve.png").read_bytes() == png


def test_a_changed_plot_breaks_the_seal(tmp_path):
    bundle = save_bundle(tmp_path / "one", Card(task="blend"), plots={"a": learning_curve([1.0])})
    (bundle.folder / "plots" / "a.png").write_bytes(learning_curve([2.0]))
    with pytest.raises(ModelError, match=r"a\.png"):
        Bundle.open(bundle.folder)


@pytest.mark.parametrize(("name", "png"), [("../out", learning_curve([1.0])), ("a", b"<svg>"), ("A b", b"")])
def test_only_pictures_with_plain_names_are_taken(tmp_path, name, png):
    with pytest.raises(ModelError, match="not the name of a PNG picture"):
        save_bundle(tmp_path / "one", Card(task="blend"), plots={name: png})
    assert list(tmp_path.iterdir()) == []
