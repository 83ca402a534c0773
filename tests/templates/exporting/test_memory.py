from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.estimate.disk import adapter_parameters
from advisor.estimate.vram import vram_parts
from advisor.families import KNOWN_FAMILIES
from advisor.families.sd1 import SD1
from advisor.planning.planner import make_plan
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed
from advisor.units import GIB
from templates.exporters import EXPORTERS
from templates.exporting.memory import Fitted, TrainerMemory, fitted
from templates.kohya.memory import MEMORY
from templates.native.run_folder import write_run
from tests.support.factories import make_facts
from tests.support.flow_exports import anima_config, z_image_config
from tests.support.samples import sample_config
from tests.support.vocabularies import OF_STABLE_DIFFUSION

SURE = TrainerMemory({"sd1": 1.5}, {}, {}, "counted")
DOUBTED = TrainerMemory({"sd1": 1.5}, {}, {"sd1": GIB}, "counted")


def planned(run: Path, **facts: Any) -> TrainingConfig:
    given = make_facts(**facts)
    write_run(run, given, make_plan(given))
    return RunFolder(run).read_config()


def fit(run: Path, memory: TrainerMemory, **facts: Any) -> Fitted:
    return fitted(planned(run, **facts), run, memory, "Other")


def sizes(config: TrainingConfig) -> tuple[int, int, bool, int]:
    schedule = config.schedule
    return (
        schedule.batch_size,
        schedule.gradient_accumulation,
        config.memory.gradient_checkpointing,
        config.dataset.resolution_px,
    )


def test_a_step_that_fits_either_way_stays_as_planned_and_both_figures_are_told(tmp_path: Path) -> None:
    found = fit(tmp_path / "run", DOUBTED, vram_gib=24)

    assert sizes(found.config) == sizes(RunFolder(tmp_path / "run").read_config())
    (note,) = found.notes
    assert "in Other" in note
    assert "by published reports" in note
    assert "in our trainer" in note


def test_a_doubt_that_would_break_the_card_makes_the_batch_smaller_and_keeps_what_a_step_sees(tmp_path: Path) -> None:
    found = fit(tmp_path / "run", DOUBTED, vram_gib=8)

    assert sizes(RunFolder(tmp_path / "run").read_config()) == (4, 1, False, 512)
    assert sizes(found.config) == (2, 2, False, 512)
    assert "schedule.batch_size 4 -> 2, schedule.gradient_accumulation 1 -> 2" in found.notes[1]


def test_checkpointing_follows_the_batch_and_doubt_alone_costs_no_resolution(tmp_path: Path) -> None:
    worst = TrainerMemory({"sd1": 1.5}, {}, {"sd1": 10 * GIB // 3}, "counted")

    found = fit(tmp_path / "run", worst, vram_gib=8)

    assert sizes(found.config) == (4, 1, True, 512)


def test_the_resolution_falls_where_the_counted_step_does_not_fit(tmp_path: Path) -> None:
    heavy = TrainerMemory({}, {"sd1": 12.0}, {}, "counted")

    found = fit(tmp_path / "run", heavy, vram_gib=4, settings={"memory.gradient_checkpointing": True})

    assert found.config.dataset.resolution_px < 512
    assert "dataset.resolution_px 512 ->" in found.notes[1]


def test_what_the_user_chose_stays(tmp_path: Path) -> None:
    chosen = {"schedule.batch_size": 4, "memory.gradient_checkpointing": False, "dataset.resolution_px": 512}

    found = fit(tmp_path / "run", DOUBTED, vram_gib=8, settings=chosen)

    assert sizes(found.config) == (4, 1, False, 512)
    assert "should it run out there" in found.notes[-1] or "does not fit" in found.notes[-1]


def test_a_base_in_fewer_bits_counts_whole_where_the_trainer_keeps_none(tmp_path: Path) -> None:
    config = planned(tmp_path / "run", vram_gib=8, settings={"memory.base_dtype": "int8"})
    structure = SD1.standard
    assert structure is not None
    able = TrainerMemory({}, {}, {}, "counted", quantises=True)

    assert able.need(config, structure).counted == sum(vram_parts(config, structure, elsewhere=True).values())
    assert SURE.need(config, structure).counted > able.need(config, structure).counted + GIB // 2


def test_elsewhere_adapters_have_no_copies_and_keep_no_products() -> None:
    config, structure = make_plan(make_facts(vram_gib=12)).config, SD1.standard
    assert structure is not None
    alike = TrainerMemory({}, {}, {}, "as ours")

    there, here = alike.need(config, structure).counted, vram_parts(config, structure)
    copies = 2 * adapter_parameters(config, structure)

    assert config.memory.compute_dtype == "bfloat16"
    assert there < sum(here.values()) - copies


def test_float32_casts_nothing(tmp_path: Path) -> None:
    config = sample_config(memory={"compute_dtype": "float32", "base_dtype": "float32"})
    structure = SD1.standard
    assert structure is not None

    assert SURE.need(config, structure).counted == sum(vram_parts(config, structure, elsewhere=True).values())


def test_a_run_without_a_plan_or_a_card_is_exported_as_it_is(tmp_path: Path) -> None:
    config = sample_config()

    assert fitted(config, tmp_path / "none", DOUBTED, "Other") == Fitted(config)
    assert fit(tmp_path / "cpu", DOUBTED, vram_gib=None).notes == ()


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
def test_every_exporter_tells_what_its_trainer_takes(tmp_path: Path, name: str) -> None:
    config = planned(tmp_path / "run", vram_gib=24, settings={"schedule.max_steps": 500})

    notes = EXPORTERS[name].write(config, run=tmp_path / "run", out=None).notes

    assert any(note.startswith("Memory: a step of the plan takes about") for note in notes)
    assert EXPORTERS[name].memory.source


def test_a_family_that_was_not_counted_there_is_said_to_be_as_ours() -> None:
    assert MEMORY.source_for("sdxl") == MEMORY.source
    assert "not counted" in MEMORY.source_for("anima")


def test_ai_toolkit_keeps_anima_alone_in_8_bits() -> None:
    ai_toolkit, structure = EXPORTERS["ai-toolkit"].memory, KNOWN_FAMILIES["anima"].standard
    assert structure is not None
    plain, int8, nf4 = (
        ai_toolkit.need(anima_config(memory={"base_dtype": dtype}), structure).counted
        for dtype in ("bfloat16", "int8", "nf4")
    )

    assert int8 < plain - 1_000_000_000
    assert nf4 == plain


def test_blocks_that_wait_elsewhere_are_counted_where_a_trainer_can_let_them_wait() -> None:
    whole = z_image_config(memory={"compute_dtype": "bfloat16", "base_dtype": "bfloat16"})
    swapped = changed(whole, "memory.swapped_blocks", 20)
    structure = KNOWN_FAMILIES["z_image"].standard
    assert structure is not None
    musubi, onetrainer = (EXPORTERS[name].memory for name in ("musubi-tuner", "onetrainer"))

    assert musubi.need(swapped, structure).counted < musubi.need(whole, structure).counted - 6 * GIB
    assert onetrainer.need(swapped, structure).counted == onetrainer.need(whole, structure).counted
