from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.estimate.timing import step_seconds
from advisor.planning.planner import make_plan
from advisor.rules.card_class import structure_of
from advisor.rules.choices import ALL_BLOCKS, Choice, choices
from advisor.rules.fitting import fit, tried
from advisor.settings.config import TrainingConfig, setting
from advisor.units import GIB, gib
from tests.support.factories import make_dataset, make_facts, make_gpu, make_plan_config, make_plan_for


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("vram_gib", [4, 8, 24])
@pytest.mark.parametrize("has_bitsandbytes", [True, False])
def test_the_row_of_choices_only_goes_down(family: str, vram_gib: float, has_bitsandbytes: bool) -> None:
    facts = make_facts(vram_gib=vram_gib, family=family, has_bitsandbytes=has_bitsandbytes)
    groups = list(choices(facts, make_plan_config(vram_gib=vram_gib, family=family)))

    assert all(one.batch_size * one.accumulation == 4 for group in groups for one in group)
    for earlier, later in pairwise(groups):
        assert later[0].resolution_px <= earlier[0].resolution_px
    for group in groups:
        assert len({replace(one, batch_size=4, accumulation=1, checkpointing=False) for one in group}) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(("sd1", "sd2", "sdxl")), st.floats(3, 40), st.sampled_from(((7, 5), (8, 6), (8, 9))), st.booleans()
)
def test_nothing_that_teaches_the_same_and_fits_is_faster(
    family: str, vram_gib: float, capability: tuple[int, int], has_bitsandbytes: bool
) -> None:
    card = make_gpu(
        vram_gib, compute_capability=capability, cuda_cores=3584, max_clock_mhz=1777, memory_bytes_per_second=360e9
    )
    facts = make_facts(gpus=(card,), family=family, has_bitsandbytes=has_bitsandbytes)
    config = make_plan(facts).config
    fitted = fit(facts, config)
    whole = replace(fitted.choice, blocks=0, swapped=ALL_BLOCKS if fitted.choice.swapped else 0)
    group = next(group for group in choices(facts, config) if whole in group)

    def seconds(found: TrainingConfig) -> float:
        return step_seconds(found, structure_of(facts), facts.hardware, facts.gpu) or 0.0

    others = [one for choice in group if (one := tried(facts, config, choice)).fits]
    assert all(seconds(fitted.config) <= seconds(one.config) for one in others)
    assert fitted.needed_bytes <= 0.95 * facts.free_bytes or not fitted.fits


def test_what_fits_nowhere_is_the_smallest_and_says_so() -> None:
    facts = make_facts(vram_gib=6, free_gib=0.6)
    fitted = fit(facts, make_plan_config(vram_gib=6, free_gib=0.6))

    assert fitted.fits is False
    assert fitted.choice.base_dtype == "nf4"
    assert fitted.choice.resolution_px == 256


def test_quantised_bases_are_for_every_card_and_the_8_bit_optimizer_for_nvidia() -> None:
    facts = make_facts(gpus=(make_gpu(8, free_gib=1, vendor="amd", compute_capability=None),), has_bitsandbytes=True)
    row = list(choices(facts, make_plan_config()))

    assert {choice.base_dtype for group in row for choice in group} == {None, "int8", "nf4"}
    assert {choice.optimizer for group in row for choice in group} == {"adamw"}


def test_a_chosen_batch_is_not_added_up_over_several() -> None:
    config = make_plan_config(vram_gib=8, settings={"schedule.batch_size": 12, "dataset.resolution_px": 768})

    assert (config.schedule.batch_size, config.schedule.gradient_accumulation) == (12, 1)


def test_samples_that_would_not_fit_are_drawn_with_a_base_in_8_bits() -> None:
    case: dict[str, Any] = {"vram_gib": 8, "family": "sdxl", "has_bitsandbytes": True}
    plan = make_plan_for(settings={"sampling.prompts": "mira"}, **case)
    without = make_plan_config(**case)

    assert (without.memory.base_dtype, plan.config.memory.base_dtype) == ("bfloat16", "int8")
    assert plan.config.dataset.resolution_px == without.dataset.resolution_px
    assert plan.estimate.peak_bytes <= 7.5 * GIB
    assert "drawing samples would need 9.9 GiB else" in plan.by_path["memory.base_dtype"].reason


def test_samples_that_fit_in_no_way_are_told() -> None:
    plan = make_plan_for(vram_gib=4, family="sdxl", settings={"sampling.prompts": "mira"})

    told = {warning.code: warning.message for warning in plan.warnings}
    assert "does_not_fit" not in told
    assert re.search(r"drawing samples needs about [\d.]+ GiB, and 3.5 GiB are free", told["sampling_does_not_fit"])


CARDS = (4, 6, 8, 10, 12, 16, 24)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("has_bitsandbytes", [True, False])
def test_each_size_of_card_gets_a_plan_that_fits(family: str, has_bitsandbytes: bool) -> None:
    before = 0
    for card in CARDS:
        facts = make_facts(vram_gib=card, family=family, has_bitsandbytes=has_bitsandbytes)
        plan = make_plan(facts)

        assert plan.estimate.vram_bytes <= 0.95 * facts.free_bytes
        assert plan.config.dataset.resolution_px >= before
        before = plan.config.dataset.resolution_px


CHOICES: dict[str, tuple[object, ...]] = {
    "schedule.batch_size": (1, 3, 8),
    "dataset.resolution_px": (512, 768, 1024),
    "memory.gradient_checkpointing": (True, False),
    "memory.base_dtype": ("bfloat16", "int8", "nf4"),
    "optimizer.name": ("adamw", "adamw8bit", "lion"),
    "network.rank": (8, 128),
}


@settings(max_examples=60)
@given(
    st.fixed_dictionaries({}, optional={path: st.sampled_from(values) for path, values in CHOICES.items()}),
    st.sampled_from(CARDS),
    st.floats(0.3, 1),
    st.sampled_from(("sd1", "sdxl")),
)
def test_choices_stand_and_what_does_not_fit_is_told(
    chosen: dict[str, object], card: int, share: float, family: str
) -> None:
    facts = make_facts(vram_gib=card, free_gib=card * share, family=family, settings=dict(chosen))
    plan = make_plan(facts)
    told = {warning.code for warning in plan.warnings}

    assert {path: setting(plan.config, path) for path in chosen} == chosen
    assert (plan.estimate.vram_bytes > facts.free_bytes) == ("does_not_fit" in told)
    assert plan.estimate.peak_bytes <= facts.free_bytes or told & {
        "does_not_fit", "caching_does_not_fit", "sampling_does_not_fit",
    }  # fmt: skip


def test_the_missing_package_that_would_spare_a_harm_is_named_with_its_command() -> None:
    free = next(
        free
        for free in (2.0 + 0.01 * number for number in range(150))
        if make_plan_config(vram_gib=8, free_gib=free, has_bitsandbytes=True).optimizer.name == "adamw8bit"
        and make_plan_config(vram_gib=8, free_gib=free, has_bitsandbytes=True).memory.base_dtype == "bfloat16"
    )
    plan, mended = (make_plan_for(vram_gib=8, free_gib=free, has_bitsandbytes=has) for has in (False, True))

    told = {warning.code: warning.message for warning in plan.warnings}
    assert 'pip install "loracle[bitsandbytes]"' in told["bitsandbytes_would_help"]
    assert "the base model has to be in int8" in told["bitsandbytes_would_help"]
    assert "bitsandbytes_would_help" not in {warning.code for warning in mended.warnings}


def test_a_processor_short_of_memory_checkpoints() -> None:
    assert make_plan_config(vram_gib=None, ram_gib=7).memory.gradient_checkpointing is True


def test_reason_and_summary_name_one_memory_also_for_small_pictures() -> None:
    """These are trained at their own size, far from the resolution's square."""
    facts = make_facts(family="sdxl", vram_gib=24, dataset=make_dataset(sizes=((512, 640),)))
    plan = make_plan(facts)

    assert f"{gib(plan.estimate.vram_bytes)} of" in plan.by_path["schedule.batch_size"].reason


@settings(max_examples=40)
@given(
    st.sampled_from(((300, 400), (512, 512), (832, 1216), (2000, 300), (1600, 1600))),
    st.sampled_from(("sd1", "sd2", "sdxl")),
    st.sampled_from((4, 8, 12, 24)),
)
def test_the_fit_counts_what_the_plan_takes(size: tuple[int, int], family: str, card: int) -> None:
    facts = make_facts(family=family, vram_gib=card, dataset=make_dataset(sizes=(size,)))
    plan = make_plan(facts)

    assert tried(facts, plan.config, choice_of(plan.config)).needed_bytes == plan.estimate.vram_bytes


def choice_of(config: TrainingConfig) -> Choice:
    quantised = config.memory.quantised
    return Choice(
        config.schedule.batch_size, config.dataset.resolution_px, config.memory.gradient_checkpointing,
        config.optimizer.name, config.schedule.gradient_accumulation, quantised, config.optimizer.trains_text_encoder,
        config.memory.checkpointed_blocks, config.memory.swapped_blocks,
    )  # fmt: skip


@pytest.mark.parametrize("free", [6.0, 9.0, 11.5])
def test_as_few_blocks_are_checkpointed_as_fit(free: float) -> None:
    facts = make_facts(family="sdxl", vram_gib=12, free_gib=free)
    plan = make_plan(facts)
    choice, blocks = choice_of(plan.config), plan.config.memory.checkpointed_blocks

    assert 0 < blocks < 7
    assert tried(facts, plan.config, choice).fits
    assert not tried(facts, plan.config, replace(choice, blocks=blocks - 1, checkpointing=blocks > 1)).fits
    assert f"in the first {blocks} of 7" in plan.by_path["memory.checkpointed_blocks"].reason


def test_who_chose_checkpointing_has_it_in_all_blocks() -> None:
    chosen = {"memory.gradient_checkpointing": True}

    assert make_plan_config(family="sdxl", vram_gib=12).memory.checkpointed_blocks > 0
    assert make_plan_config(family="sdxl", vram_gib=12, settings=chosen).memory.checkpointed_blocks == 0
    assert make_plan_config(vram_gib=None, family="anima").memory.checkpointed_blocks == 0


@pytest.mark.parametrize(("family", "card"), [("sdxl", 3), ("anima", 3), ("z_image", 6), ("z_image", 8)])
def test_as_few_blocks_wait_in_the_machines_memory_as_fit_before_pictures_are_made_smaller(
    family: str, card: float
) -> None:
    facts = make_facts(family=family, vram_gib=card)
    plan = make_plan(facts)
    choice, memory = choice_of(plan.config), plan.config.memory
    reason = plan.by_path["memory.swapped_blocks"].reason

    assert choice.checkpointing
    assert not choice.blocks
    assert tried(facts, plan.config, choice).fits
    assert not tried(facts, plan.config, replace(choice, swapped=memory.swapped_blocks - 1)).fits
    assert not tried(facts, plan.config, replace(choice, swapped=0, batch_size=1, base_dtype="nf4")).fits
    assert reason.startswith(f"{memory.swapped_blocks} of ")
    assert "the same result, and a step takes" in reason


def test_a_plan_that_fits_without_it_leaves_all_blocks_on_the_card() -> None:
    for family in ("sd1", "sdxl", "anima"):
        for card in (6, 8, 12, 24):
            assert make_plan_config(family=family, vram_gib=card).memory.swapped_blocks == 0


def test_nothing_waits_on_a_processor_or_where_the_card_shares_the_machines_memory() -> None:
    apple = make_gpu(8, free_gib=1.2, vendor="apple", compute_capability=None)
    for gpus in ((), (apple,)):
        facts = make_facts(gpus=gpus)
        assert {choice.swapped for group in choices(facts, make_plan(facts).config) for choice in group} == {0}


def test_a_chosen_number_of_blocks_stands() -> None:
    plan = make_plan_config(family="anima", vram_gib=6, settings={"memory.swapped_blocks": 20})

    assert plan.memory.swapped_blocks == 20
    assert plan.memory.base_dtype == "bfloat16"
