"""Plans for Z-Image, from the headers of its files in the genuine sizes, whose weights are holes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from advisor.errors import ModelError
from advisor.estimate.vram import phase_bytes
from advisor.families.z_image import STANDARD
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.rules import sources
from advisor.settings.config import changed
from advisor.units import GIB
from tests.support.factories import make_facts, make_plan_for
from tests.support.tiny_z_image import write_empty_z_image

CARDS_GIB = (6, 8, 12, 16, 24)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identify(write_empty_z_image(tmp_path_factory.mktemp("z_image"), STANDARD).denoiser)


def plan_of(found: Identity, vram_gib: float | None, **fields: object) -> Plan:
    return make_plan(make_facts(vram_gib=vram_gib, model=found, **fields))  # type: ignore[arg-type]


def test_measures_are_read_from_the_headers_of_all_three_files(found: Identity) -> None:
    assert (found.trainable, found.why_not) == (True, "")
    assert found.structure == STANDARD
    assert [part.path is not None for part in found.part_files] == [True, True]


def test_that_it_could_be_turbo_is_told_in_the_plan(found: Identity) -> None:
    notes = [one.message for one in plan_of(found, 24).warnings if one.code == "model_note"]

    assert any("do not tell it from Turbo" in note for note in notes)


def test_turbo_is_refused_by_its_name_with_what_to_train_on(tmp_path: Path) -> None:
    base = write_empty_z_image(tmp_path, STANDARD).denoiser
    turbo = identify(base.rename(base.with_name("z_image_turbo_bf16.safetensors")))

    assert not turbo.trainable
    with pytest.raises(ModelError, match=r"taken for Z-Image Turbo.*Train on Z-Image itself"):
        plan_of(turbo, 24)


@pytest.mark.parametrize("vram_gib", CARDS_GIB)
def test_every_card_from_six_gigabytes_on_has_a_plan_that_fits(found: Identity, vram_gib: int) -> None:
    plan = plan_of(found, vram_gib)

    assert plan.estimate.peak_bytes <= (vram_gib - 0.5) * GIB
    assert {"reading", "caching"} <= plan.estimate.phase_bytes.keys()
    assert plan.config.dataset.resolution_px == 1024
    assert plan.config.memory.base_dtype == {6: "nf4", 8: "int8", 12: "nf4", 16: "int8", 24: "bfloat16"}[vram_gib]
    assert (plan.config.memory.swapped_blocks > 0) == (vram_gib <= 8)


def test_on_a_quantised_base_captions_are_read_in_int8_and_fit_eight_gigabytes(found: Identity) -> None:
    config = plan_of(found, 8).config
    whole = changed(config, "memory.base_dtype", "bfloat16")

    assert phase_bytes("reading", config, STANDARD) < 6 * GIB
    assert phase_bytes("reading", whole, STANDARD) > 8 * GIB


def test_what_musubi_and_civitai_take_is_what_is_advised() -> None:
    plan = make_plan_for(family="z_image", vram_gib=24)
    network, loss, sampling = plan.config.network, plan.config.loss, plan.config.sampling

    assert (network.rank, network.alpha, plan.config.optimizer.unet_learning_rate) == (32, 32.0, 1e-4)
    assert plan.by_path["optimizer.learning_rate"].source == sources.MUSUBI_Z_IMAGE
    assert plan.by_path["network.alpha"].source == sources.CIVITAI_Z_IMAGE
    assert (loss.timestep_sampling, loss.timestep_shift) == ("logit_normal", 2.0)
    assert plan.by_path["loss.timestep_shift"].source == sources.MUSUBI_Z_IMAGE
    assert (loss.min_snr_gamma, loss.noise_offset) == (0.0, 0.0)
    assert (sampling.sampler, sampling.steps, sampling.guidance) == ("euler", 30, 5.0)
    assert 1500 <= plan.estimate.steps <= 3000


def test_captions_are_sentences_that_stay_as_they_are() -> None:
    decision = make_plan_for(family="z_image").by_path["dataset.shuffle_captions"]

    assert (decision.value, decision.source) == (False, sources.Z_IMAGE_MAKERS)
    assert "learned sentences" in decision.reason


def test_cards_without_bfloat16_compute_in_float32() -> None:
    decision = make_plan_for(family="z_image", vram_gib=48, compute_capability=(7, 5)).by_path["memory.compute_dtype"]

    assert (decision.value, decision.source) == ("float32", sources.COMFYUI_Z_IMAGE)


@pytest.mark.parametrize(("kind", "name"), [("text_encoder", "qwen_3_4b"), ("vae", "ae")])
def test_a_part_that_is_not_found_is_named_with_the_file_to_get(found: Identity, kind: str, name: str) -> None:
    parts = tuple(replace(part, path=None) if part.kind == kind else part for part in found.part_files)

    with pytest.raises(ModelError, match=rf"get {name}\.safetensors .* or name it with --set model.{kind}_path=FILE"):
        plan_of(replace(found, part_files=parts), 8)
