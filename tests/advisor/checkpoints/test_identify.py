from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families import family
from advisor.tensor_files.other_formats import convert_command
from tests.support import ldm_layout
from tests.support.headers import Shapes
from tests.support.identities import GUIDED, P, of, without
from tests.support.ldm_layout import under


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


QWEN3_06B = {
    "model.embed_tokens.weight": (151936, 1024),
    "model.layers.0.self_attn.q_norm.weight": (128,),
    "model.layers.0.self_attn.q_proj.weight": (2048, 1024),
}


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
        ("text_encoder", "anima", "qwen3_06b", QWEN3_06B),
        ("text_encoder", "anima", "qwen3_06b", {name.removeprefix("model."): one for name, one in QWEN3_06B.items()}),
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
