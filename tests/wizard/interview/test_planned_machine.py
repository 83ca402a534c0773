"""`plan RUN` is for the machine that the run was planned for, unless another is named."""

from __future__ import annotations

from pathlib import Path

from advisor.machine.hardware import Hardware
from advisor.planning.planner import make_plan
from templates.native.run_folder import write_run
from tests.support.factories import make_facts, make_gpu, make_hardware
from wizard.interview.planned_run import machine_of

CARD = make_gpu(8.0, name="RTX 3070", uuid="GPU-3070", cuda_cores=5888)


def planned(run: Path, hardware: Hardware) -> Path:
    facts = make_facts(gpus=hardware.gpus)
    write_run(run, facts, make_plan(facts))
    return run


def test_a_card_that_is_here_is_taken_with_what_is_free_of_it_today(tmp_path: Path) -> None:
    run = planned(tmp_path / "run", make_hardware(gpus=(CARD,)))
    today = make_gpu(8.0, free_gib=5.0, name="RTX 3070", uuid="GPU-3070", index=1)
    found = make_hardware(gpus=(make_gpu(24.0, name="RTX 3090", uuid="GPU-3090"), today))

    machine, told = machine_of(run, found)

    assert (machine.main_gpu, told) == (today, "")


def test_a_card_that_is_elsewhere_stays_the_one_to_plan_for(tmp_path: Path) -> None:
    run = planned(tmp_path / "run", make_hardware(gpus=(CARD,)))

    machine, told = machine_of(run, make_hardware(None))

    assert machine.main_gpu is not None
    assert (machine.main_gpu.name, machine.main_gpu.cuda_cores) == ("RTX 3070", 5888)
    assert "RTX 3070, which is not in this machine" in told


def test_a_run_for_the_processor_stays_one_and_the_card_is_told(tmp_path: Path) -> None:
    run = planned(tmp_path / "run", make_hardware(None))

    machine, told = machine_of(run, make_hardware(gpus=(CARD,)))
    _, silent = machine_of(run, make_hardware(None))

    assert machine.main_gpu is None
    assert "--gpu 0" in told
    assert silent == ""


def test_a_run_whose_plan_is_gone_is_planned_for_this_machine(tmp_path: Path) -> None:
    run = planned(tmp_path / "run", make_hardware(gpus=(CARD,)))
    (run / "plan.json").unlink()
    found = make_hardware(None)

    assert machine_of(run, found) == (found, "")
