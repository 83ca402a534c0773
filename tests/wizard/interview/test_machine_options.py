from __future__ import annotations

from typing import Any

import pytest

from advisor.errors import HardwareError, UserErrors
from advisor.planning.planner import make_plan
from advisor.units import GIB
from tests.support.factories import make_facts, make_hardware
from wizard.interview.machine_options import MachineOptions, capability, vram_bytes


@pytest.mark.parametrize(
    ("text", "gib"),
    [("8GiB", 8), ("8 GB", 8), ("8", 8), ("8g", 8), ("8192MiB", 8), ("7.5GiB", 7.5), ("7,5", 7.5), ("0.5", 0.5)],
)
def test_sizes_of_cards_are_understood(text: str, gib: float) -> None:
    assert vram_bytes(text) == gib * GIB


@pytest.mark.parametrize("text", ["", "much", "8 apples", "-8", "0", "1e9", "8 GiB GiB", "99999"])
def test_what_is_no_size_of_a_card_is_refused(text: str) -> None:
    with pytest.raises(HardwareError, match="8GiB"):
        vram_bytes(text)


def test_a_compute_capability_is_two_numbers() -> None:
    assert capability("12.0") == (12, 0)
    with pytest.raises(HardwareError):
        capability("RTX")


def test_said_memory_makes_a_card_where_there_is_none() -> None:
    gpu = MachineOptions(vram="8GiB").applied(make_hardware(None)).main_gpu

    assert gpu is not None
    assert (gpu.total_bytes, gpu.free_bytes, gpu.compute_capability) == (8 * GIB, 7.5 * GIB, (8, 6))


def test_threads_are_those_of_the_other_machine() -> None:
    assert MachineOptions(cpu_threads=4).applied(make_hardware(cpu_threads=16)).cpu_threads == 4


def test_a_named_card_has_its_own_figures_and_the_said_memory() -> None:
    named, resized = (
        MachineOptions(card="RTX 4060 Ti", vram=size).applied(make_hardware(24.0)).main_gpu
        for size in ("16 GB", "15GiB")
    )

    assert named is not None
    assert resized is not None
    assert (named.total_bytes, named.free_bytes, named.compute_capability) == (16 * GIB, 15.5 * GIB, (8, 9))
    assert (named.cuda_cores, named.power_limit_watts) == (4352, 165)
    assert resized == named.of_size(15 * GIB)


@pytest.mark.parametrize("more", [{"gpu": 0}, {"compute_capability": "8.6"}])
def test_a_card_is_said_once(more: dict[str, Any]) -> None:
    with pytest.raises(HardwareError, match="leave one of them out"):
        MachineOptions(card="RTX 3090", **more).applied(make_hardware())


def test_a_kind_that_was_not_said_is_told_as_assumed() -> None:
    assumed, said, found = (
        options.applied(hardware).main_gpu
        for options, hardware in (
            (MachineOptions(vram="8GiB"), make_hardware(None)),
            (MachineOptions(vram="8GiB", compute_capability="8.6"), make_hardware(None)),
            (MachineOptions(vram="8GiB"), make_hardware(24.0)),
        )
    )

    assert [gpu is not None and gpu.is_kind_assumed for gpu in (assumed, said, found)] == [True, False, False]
    assert assumed is not None
    reason = make_plan(make_facts(gpus=(assumed,))).by_path["memory.compute_dtype"].reason
    assert "taken for an RTX 30" in reason


@pytest.mark.parametrize("machine", [MachineOptions(gpu=3), MachineOptions(cpu_threads=0), MachineOptions(vram="x")])
def test_what_cannot_be_is_refused(machine: MachineOptions) -> None:
    with pytest.raises(HardwareError):
        machine.applied(make_hardware())


def test_a_capability_alone_needs_a_card() -> None:
    with pytest.raises(HardwareError, match="--vram"):
        MachineOptions(compute_capability="8.6").applied(make_hardware(None))


def test_all_options_that_are_wrong_are_told_at_once() -> None:
    machine = MachineOptions(vram="much", compute_capability="new", cpu_threads=0, gpu=7)

    with pytest.raises(UserErrors) as caught:
        machine.applied(make_hardware())

    assert [str(error).partition(":")[0] for error in caught.value.errors] == [
        "there is no graphics card 7",
        "'much' is no memory of a card",
        "'new' is no compute capability",
        "a processor with 0 threads cannot be",
    ]
