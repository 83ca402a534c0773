from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.estimate.vram import phase_bytes
from advisor.families import family as family_of
from advisor.memory_ladder.rungs import Rung, Situation, after, changes, locked_rungs, next_rung, rungs, stopped
from advisor.settings.config import TrainingConfig
from tests.support.factories import make_plan_config


def situation(config: TrainingConfig | None = None, family: str = "sd1", **fields: Any) -> Situation:
    config = config or make_plan_config(vram_gib=12, family=family)
    structure = family_of(family).standard
    assert structure is not None
    return Situation(config, structure, planned_px=config.dataset.resolution_px, **fields)


def memory_of(case: Situation) -> int:
    return phase_bytes(case.phase, case.config, case.structure, size=case.size, batch_parts=case.batch_parts)


def taken(case: Situation) -> list[Rung]:
    found = []
    while (rung := next_rung(case)) is not None:
        found.append(rung)
        case = after(case, rung)
    return found


def test_what_does_no_harm_comes_first_and_of_that_what_saves_most() -> None:
    found = taken(situation())

    assert [rung.name for rung in found[:3]] == ["checkpointing", "smaller_parts", "smaller_parts"]
    assert [rung.harm for rung in found] == sorted(rung.harm for rung in found)
    assert found[-1].name == "resolution"
    assert found[-1].settings == {"dataset.resolution_px": 320}


def test_the_batch_is_split_until_each_picture_is_alone() -> None:
    config = make_plan_config(vram_gib=12, settings={"schedule.batch_size": 6})
    parts = [rung.batch_parts for rung in taken(situation(config)) if rung.name == "smaller_parts"]

    assert parts == [2, 4, 6]


def test_a_chosen_batch_is_split_all_the_same() -> None:
    found = [rung.name for rung in rungs(situation(chosen=frozenset({"schedule.batch_size"}))) if not rung.locked]

    assert "smaller_parts" in found


def test_what_the_user_chose_is_passed_over_and_named() -> None:
    chosen = frozenset({"memory.gradient_checkpointing", "dataset.resolution_px"})
    case = situation(chosen=chosen)

    assert {rung.name for rung in taken(case)} == {"smaller_parts"}
    last = replace(case, batch_parts=case.config.schedule.batch_size)
    assert next_rung(last) is None
    assert {path for rung in locked_rungs(last) for path in rung.locked} == chosen
    assert "memory.gradient_checkpointing on: saves about" in stopped(last)
    assert "smaller pictures show less detail" in stopped(last)


def test_a_smaller_base_precision_is_offered_only_where_the_trainer_has_it() -> None:
    assert not any(rung.name == "base_dtype" for rung in taken(situation()))
    found = [dict(rung.settings) for rung in taken(situation(base_dtypes=("int8", "nf4"))) if rung.name == "base_dtype"]
    assert found == [{"memory.base_dtype": "int8"}, {"memory.base_dtype": "nf4"}]


def test_the_8_bit_optimizer_is_offered_only_where_it_works_and_before_a_smaller_precision() -> None:
    case = situation(has_8bit_optimizer=True, base_dtypes=("int8", "nf4"))
    found = [rung for rung in taken(case) if rung.harm]

    assert [rung.name for rung in found[:3]] == ["optimizer", "base_dtype", "base_dtype"]
    assert dict(found[0].settings) == {"optimizer.name": "adamw8bit"}
    assert not any(rung.name == "optimizer" for rung in taken(situation()))
    for chosen in ({"optimizer.name": "lion"}, {"optimizer.arguments": ("amsgrad=True",)}):
        other = situation(make_plan_config(vram_gib=12, settings=chosen), has_8bit_optimizer=True)
        assert not any(rung.name == "optimizer" for rung in taken(other))


def test_no_more_harm_than_wanted() -> None:
    config = make_plan_config(vram_gib=12, settings={"memory.gradient_checkpointing": True, "schedule.batch_size": 1})

    assert next_rung(situation(config)) is not None
    assert next_rung(situation(config), most_harm=0) is None


def test_while_pictures_are_encoded_slices_and_smaller_ones_help() -> None:
    found = rungs(situation(phase="caching"))

    assert [rung.name for rung in found] == ["slices", "resolution"]
    assert found[0].settings == {"memory.encode_slices": 2}


def test_where_the_base_model_does_not_even_load_nothing_is_offered() -> None:
    assert rungs(situation(phase="loading")) == ()
    assert stopped(situation(phase="loading")).startswith("Nothing is left to try")


def test_a_rung_tells_what_it_changes_saves_and_costs() -> None:
    case = situation()
    rung = next_rung(case)

    assert rung is not None
    assert rung.sentence().startswith("memory.gradient_checkpointing on: saves about ")
    assert rung.sentence().endswith("the same result; a step takes about 35 % longer (35 to 51 %)")
    assert rung.slowdown == 1.35
    assert changes(case, rung) == (
        {"memory.gradient_checkpointing": False},
        {"memory.gradient_checkpointing": True},
    )


@settings(max_examples=60)
@given(
    family=st.sampled_from(["sd1", "sd2", "sdxl"]),
    batch=st.integers(1, 8),
    parts=st.integers(1, 8),
    rank=st.sampled_from([4, 32, 128, 512]),
    checkpointing=st.booleans(),
    side=st.sampled_from([256, 512, 1024]),
    phase=st.sampled_from(["loading", "caching", "step", "sampling"]),
    text=st.booleans(),
    optimizer=st.sampled_from(["adamw", "adamw8bit", "lion", "adafactor"]),
    base=st.sampled_from(["bfloat16", "int8", "nf4"]),
)
def test_no_rung_ever_saves_nothing(
    family: str, batch: int, parts: int, rank: int, checkpointing: bool, side: int, phase: Any, text: bool,
    optimizer: str, base: str,
) -> None:  # fmt: skip
    config = make_plan_config(
        vram_gib=24,
        family=family,
        settings={
            "schedule.batch_size": batch,
            "network.rank": rank,
            "memory.gradient_checkpointing": checkpointing,
            "dataset.resolution_px": side,
            "optimizer.text_encoder_learning_rate": 1e-5 if text else 0.0,
            "optimizer.name": optimizer,
            "memory.base_dtype": base,
        },
    )
    case = situation(
        config, family, batch_parts=parts, phase=phase, base_dtypes=("int8", "nf4"), has_8bit_optimizer=True
    )

    for rung in rungs(case):
        assert memory_of(after(case, rung)) == memory_of(case) - rung.saved_bytes
        assert rung.saved_bytes > 0


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_ladder_ends(family: str) -> None:
    case = situation(family=family, base_dtypes=("int8", "nf4"))

    assert 3 < len(taken(case)) < 30


def test_checkpointing_of_some_blocks_doubles_until_it_is_all() -> None:
    settings = {"memory.gradient_checkpointing": True, "memory.checkpointed_blocks": 2}
    config = make_plan_config(vram_gib=12, family="sdxl", settings=settings)
    found = [dict(rung.settings) for rung in taken(situation(config, "sdxl")) if rung.name == "more_blocks"]

    assert found == [{"memory.checkpointed_blocks": 4}, {"memory.checkpointed_blocks": 0}]


@pytest.mark.parametrize("family", ["sd1", "sdxl", "anima"])
def test_after_checkpointing_blocks_wait_in_the_machines_memory_a_quarter_more_each_time(family: str) -> None:
    found = taken(situation(make_plan_config(vram_gib=24, family=family), family, can_swap=True, base_dtypes=("int8",)))
    names = [rung.name for rung in found]
    swapped = [rung.settings["memory.swapped_blocks"] for rung in found if rung.name == "swapping"]
    most = {"sd1": 38, "sdxl": 87, "anima": 28}[family]

    assert swapped == sorted(swapped)
    assert swapped[-1] == most
    assert 3 <= len(swapped) <= 4
    assert names.index("checkpointing") < names.index("swapping")
    assert "smaller_parts" not in names[names.index("swapping") :]
    assert names.index("swapping") < names.index("base_dtype") < names.index("resolution")
    assert all(rung.price.startswith("the same result; a step takes") for rung in found if rung.name == "swapping")


def test_blocks_wait_only_where_the_card_has_memory_of_its_own() -> None:
    assert "swapping" not in [rung.name for rung in taken(situation())]


def test_who_wants_no_checkpointing_has_blocks_that_wait() -> None:
    settings = {"schedule.batch_size": 1, "memory.gradient_checkpointing": False}
    config = make_plan_config(vram_gib=12, settings=settings)
    found = next_rung(situation(config, can_swap=True, chosen=frozenset(settings)))

    assert found is not None
    assert found.name == "swapping"
