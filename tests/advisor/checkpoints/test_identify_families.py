from __future__ import annotations

from pathlib import Path

import pytest

from advisor.families import KNOWN_FAMILIES
from tests.support.identities import FLUX, GUIDED, P, of, without
from tests.support.ldm_layout import under

QKV = "joint_blocks.0.context_block.attn.qkv.weight"
LUMINA = {"cap_embedder.1.weight": (2304, 2304), "noise_refiner.0.attention.k_norm.weight": (96,)}
Z_IMAGE = {
    "cap_embedder.1.weight": (3840, 2560),
    "noise_refiner.0.attention.k_norm.weight": (128,),
    "cap_pad_token": (1, 3840),
}
QWEN = {"txt_norm.weight": (3584,), "img_in.weight": (3072, 64), "transformer_blocks.0.attn.to_q.weight": (3072, 3072)}
REFINER = "txt_in.individual_token_refiner.blocks.0.norm1.weight"
DITS: list[tuple[str, str | None, dict[str, tuple[int, ...]]]] = [
    ("sd3", "medium", {QKV: (4608, 1536), "pos_embed": (1, 36864, 1536)}),
    ("sd3", "3.5-medium", {QKV: (4608, 1536), "pos_embed": (1, 147456, 1536)}),
    ("sd3", "3.5-large", {QKV: (7296, 2432), "joint_blocks.37.x_block.attn.qkv.weight": (7296, 2432)}),
    ("flux1", "dev", GUIDED),
    ("flux1", "schnell", FLUX),
    ("flux1", "fill", {**GUIDED, "img_in.weight": (3072, 384)}),
    ("flux1", "control", {**GUIDED, "img_in.weight": (3072, 128)}),
    ("chroma", None, {**without(FLUX, "vector_in"), "distilled_guidance_layer.norms.0.scale": (5120,)}),
    (
        "chroma",
        "radiance",
        {**FLUX, "distilled_guidance_layer.norms.0.scale": (5120,), "nerf_blocks.0.norm.scale": (64,)},
    ),
    ("longcat", None, {**without(FLUX, "vector_in"), "txt_in.weight": (3072, 3584)}),
    ("flux2", "dev", {"double_stream_modulation_img.lin.weight": (36864, 6144), "txt_in.weight": (6144, 15360)}),
    ("flux2", "klein-4b", {"double_stream_modulation_img.lin.weight": (18432, 3072), "txt_in.weight": (3072, 7680)}),
    ("flux3", None, {"early_stream_modulations.image.lin.weight": (10, 10)}),
    ("lumina2", None, LUMINA),
    ("lumina2", "newbie", {**LUMINA, "clip_text_pooled_proj.0.weight": (10,)}),
    ("qwen_image", None, QWEN),
    ("qwen_image", "edit-2511", {**QWEN, "__index_timestep_zero__": (0,)}),
    ("cosmos2", "2b", {"blocks.0.mlp.layer1.weight": (8192, 2048), "x_embedder.proj.1.weight": (2048, 68)}),
    ("auraflow", None, {"double_layers.0.attn.w1q.weight": (3072, 3072)}),
    ("pixart", None, {"t_block.1.weight": (6912, 1152)}),
    ("pixart", "alpha-1024", {"t_block.1.weight": (6912, 1152), "ar_embedder.mlp.0.weight": (384, 256)}),
    ("sana", None, {"t_block.1.weight": (6912, 1152), "attention_y_norm.weight": (1152,)}),
    ("hunyuan_dit", "1.0-1.1", {"mlp_t5.0.weight": (8192, 2048), "extra_embedder.0.weight": (5632, 3968)}),
    ("hunyuan_image", None, {REFINER: (3584,), "img_in.proj.weight": (3584, 64, 1, 1)}),
    ("hunyuan_video", None, {REFINER: (3072,), "img_in.proj.weight": (3072, 16, 1, 2, 2)}),
    ("wan", "1.3b", {"head.modulation": (1, 2, 1536), "patch_embedding.weight": (1536, 16, 1, 2, 2)}),
    ("wan", "ti2v-5b", {"head.modulation": (1, 2, 3072), "patch_embedding.weight": (3072, 48, 1, 2, 2)}),
    ("hidream", None, {"caption_projection.0.linear.weight": (2560, 4096)}),
    ("cascade", "c", {"clf.1.weight": (16, 2048), "clip_txt_mapper.weight": (2048, 1280)}),
    ("cascade", "b", {"clf.1.weight": (16, 320), "clip_mapper.weight": (1280, 1280)}),
]


@pytest.mark.parametrize("prefix", ["", P, "model.", "net."])
@pytest.mark.parametrize(("name", "variant", "shapes"), DITS)
def test_families_that_are_not_trained_are_named(
    tmp_path: Path, name: str, variant: str | None, shapes: dict[str, tuple[int, ...]], prefix: str
) -> None:
    found = of(tmp_path, under(prefix, shapes))

    assert (found.kind, found.family, found.variant) == ("checkpoint", name, variant)
    assert not found.trainable
    assert "is recognised, but this version trains Anima, SD1.x, SD2.x, SDXL and Z-Image only" in found.why_not


@pytest.mark.parametrize("prefix", ["", P, "model.", "net."])
def test_z_image_is_told_from_lumina_by_its_padding(tmp_path: Path, prefix: str) -> None:
    found = of(tmp_path, under(prefix, Z_IMAGE))

    assert (found.kind, found.family, found.variant, found.prediction) == ("checkpoint", "z_image", None, "flow")
    assert "its layers are not those of a usual Z-Image model" in found.why_not


def test_z_image_omni_is_a_variant_that_is_not_trained(tmp_path: Path) -> None:
    found = of(tmp_path, {**Z_IMAGE, "siglip_embedder.1.weight": (3840, 1152)})

    assert (found.family, found.variant) == ("z_image", "omni")
    assert "the omni variant of Z-Image" in found.why_not


def test_flow_families_predict_flow_whatever_their_metadata_say(tmp_path: Path) -> None:
    assert of(tmp_path, GUIDED, metadata={"modelspec.prediction_type": "epsilon"}).prediction == "flow"
    assert of(tmp_path, {"t_block.1.weight": (6912, 1152)}).prediction == "epsilon"
    assert of(tmp_path, {"mlp_t5.0.weight": (8192, 2048)}).prediction == "v_prediction"


def test_every_recognised_family_has_a_title_and_a_way_to_be_told() -> None:
    for name, known in KNOWN_FAMILIES.items():
        assert known.name == name
        assert known.title
        assert known.signatures
