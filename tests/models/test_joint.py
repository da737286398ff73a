"""Joint encoders: a tiny random CLIP and a tiny random SigLIP, saved as a hub would serve them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tinymodels import WORDS, tiny_bert
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoImageProcessor,
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

from shopkeeper.errors import ModelError
from shopkeeper.models.pictures.efficientnet import TorchPictures
from shopkeeper.models.pictures.export import export_pictures
from shopkeeper.models.pictures.graph import OnnxPictures
from shopkeeper.models.pictures.joint import load_joint
from shopkeeper.settings import ComputeSettings, ModelSettings, Settings

SIDE = 32
SHARED = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = SHARED | {"max_position_embeddings": 16, "vocab_size": len(WORDS) + 4}
VISION = SHARED | {"image_size": SIDE, "patch_size": 8}
SPECIALS = ["[PAD]", "[UNK]", "<start>", "<end>"]


def tokenizer_of(*, masks):
    vocabulary = {word: at for at, word in enumerate([*SPECIALS, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", 3)]
    )
    names = ["input_ids", "attention_mask"] if masks else ["input_ids"]
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", eos_token="<end>", model_input_names=names
    )


def save(folder, kind):
    torch.manual_seed(1)
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    if kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=TEXT | ids, vision_config=VISION, projection_dim=24))
        mean, deviation = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
    else:
        model = SiglipModel(SiglipConfig(text_config=TEXT | ids, vision_config=VISION))
        mean = deviation = [0.5, 0.5, 0.5]
    with torch.no_grad():  # so that answers differ by more than rounding
        for name, weights in model.named_parameters():
            if weights.dim() > 1 and "embedding" not in name:
                weights.mul_(4)
    model.eval().save_pretrained(folder)
    tokenizer_of(masks=kind == "clip").save_pretrained(folder)
    about = {
        "image_processor_type": "CLIPImageProcessor" if kind == "clip" else "SiglipImageProcessor",
        "image_mean": mean, "image_std": deviation, "do_resize": True, "do_rescale": True, "do_normalize": True,
        "size": {"shortest_edge": SIDE} if kind == "clip" else {"height": SIDE, "width": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": kind == "clip", "do_convert_rgb": True,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module", params=["clip", "siglip"])
def saved(request, tmp_path_factory):
    return save(tmp_path_factory.mktemp("joint") / request.param, request.param)


@pytest.fixture(scope="module")
def joint(saved):
    return load_joint(str(saved), Settings())


def photos(count, seed=0):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, SIDE // 4, axis=1), SIDE // 4, axis=2)


def encoder(joint):
    return TorchPictures(joint.body, joint.name, joint.side, ComputeSettings(device="cpu"))


def test_texts_and_pictures_are_in_one_space(joint):
    texts, seen = joint.encode_texts(["red shoe", "blue cup", ""]), encoder(joint).encode(photos(4))
    assert joint.side == SIDE
    assert texts.shape == (3, seen.shape[1])
    for vectors in (texts, seen):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (texts[0] @ texts[1]) < 0.9999


def test_it_answers_as_the_model_answers_on_its_own_processors_pixels(joint, saved):
    given = photos(5)
    processor = AutoImageProcessor.from_pretrained(saved, backend="pil")
    pixels = processor(images=[Image.fromarray(one) for one in given], return_tensors="pt")["pixel_values"]
    words = ["red shoe", "cold blue cup a b c"]
    read = joint.tokenizer(words, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
    model = joint.body.model
    with torch.inference_mode():
        theirs = model(pixel_values=pixels, **{name: read[name] for name in joint.tokenizer.model_input_names})
        features = model.get_image_features(pixel_values=pixels)
    features = features if isinstance(features, torch.Tensor) else features.pooler_output
    ours = encoder(joint).encode(given)
    np.testing.assert_allclose(ours, torch.nn.functional.normalize(features, dim=1).numpy(), atol=1e-4)
    np.testing.assert_allclose(ours, theirs.image_embeds.numpy(), atol=1e-4)
    np.testing.assert_allclose(joint.encode_texts(words), theirs.text_embeds.numpy(), atol=1e-4)


def test_a_text_has_the_same_vector_alone_and_in_company(joint):
    texts = ["red", "warm blue shirt a b c d e", "", "红 鞋", "x " * 90]
    together = joint.encode_texts(texts)
    np.testing.assert_allclose(np.concatenate([joint.encode_texts([one]) for one in texts]), together, atol=1e-4)
    np.testing.assert_allclose(joint.encode_texts(texts, batch=2), together, atol=1e-4)


def test_no_texts_have_no_vectors_in_the_same_space(joint):
    assert joint.encode_texts([]).shape == (0, joint.encode_texts(["red"]).shape[1])


@pytest.mark.slow
def test_its_picture_side_is_exported(joint, tmp_path):
    reported = export_pictures(joint.body, tmp_path, joint.name, joint.side, list(photos(12)))
    graph, given = OnnxPictures(tmp_path), photos(6, seed=8)
    cosines = np.sum(graph.encode(given) * encoder(joint).encode(given), axis=1)
    assert reported >= 0.98
    assert cosines.mean() >= 0.98
    np.testing.assert_allclose(graph.encode(given[:1])[0], graph.encode(given)[0], atol=1e-4)


def test_a_folder_without_a_picture_side_is_refused(tmp_path, saved):
    backbone = tiny_bert()
    backbone.model.save_pretrained(tmp_path)
    backbone.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_joint(str(tmp_path), Settings())
    (tmp_path / "preprocessor_config.json").write_text((saved / "preprocessor_config.json").read_text())
    with pytest.raises(ModelError, match="no picture side and text side") as caught:
        load_joint(str(tmp_path), Settings())
    assert "efficientnet-lite0" in caught.value.cure


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_joint(str(tmp_path), Settings())
    with pytest.raises(ModelError, match="no folder"):
        load_joint("no such folder", Settings())
    offline = Settings(models=ModelSettings(cache=str(tmp_path), offline=True))
    with pytest.raises(ModelError, match="downloads are off"):
        load_joint("some/clip", offline)
