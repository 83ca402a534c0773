from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.checkpoint import Identity
from advisor.errors import ModelError
from advisor.families import FAMILIES, family
from advisor.families.sd2 import PREDICTION_TENSOR
from advisor.file_formats import convert_command
from advisor.identify import identify
from tests import ldm_layout
from tests.headers import Shapes, write_model
from tests.ldm_layout import under

P = "model.diffusion_model."


def of(folder: Path, shapes: Shapes, *, name: str = "model.safetensors", **options: object) -> Identity:
    return identify(write_model(folder / name, shapes, **options))  # type: ignore[arg-type]


def without(layout: Shapes, start: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in layout.items() if not name.startswith(start)}


def test_a_whole_sd15_file_is_recognised_and_trainable(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1(), metadata={"modelspec.title": "My model"})

    assert (found.kind, found.layout, found.family, found.variant) == ("checkpoint", "single_file", "sd1", None)
    assert found.parts == ("denoiser", "vae", "text_encoder")
    assert found.trainable
    assert found.why_not == ""
    assert found.structure == family("sd1").standard
    assert found.dtype == "float16"
    assert found.metadata_title == "My model"
    assert found.file_bytes == (tmp_path / "model.safetensors").stat().st_size


def test_parameters_are_those_that_are_published(tmp_path: Path) -> None:
    assert of(tmp_path, under(P, ldm_layout.unet())).num_parameters == 859_520_964
    assert of(tmp_path, ldm_layout.vae()).num_parameters == 83_653_863
    assert of(tmp_path, ldm_layout.clip()).num_parameters == 123_060_480


def test_no_mark_does_not_prove_epsilon(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1())

    assert found.prediction is None
    assert "does not prove" in found.prediction_reason


def test_a_whole_sdxl_file_is_recognised_and_trainable(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sdxl())

    assert (found.family, found.variant, found.trainable, found.why_not) == ("sdxl", None, True, "")
    assert found.structure == family("sdxl").standard


@pytest.mark.parametrize(("depths", "variant"), [((0, 2, 4), "ssd-1b"), ((0, 2, 2), "vega"), ((0, 2, 6), "koala")])
def test_distilled_sdxl_goes_by_its_depth(tmp_path: Path, depths: tuple[int, ...], variant: str) -> None:
    found = of(tmp_path, ldm_layout.sdxl(depths))

    assert (found.family, found.variant) == ("sdxl", variant)


def test_the_sdxl_refiner_is_told_from_the_base(tmp_path: Path) -> None:
    net = ldm_layout.unet((384, 768, 1536, 1536), (0, 4, 4, 0), context=1280, linear=True, label=(1536, 2560), middle=4)

    assert of(tmp_path, under(P, net)).family == "sdxl_refiner"


def test_a_tiny_sdxl_is_an_sdxl(tmp_path: Path) -> None:
    net = ldm_layout.unet((32, 64, 64), (0, 1, 2), context=64, linear=True, label=(128, 96), middle=2)

    assert (of(tmp_path, under(P, net)).family, of(tmp_path, under(P, net)).variant) == ("sdxl", None)


@pytest.mark.parametrize(
    ("inputs", "variant"), [(9, "inpainting"), (8, "pix2pix"), (5, "depth"), (7, "x4_upscale"), (4, None)]
)
def test_the_inputs_tell_the_use(tmp_path: Path, inputs: int, variant: str | None) -> None:
    found = of(tmp_path, ldm_layout.sd1(inputs=inputs))

    assert (found.family, found.variant) == ("sd1", variant)
    assert found.trainable == (variant is None)


SPREADS = {"epsilon": [0.05, -0.05] * 160, "v_prediction": [0.2, -0.2] * 160}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_sd2s_two_kinds_go_by_the_spread_of_one_tensor(tmp_path: Path, prediction: str) -> None:
    raw = struct.pack("<320e", *SPREADS[prediction])
    found = of(tmp_path, ldm_layout.sd2(), values={P + PREDICTION_TENSOR: raw})

    assert (found.family, found.prediction) == ("sd2", prediction)
    assert "the spread" in found.prediction_reason


def test_sd2_metadata_that_say_otherwise_are_told_and_do_not_count(tmp_path: Path) -> None:
    raw = struct.pack("<320e", *SPREADS["epsilon"])
    found = of(
        tmp_path,
        ldm_layout.sd2(),
        values={P + PREDICTION_TENSOR: raw},
        metadata={"modelspec.prediction_type": "v"},
    )

    assert found.prediction == "epsilon"
    assert "modelspec.prediction_type" in found.notes[0]


@pytest.mark.parametrize("key", ["v_pred", "edm_vpred.sigma_max"])
def test_an_empty_key_marks_v_prediction(tmp_path: Path, key: str) -> None:
    found = of(tmp_path, {**ldm_layout.sdxl(), key: (0,), "ztsnr": (0,)})

    assert (found.prediction, found.prediction_reason) == ("v_prediction", f"the key {key}")
    assert found.zero_terminal_snr


@pytest.mark.parametrize(
    ("metadata", "prediction"),
    [
        ({"modelspec.prediction_type": "v"}, "v_prediction"),
        ({"modelspec.prediction_type": "v_prediction"}, "v_prediction"),
        ({"modelspec.predict_key": "v"}, "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({"modelspec.prediction_type": "who knows"}, None),
    ],
)
def test_metadata_tell_the_prediction(tmp_path: Path, metadata: Mapping[str, str], prediction: str | None) -> None:
    assert of(tmp_path, ldm_layout.sd1(), metadata=metadata).prediction == prediction


def test_a_name_alone_does_not_make_v_prediction(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name="thing_vPred-10.safetensors")

    assert found.prediction is None
    assert "its name speaks of v-prediction" in found.notes[0]


def test_playground_is_neither_epsilon_nor_v(tmp_path: Path) -> None:
    found = of(tmp_path, {**ldm_layout.sdxl(), "edm_mean": (4,), "edm_std": (4,)})

    assert found.prediction is None
    assert "Playground" in found.prediction_reason


@pytest.mark.parametrize(
    ("name", "lineage"),
    [
        ("AnyLoRA_bakedVae_blessed_fp16.safetensors", "anylora"),
        ("nai.safetensors", "nai"),
        ("animefull-final-pruned.safetensors", "nai"),
        ("anything-v5.safetensors", "anime"),
        ("v1-5-pruned-emaonly.safetensors", "none"),
        ("ponyDiffusionV6XL.safetensors", None),
        ("snail.safetensors", None),
        ("my mix.safetensors", None),
    ],
)
def test_the_name_speaks_of_a_lineage(tmp_path: Path, name: str, lineage: str | None) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name=name)

    assert found.lineage == lineage
    assert (name in found.lineage_reason) == (lineage is not None)


@pytest.mark.parametrize(
    ("name", "lineage"),
    [
        ("noobaiXLNAIXL_vPred10.safetensors", "noobai"),
        ("animagine-xl-4.0.safetensors", "animagine"),
        ("Illustrious-XL-v1.0.safetensors", "illustrious"),
        ("ponyDiffusionV6XL.safetensors", "pony"),
        ("sd_xl_base_1.0.safetensors", "none"),
    ],
)
def test_sdxl_has_lineages_of_its_own(tmp_path: Path, name: str, lineage: str) -> None:
    assert of(tmp_path, ldm_layout.sdxl(), name=name).lineage == lineage


def test_metadata_come_before_the_name(tmp_path: Path) -> None:
    found = of(
        tmp_path, ldm_layout.sd1(), name="anything.safetensors", metadata={"modelspec.title": "AnyLoRA fine-tune"}
    )

    assert found.lineage == "anylora"
    assert found.lineage_reason == "its metadata (modelspec.title) speaks of AnyLoRA"


def test_a_name_of_another_family_is_told(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name="ponyDiffusionV6XL.safetensors")

    assert "which is SDXL; by its tensors it is SD1.x" in found.notes[0]


FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "vector_in.in_layer.weight": (3072, 768),
    "img_in.weight": (3072, 64),
    "txt_in.weight": (3072, 4096),
}
GUIDED = {**FLUX, "guidance_in.in_layer.weight": (3072, 256)}
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
    ("z_image", None, Z_IMAGE),
    ("qwen_image", None, QWEN),
    ("qwen_image", "edit-2511", {**QWEN, "__index_timestep_zero__": (0,)}),
    (
        "anima",
        None,
        {"blocks.0.mlp.layer1.weight": (8192, 2048), "llm_adapter.blocks.0.cross_attn.q_proj.weight": (1024, 1024)},
    ),
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
    assert "is recognised, but this version trains SD1.x, SD2.x and SDXL only" in found.why_not


def test_flow_families_predict_flow_whatever_their_metadata_say(tmp_path: Path) -> None:
    assert of(tmp_path, GUIDED, metadata={"modelspec.prediction_type": "epsilon"}).prediction == "flow"
    assert of(tmp_path, {"t_block.1.weight": (6912, 1152)}).prediction == "epsilon"
    assert of(tmp_path, {"mlp_t5.0.weight": (8192, 2048)}).prediction == "v_prediction"


def test_every_recognised_family_has_a_title_and_a_way_to_be_told() -> None:
    for name, known in FAMILIES.items():
        assert known.name == name
        assert known.title
        assert known.marks


def test_a_comfy_bundle_has_its_parts(tmp_path: Path) -> None:
    bundle = {
        **under(P, GUIDED),
        "vae.decoder.conv_in.weight": (512, 16, 3, 3),
        "text_encoders.clip_l.transformer.text_model.final_layer_norm.weight": (768,),
    }

    assert of(tmp_path, bundle).parts == ("denoiser", "vae", "text_encoder")


def test_a_bare_denoiser_is_a_checkpoint_that_lacks_its_text_encoder(tmp_path: Path) -> None:
    found = of(tmp_path, under(P, ldm_layout.unet()))

    assert (found.kind, found.family, found.parts) == ("checkpoint", "sd1", ("denoiser",))
    assert not found.trainable
    assert "without a text encoder" in found.why_not


def test_a_unet_in_diffusers_names_is_recognised_and_sent_to_its_folder(tmp_path: Path) -> None:
    shapes = {
        "conv_in.weight": (320, 4, 3, 3),
        "down_blocks.0.attentions.0.proj_in.weight": (320, 320, 1, 1),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    }
    found = of(tmp_path, shapes)

    assert (found.kind, found.family) == ("checkpoint", "sd1")
    assert "the diffusers folder" in found.why_not


def test_a_missing_vae_is_a_note_and_no_obstacle(tmp_path: Path) -> None:
    found = of(tmp_path, without(ldm_layout.sd1(), "first_stage_model."))

    assert found.trainable
    assert found.parts == ("denoiser", "text_encoder")
    assert found.notes == ("it has no VAE: name one with model.vae_path",)


def test_a_checkpoint_with_a_lost_block_is_not_trainable(tmp_path: Path) -> None:
    found = of(tmp_path, without(ldm_layout.sd1(), P + "output_blocks.11."))

    assert not found.trainable
    assert "may be damaged" in found.why_not


def test_stray_lora_tensors_do_not_make_a_checkpoint_a_lora(tmp_path: Path) -> None:
    found = of(tmp_path, {**ldm_layout.sd1(), "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (4, 1280)})

    assert found.kind == "checkpoint"
    assert found.trainable
    assert "a LoRA that was merged" in found.notes[0]


@pytest.mark.parametrize(
    ("dtypes", "extra", "dtype"),
    [
        ("BF16", {}, "bfloat16"),
        ("F32", {}, "float32"),
        ("F8_E4M3", {}, "float8_e4m3fn"),
        ("U8", {"x.weight.quant_state.bitsandbytes__nf4": (80,)}, "nf4"),
    ],
)
def test_the_dtype_is_that_of_most_bytes(
    tmp_path: Path, dtypes: str, extra: dict[str, tuple[int, ...]], dtype: str
) -> None:
    found = of(tmp_path, {**ldm_layout.sd1(), **extra}, dtype=dtypes, dtypes={"ztsnr": "F32"})

    assert found.dtype == dtype


@pytest.mark.parametrize("mark", ["scaled_fp8", "a.weight_scale", "a.comfy_quant"])
def test_scaled_weights_are_not_trained(tmp_path: Path, mark: str) -> None:
    found = of(tmp_path, {**ldm_layout.sd1(), mark: (2,)}, dtype="F8_E4M3")

    assert not found.trainable
    assert "quantised (scaled float8_e4m3fn)" in found.why_not


def test_packed_weights_count_twice(tmp_path: Path) -> None:
    shapes = {**GUIDED, "a.weight": (500, 1), "a.weight.quant_state.bitsandbytes__nf4": (80,), "a.weight.absmax": (9,)}
    plain = 128 + 3072 * (768 + 64 + 4096 + 256)

    found = of(tmp_path, shapes, dtypes={"a.weight": "U8"})

    assert found.num_parameters == plain + 1000


@pytest.mark.parametrize(
    ("kind", "family_name", "variant", "shapes"),
    [
        ("vae", None, "sd1_sd2_sdxl", ldm_layout.vae()),
        ("vae", None, "sd1_sd2_sdxl", under("first_stage_model.", ldm_layout.vae())),
        ("vae", None, "sd3_flux1", {"decoder.conv_in.weight": (512, 16, 3, 3)}),
        ("vae", "flux2", "flux2", {"decoder.conv_in.weight": (512, 32, 3, 3)}),
        ("text_encoder", None, "clip_l", ldm_layout.clip()),
        ("text_encoder", None, "clip_g", ldm_layout.clip(1280, 2)),
        ("text_encoder", None, "t5", {"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}),
        ("text_encoder", None, "llm", {"model.layers.0.self_attn.q_proj.weight": (2560, 2560)}),
        ("controlnet", "sd1", None, under("control_model.", ldm_layout.unet())),
        (
            "controlnet",
            "sd2",
            None,
            {**ldm_layout.unet(context=1024), "zero_convs.0.0.weight": (320, 320)},
        ),
        (
            "controlnet",
            "sdxl",
            None,
            {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "add_embedding.linear_1.weight": (1280, 2816)},
        ),
        ("embedding", "sd1", None, {"emb_params": (5, 768)}),
        ("embedding", "sd2", None, {"emb_params": (5, 1024)}),
        ("embedding", "sdxl", None, {"clip_l": (2, 768), "clip_g": (2, 1280)}),
        ("unknown", None, None, {"something.else": (3,)}),
    ],
)
def test_what_is_no_base_model_is_named_for_what_it_is(
    tmp_path: Path, kind: str, family_name: str | None, variant: str | None, shapes: Shapes
) -> None:
    found = of(tmp_path, shapes)

    assert (found.kind, found.family, found.variant) == (kind, family_name, variant)
    assert not found.trainable
    assert found.why_not


def test_a_pickle_is_sent_to_convert(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(pickle.dumps({"state_dict": 1}, protocol=2))

    with pytest.raises(ModelError) as error:
        identify(path)

    assert f"`{convert_command(path)}` makes a .safetensors file of it" in str(error.value)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no tensors at all"):
        of(tmp_path, {})


def test_paths_with_blanks_umlauts_and_emoji_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "Käse & Brot 🎨"
    folder.mkdir()

    assert of(folder, ldm_layout.sd1(), name="großes Modell 🧀.safetensors").family == "sd1"


def test_stable_video_is_not_taken_for_sdxl(tmp_path: Path) -> None:
    net = ldm_layout.unet(context=1024, linear=True, label=(1280, 768))
    found = of(tmp_path, under(P, {**net, "input_blocks.1.0.time_mixer.mix_factor": (1,)}))

    assert found.kind == "unknown"


ROOTS = ["", P, "lora_unet_", "unet.", "decoder.", "cond_stage_model.transformer."]
NAMES = [
    "input_blocks.0.0.weight",
    "input_blocks.1.1.proj_in.weight",
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "label_emb.0.0.weight",
    "conv_in.weight",
    "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
    "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.alpha",
    "x.lokr_w1",
    "x.lokr_w2_b",
    "x.hada_w1_b",
    "text_model.embeddings.token_embedding.weight",
    "emb_params",
    PREDICTION_TENSOR,
]
SOME_SHAPES = st.dictionaries(
    st.builds(str.__add__, st.sampled_from(ROOTS), st.sampled_from(NAMES)),
    st.lists(st.sampled_from([0, 1, 3, 4, 64, 320, 768]), max_size=4).map(tuple),
    max_size=6,
)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(shapes=SOME_SHAPES, alpha=st.text(max_size=5))
def test_any_names_and_shapes_give_an_identity_or_a_model_error(tmp_path: Path, shapes: Shapes, alpha: str) -> None:
    path = write_model(tmp_path / "fuzz.safetensors", shapes, metadata={"ss_network_alpha": alpha})
    try:
        found = identify(path)
    except ModelError:
        return
    assert found.trainable == (not found.why_not)


TINY = {
    **under(P, ldm_layout.unet((32, 64), (0, 1), context=64)),
    **under("first_stage_model.", ldm_layout.vae((16, 32))),
    **under("cond_stage_model.transformer.", ldm_layout.clip(64, 1, vocab=300)),
}
SHAPE = st.lists(st.sampled_from([0, 1, 64]), max_size=4).map(tuple)


@QUICK
@given(bent=st.dictionaries(st.sampled_from(sorted(TINY)), SHAPE, min_size=1, max_size=5))
def test_bent_shapes_give_whole_measures_or_none(tmp_path: Path, bent: dict[str, tuple[int, ...]]) -> None:
    found = identify(write_model(tmp_path / "fuzz.safetensors", {**TINY, **bent}))

    if found.structure is not None:
        text, unet = found.structure.text[0], found.structure.unet
        assert min(*unet.block_out_channels, unet.cross_attention_dim, text.width, text.mlp_width, text.vocab_size) > 0
