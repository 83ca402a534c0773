from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ConfigErrors, HardwareError
from advisor.planning.card_of_run import CardNeeds
from advisor.run_folder.layout import RunFolder
from advisor.units import GIB
from tests.support.factories import make_gpu, make_hardware
from tests.support.runs import make_config, write_toml
from wizard.processes.process_options import ProcessOptions
from wizard.processes.slots import Demand, Slot, Slots, demand_of, slots_asked_for, tight_text

SMALL = make_gpu(8.0, uuid="GPU-0", index=0, name="NVIDIA GeForce RTX 3070")
LARGE = make_gpu(24.0, uuid="GPU-1", index=1, name="NVIDIA GeForce RTX 3090")
OLD = make_gpu(6.0, uuid="GPU-2", index=2, name="NVIDIA GeForce GTX 1660", compute_capability=(7, 5))
HERE = make_hardware(gpus=(SMALL, LARGE, OLD))
ALL = Slots((SMALL, LARGE, OLD))
ON_PROCESSOR = Demand(None)
OF_A_CARD = Demand(CardNeeds("bfloat16", needed_bytes=7 * GIB))


def slot(slots: Slots, demand: Demand, *taken: Slot) -> Slot | None:
    return slots.slot_for(demand, taken, HERE, is_settled=True)


def planned(folder: Path, **settings: Any) -> RunFolder:
    config = make_config(folder, **{"memory__preset": "medium", **settings})
    return RunFolder.given(write_toml(folder / "run" / "loracle.toml", config).parent)


def test_each_card_trains_one_run_at_a_time() -> None:
    first = slot(ALL, OF_A_CARD)
    assert first == Slot(SMALL)
    assert first is not None
    second = slot(ALL, OF_A_CARD, first)
    assert second == Slot(LARGE)
    assert second is not None
    assert slot(ALL, OF_A_CARD, first, second) is None
    assert ALL.is_any_free(OF_A_CARD, [first, second])
    assert slot(ALL, Demand(CardNeeds("float32")), first, second) == Slot(OLD)


def test_beside_the_cards_a_run_for_the_processor_has_that() -> None:
    taken = Slot(on_processor=True)

    assert slot(ALL, ON_PROCESSOR, Slot(SMALL), Slot(LARGE)) == taken
    assert slot(ALL, ON_PROCESSOR, taken) is None


def test_so_many_processes_share_the_processor_and_runs_for_a_card_have_theirs_one_after_another() -> None:
    slots = Slots(on_processor=2)
    one = Slot(on_processor=True, sharing=2)

    assert slot(slots, ON_PROCESSOR, one, Slot()) == one
    assert slot(slots, ON_PROCESSOR, one, one) is None
    assert slot(slots, OF_A_CARD, one, one) == Slot()
    assert slot(slots, OF_A_CARD, Slot()) is None
    assert slots.is_any_free(OF_A_CARD, [one, one])
    assert not slots.is_any_free(OF_A_CARD, [one, one, Slot()])
    assert not slots.is_any_free(ON_PROCESSOR, [one, one])


def test_cards_that_cannot_train_a_run_are_named_with_the_reason() -> None:
    large = Demand(CardNeeds("bfloat16", needed_bytes=30 * GIB))

    assert ALL.unfit(OF_A_CARD) == (
        "NVIDIA GeForce GTX 1660 (card 2): it has no bfloat16, in which the run is planned",
    )
    assert ALL.why_nowhere(OF_A_CARD) == ""
    assert ALL.why_nowhere(large).startswith(
        "no card can train it: NVIDIA GeForce RTX 3070 (card 0): it has 8.0 GiB, and the run needs about 30.0 GiB; "
    )
    assert ALL.why_nowhere(ON_PROCESSOR) == Slots().why_nowhere(large) == ""


def test_a_card_that_the_driver_does_not_tell_of_is_not_taken() -> None:
    without = make_hardware(gpus=(LARGE, OLD))

    assert ALL.slot_for(OF_A_CARD, [], without, is_settled=True) == Slot(LARGE)
    assert ALL.is_there(OF_A_CARD, without)
    assert not ALL.is_there(OF_A_CARD, make_hardware(gpus=(OLD,)))
    assert ALL.is_there(ON_PROCESSOR, make_hardware(None))
    assert Slots().is_there(OF_A_CARD, make_hardware(None))


def test_a_card_with_too_little_free_is_told() -> None:
    full = replace(LARGE, free_bytes=2 * GIB)

    told = "only 2.0 GiB of NVIDIA GeForce RTX 3090 (card 1) are free, and the run needs about 7.0 GiB"
    assert tight_text(OF_A_CARD, Slot(full)) == told
    assert tight_text(OF_A_CARD, Slot(LARGE)) == tight_text(OF_A_CARD, Slot()) == ""


def test_what_a_run_asks_of_a_card_is_read_from_it(tmp_path: Path) -> None:
    run = planned(tmp_path, memory__compute_dtype="bfloat16", machine__gpu_uuid="GPU-1")
    larger = planned(tmp_path / "larger", dataset__resolution_px=1024, schedule__batch_size=64)
    found, more = demand_of(run, None, HERE).needs, demand_of(larger, None, HERE).needs

    assert found is not None
    assert more is not None
    assert (found.compute_dtype, found.planned_uuid) == ("bfloat16", "GPU-1")
    assert demand_of(run, None, HERE).ram_bytes > GIB
    assert found.needed_bytes is not None
    assert more.needed_bytes is not None
    assert 0 < found.needed_bytes < GIB < 12 * GIB < more.needed_bytes


def test_without_a_base_model_to_look_at_its_memory_is_not_known(tmp_path: Path) -> None:
    run = planned(tmp_path)
    Path(run.read_config().model.path).unlink()

    assert demand_of(run, None, HERE).needs == CardNeeds("float32")


def test_a_run_for_the_processor_asks_for_no_card(tmp_path: Path) -> None:
    for found in (
        demand_of(planned(tmp_path), "cpu", HERE),
        demand_of(planned(tmp_path / "b", memory__preset="cpu"), None, HERE),
    ):
        assert found.needs is None
        assert GIB / 2 < found.ram_bytes < GIB


@pytest.mark.parametrize(
    ("options", "slots"),
    [
        (ProcessOptions(), None),
        (ProcessOptions(gpus="all"), Slots((SMALL, LARGE, OLD))),
        (ProcessOptions(gpus="2"), Slots((LARGE, OLD))),
        (ProcessOptions(gpu="0,2"), Slots((SMALL, OLD))),
        (ProcessOptions(processes=3), Slots(on_processor=3)),
    ],
    ids=str,
)
def test_the_slots_are_those_asked_for_planned_cards_first(options: ProcessOptions, slots: Slots | None) -> None:
    assert slots_asked_for(options, HERE, planned=["GPU-2", "", "GPU-2"]) == slots


def test_what_cannot_be_meant_together_is_refused() -> None:
    with pytest.raises(ConfigErrors) as caught:
        ProcessOptions("all", "0", 0).refuse_contradictions(on_processor=None)
    assert len(str(caught.value).splitlines()) == 3
    ProcessOptions(processes=2).refuse_contradictions(on_processor=None)
    with pytest.raises(HardwareError, match="none is found here"):
        slots_asked_for(ProcessOptions(gpus="all"), make_hardware(None))
