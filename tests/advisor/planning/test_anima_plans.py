"""Plans for Anima, from the headers of its files in the genuine sizes, whose weights are holes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from advisor.errors import ModelError
from advisor.families.anima import ANIMA, STANDARD
from advisor.families.anima_structure import AnimaStructure
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.rules import sources
from advisor.units import GIB
from tests.support.factories import make_facts, make_plan_for
from tests.support.tiny_anima import write_empty_anima

CARDS_GIB = (6, 8, 12, 16, 24)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identify(write_empty_anima(tmp_path_factory.mktemp("anima"), STANDARD).denoiser)


def plan_of(found: Identity, vram_gib: float | None, **fields: object) -> Plan:
    return make_plan(make_facts(vram_gib=vram_gib, model=found, **fields))  # type: ignore[arg-type]


def test_measures_are_read_from_the_headers_of_all_three_files(found: Identity) -> None:
    assert (found.trainable, found.why_not) == (True, "")
    assert found.structure == STANDARD
    assert [part.path is not None for part in found.part_files] == [True, True]


def test_blocks_and_the_text_encoders_layers_are_those_of_the_files(tmp_path: Path) -> None:
    assert ANIMA.of_blocks is not None
    other = ANIMA.of_blocks(40)
    assert isinstance(other, AnimaStructure)
    other = replace(other, text=(replace(STANDARD.text[0], layers=20),), vae=replace(STANDARD.vae, width=64))

    found = identify(write_empty_anima(tmp_path, other, prefix="model.diffusion_model.").denoiser)

    assert found.structure == other
    assert (
        plan_of(found, 24).estimate.lora_bytes
        > 1.4 * plan_of(replace(found, structure=STANDARD), 24).estimate.lora_bytes
    )


@pytest.mark.parametrize("vram_gib", CARDS_GIB)
def test_every_card_from_six_gigabytes_on_has_a_plan_that_fits(found: Identity, vram_gib: int) -> None:
    plan = plan_of(found, vram_gib)

    assert plan.estimate.peak_bytes <= (vram_gib - 0.5) * GIB
    assert {"reading", "caching"} <= plan.estimate.phase_bytes.keys()
    assert (plan.config.dataset.resolution_px, plan.config.memory.encode_slices) == (1024, 1 if vram_gib > 6 else 2)
    assert plan.estimate.seconds is not None


def test_more_memory_never_makes_steps_slower(found: Identity) -> None:
    seconds = [plan_of(found, vram_gib).estimate.seconds_per_step or 0.0 for vram_gib in CARDS_GIB[1:]]

    assert seconds == sorted(seconds, reverse=True)


def test_a_base_keeps_the_bits_that_fit_where_encoding_pictures_had_no_room(found: Identity) -> None:
    """At 6 GB the VAE has no room for 1024 px at once, whatever the denoiser is kept in."""
    config = plan_of(found, 6, settings={"memory.encode_slices": 1}).config

    assert (config.dataset.resolution_px, config.memory.base_dtype) == (960, "int8")


def test_captions_are_read_in_less_than_three_gigabytes(found: Identity) -> None:
    """Qwen3-0.6B in 16 bits, before the denoiser is there."""
    assert 1.1 * GIB < plan_of(found, 8).estimate.phase_bytes["reading"] < 3 * GIB


def test_what_civitai_and_kohya_take_is_what_is_advised() -> None:
    plan = make_plan_for(family="anima", vram_gib=12)
    network, loss, sampling = plan.config.network, plan.config.loss, plan.config.sampling

    assert (network.rank, network.alpha, plan.config.optimizer.unet_learning_rate) == (32, 32.0, 1e-4)
    assert plan.by_path["optimizer.learning_rate"].source == sources.CIVITAI_ANIMA
    assert plan.by_path["network.alpha"].source == sources.CIVITAI_ANIMA
    assert (loss.timestep_sampling, loss.timestep_shift) == ("logit_normal", 1.0)
    assert plan.by_path["loss.timestep_shift"].source == sources.SD_SCRIPTS_ANIMA
    assert (loss.min_snr_gamma, loss.noise_offset) == (0.0, 0.0)
    assert (sampling.sampler, sampling.steps, sampling.guidance) == ("euler", 30, 4.5)
    assert 1500 <= plan.estimate.steps <= 3000


def test_captions_keep_the_order_that_the_base_learned() -> None:
    decision = make_plan_for(family="anima").by_path["dataset.shuffle_captions"]

    assert decision.value is False
    assert "quality, how many, character, series, artist" in decision.reason


def test_long_captions_are_read_whole() -> None:
    captions = ", ".join(f"tag number {number}" for number in range(80))
    plan = make_plan_for(family="anima", captions=captions)

    assert plan.config.dataset.max_tokens == 75
    assert "512 tokens whole" in plan.by_path["dataset.max_tokens"].reason
    assert "captions_cut" not in {warning.code for warning in plan.warnings}


def test_captions_beyond_512_tokens_are_cut_and_said_to_be() -> None:
    plan = make_plan_for(family="anima", captions=", ".join(f"tag number {number}" for number in range(200)))

    (warning,) = [one for one in plan.warnings if one.code == "captions_cut"]
    assert "longer than 512 tokens" in warning.message


def test_a_style_is_a_plain_lora_as_there_are_no_convolutions() -> None:
    network = make_plan_for(family="anima", subject="style").config.network

    assert (network.kind, network.conv_rank) == ("lora", 0)


def test_cards_without_bfloat16_compute_in_float32() -> None:
    decision = make_plan_for(family="anima", vram_gib=24, compute_capability=(7, 5)).by_path["memory.compute_dtype"]

    assert (decision.value, decision.source) == ("float32", sources.COMFYUI_COSMOS)


def test_changing_captions_take_more_disk_in_more_forms() -> None:
    plain, changing = (
        make_plan_for(family="anima", settings={"dataset.shuffle_captions": value}) for value in (False, True)
    )

    assert changing.config.memory.text_variants == 8
    more = changing.estimate.disk_bytes - plain.estimate.disk_bytes
    tokens = len("mira, 1girl, red hair, smile, outdoors") / 4
    assert more == pytest.approx(30 * 8 * (tokens * (2 * 1024 + 10) + 4608), rel=0.01)


@pytest.mark.parametrize(("kind", "name"), [("text_encoder", "qwen_3_06b"), ("vae", "qwen_image_vae")])
def test_a_part_that_is_not_found_is_named_with_the_file_to_get(found: Identity, kind: str, name: str) -> None:
    parts = tuple(replace(part, path=None) if part.kind == kind else part for part in found.part_files)

    with pytest.raises(ModelError, match=rf"get {name}.*\.safetensors .* or name it with --set model.{kind}_path=FILE"):
        plan_of(replace(found, part_files=parts), 8)

    settings = {f"model.{kind}_path": "/models/part.safetensors"}
    assert plan_of(replace(found, part_files=parts), 8, settings=settings).config.model.family == "anima"
