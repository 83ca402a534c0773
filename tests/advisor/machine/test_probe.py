from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from advisor.machine import probe
from advisor.machine.cgroups import Limits, container_limits
from advisor.machine.hardware import Gpu
from advisor.machine.nvml import ask_driver
from advisor.machine.other_vendors import apple_gpu, linux_gpus
from advisor.machine.probe import probe_hardware
from advisor.machine.visible_devices import visible_gpus
from advisor.units import GIB
from tests.support.made_up_nvml import build_library
from tests.support.paths import REPOSITORY

TELL = """
import dataclasses, json, pathlib
from advisor.machine.probe import probe_hardware
print(json.dumps(dataclasses.asdict(probe_hardware(pathlib.Path('.')))))
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def old_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("old_driver"), "-DOLD_DRIVER")


def probed(library: Path | None, **variables: str) -> dict[str, Any]:
    """What a process of its own finds with the real pynvml and this library."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_")}
    environment |= variables
    if library is not None:
        environment["LD_LIBRARY_PATH"] = str(library)
    command = [sys.executable, "-c", TELL]
    result = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def nvidia_notes(found: dict[str, Any]) -> str:
    return "\n".join(note for note in found["notes"] if note.startswith("NVIDIA"))


def test_one_card_of_8_gb(driver: Path) -> None:
    found = probed(driver)

    assert found["gpus"][0] == {
        "name": "NVIDIA GeForce RTX 3070",
        "total_bytes": 8 * GIB - 1024 * 1024,
        "free_bytes": 7 * GIB,
        "compute_capability": [8, 6],
        "vendor": "nvidia",
        "uuid": "GPU-11111111-aaaa",
        "index": 0,
        "cuda_cores": 5888,
        "max_clock_mhz": 2100,
        "memory_bytes_per_second": 448_064_000_000.0,
        "power_limit_watts": 220.0,
        "is_kind_assumed": False,
    }
    assert (found["driver"], found["cuda_driver"]) == ("580.65.06", [13, 0])
    assert nvidia_notes(found) == ""


def test_two_cards(driver: Path) -> None:
    gpus = probed(driver, MADE_UP_NVML="two")["gpus"]

    assert [(gpu["name"], gpu["index"]) for gpu in gpus[:2]] == [
        ("NVIDIA GeForce RTX 3070", 0),
        ("NVIDIA GeForce GTX 1660", 1),
    ]


def test_a_card_in_mig_mode_gives_its_slices(driver: Path) -> None:
    gpus = probed(driver, MADE_UP_NVML="mig")["gpus"]

    assert [(gpu["uuid"], gpu["total_bytes"], gpu["index"], gpu["compute_capability"]) for gpu in gpus[:2]] == [
        ("MIG-33333333-cccc", 10 * GIB, 0, [9, 0]),
        ("MIG-44444444-dddd", 20 * GIB, 1, [9, 0]),
    ]


def test_mig_mode_without_a_slice_is_told(driver: Path) -> None:
    found = probed(driver, MADE_UP_NVML="empty_mig")

    assert "MIG mode without a slice" in nvidia_notes(found)
    assert not [gpu for gpu in found["gpus"] if gpu["vendor"] == "nvidia"]


def test_a_lost_card_does_not_hide_the_other(driver: Path) -> None:
    found = probed(driver, MADE_UP_NVML="lost")

    assert found["gpus"][0]["uuid"] == "GPU-22222222-bbbb"
    assert "dropped off its bus: restart the machine" in nvidia_notes(found)


def test_a_card_that_shares_the_machines_memory_gets_it(driver: Path) -> None:
    found = probed(driver, MADE_UP_NVML="shared")

    assert found["gpus"][0]["total_bytes"] == found["ram_bytes"]
    assert "shares the machine's" in nvidia_notes(found)


def test_an_old_driver_that_lacks_functions_still_tells_the_memory(old_driver: Path) -> None:
    found = probed(old_driver)

    gpu = found["gpus"][0]
    assert (gpu["total_bytes"], gpu["compute_capability"], gpu["cuda_cores"]) == (8 * GIB - 1024 * 1024, None, None)
    assert found["cuda_driver"] is None
    assert "which CUDA it runs" in nvidia_notes(found)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("18", "updated while it was running: restart the machine"),
        ("999", "Unknown Error"),
        ("9", "the NVIDIA driver is not running"),
        ("4", "may not ask the NVIDIA driver"),
    ],
)
def test_a_driver_that_fails_to_start_is_told(driver: Path, answer: str, words: str) -> None:
    found = probed(driver, MADE_UP_NVML_INIT=answer)

    assert not [gpu for gpu in found["gpus"] if gpu["vendor"] == "nvidia"]
    assert words in nvidia_notes(found)


def test_a_broken_library_is_told(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")

    assert "no NVIDIA driver was found" in nvidia_notes(probed(tmp_path))


class Missing:
    """A pynvml that finds no library."""

    def nvmlInit(self) -> None:  # noqa: N802
        error = RuntimeError("NVML Shared Library Not Found")
        error.value = 12  # type: ignore[attr-defined]
        raise error


def test_no_library_is_a_note() -> None:
    cards = ask_driver(Missing(), 0, 0)

    assert (cards.gpus, cards.notes) == ([], ["NVIDIA: no NVIDIA driver was found"])


def test_a_pynvml_without_any_function_is_a_note() -> None:
    broken = SimpleNamespace(nvmlInit=lambda: None)

    cards = ask_driver(broken, 0, 0)

    assert cards.gpus == []
    assert len(cards.notes) == 1


def test_this_machine_is_probed_without_fail(tmp_path: Path) -> None:
    hardware = probe_hardware(tmp_path / "not" / "there" / "yet")

    assert hardware.cpu_threads >= hardware.cpu_cores >= 1
    assert hardware.ram_bytes > hardware.ram_free_bytes > 0
    assert hardware.disk_free_bytes > 0
    assert hardware.cpu_name


def test_what_fails_costs_a_note_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no /proc here")

    for name in ("virtual_memory", "cpu_count", "disk_usage"):
        monkeypatch.setattr(psutil, name, fail)

    hardware = probe_hardware(tmp_path)

    assert (hardware.ram_bytes, hardware.disk_free_bytes) == (0, 0)
    assert hardware.cpu_threads >= 1
    assert sum("no /proc here" in note for note in hardware.notes) == 3


def test_a_containers_limits_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(
        probe, "container_limits", lambda: Limits(cpu_threads=1, ram_bytes=GIB, ram_free_bytes=GIB // 2)
    )

    hardware = probe_hardware(tmp_path)

    assert (hardware.cpu_threads, hardware.cpu_cores) == (1, 1)
    assert (hardware.ram_bytes, hardware.ram_free_bytes) == (GIB, GIB // 2)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_control_groups_of_version_2_limit_by_the_tightest(tmp_path: Path) -> None:
    write(tmp_path / "own", "0::/outer/inner\n")
    write(tmp_path / "groups" / "outer" / "memory.max", f"{4 * GIB}\n")
    write(tmp_path / "groups" / "outer" / "memory.current", f"{3 * GIB}\n")
    write(tmp_path / "groups" / "outer" / "memory.stat", f"anon 5\ninactive_file {GIB}\n")
    write(tmp_path / "groups" / "outer" / "inner" / "memory.max", "max\n")
    write(tmp_path / "groups" / "outer" / "inner" / "cpu.max", "150000 100000\n")

    assert container_limits(tmp_path / "groups", tmp_path / "own") == Limits(2, 4 * GIB, 2 * GIB)


def test_control_groups_of_version_1_are_understood(tmp_path: Path) -> None:
    write(tmp_path / "own", "5:memory:/job\n4:cpu,cpuacct:/job\n")
    write(tmp_path / "groups" / "memory" / "memory.limit_in_bytes", f"{2 * GIB}\n")
    write(tmp_path / "groups" / "memory" / "memory.usage_in_bytes", f"{GIB}\n")
    write(tmp_path / "groups" / "cpu" / "job" / "cpu.cfs_quota_us", "400000\n")
    write(tmp_path / "groups" / "cpu" / "job" / "cpu.cfs_period_us", "100000\n")

    assert container_limits(tmp_path / "groups", tmp_path / "own") == Limits(4, 2 * GIB, GIB)


def test_no_limits_are_none(tmp_path: Path) -> None:
    write(tmp_path / "own", "0::/\n5:memory:/\n")
    write(tmp_path / "groups" / "memory" / "memory.limit_in_bytes", "9223372036854771712\n")
    write(tmp_path / "groups" / "cpu.max", "max 100000\n")

    assert container_limits(tmp_path / "groups", tmp_path / "own") == Limits()


def test_an_apple_processor_counts_two_thirds_of_its_memory() -> None:
    card = apple_gpu("Darwin", "arm64", "Apple M2", ram_bytes=24 * GIB, ram_free_bytes=10 * GIB)

    assert card == Gpu("Apple M2 (MPS)", 16 * GIB, 10 * GIB, vendor="apple")
    assert not card.is_tested
    assert apple_gpu("Darwin", "x86_64", "Intel", ram_bytes=GIB, ram_free_bytes=GIB) is None


def make_card(drm: Path, number: int, slot: str, **files: str) -> None:
    device = drm.parent / "devices" / slot
    device.mkdir(parents=True)
    for name, text in files.items():
        write(device / name, text + "\n")
    (drm / f"card{number}").mkdir(parents=True)
    (drm / f"card{number}" / "device").symlink_to(device)
    (drm / f"card{number}-DP-1").mkdir()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_an_amd_card_is_found(tmp_path: Path) -> None:
    files = {"vendor": "0x1002", "product_name": "Radeon RX 7900 XTX"}
    make_card(
        tmp_path / "drm",
        1,
        "0000:03:00.0",
        **files,
        mem_info_vram_total=str(24 * GIB),
        mem_info_vram_used=str(GIB),
        unique_id="abc",
    )

    gpus, notes = linux_gpus(tmp_path / "drm", 2)

    assert gpus == [Gpu("Radeon RX 7900 XTX", 24 * GIB, 23 * GIB, vendor="amd", uuid="abc", index=2)]
    assert notes == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_graphics_built_into_a_processor_are_not_taken_for_a_card(tmp_path: Path) -> None:
    make_card(tmp_path / "drm", 0, "0000:00:02.0", vendor="0x8086")
    make_card(tmp_path / "drm", 1, "0000:08:00.0", vendor="0x1002", mem_info_vram_total=str(GIB // 2))

    gpus, notes = linux_gpus(tmp_path / "drm", 0)

    assert gpus == []
    assert notes == ["AMD: AMD graphics (card1) is built into the processor and is not used"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_an_intel_card_is_measured_by_its_window_on_the_bus(tmp_path: Path) -> None:
    windows = f"0x{0x80000000:016x} 0x{0x80FFFFFF:016x} 0x0000\n0x{2**40:016x} 0x{2**40 + 16 * GIB - 1:016x} 0x0000"
    make_card(tmp_path / "drm", 0, "0000:03:00.0", vendor="0x8086", resource=windows)
    make_card(tmp_path / "drm", 1, "0000:04:00.0", vendor="0x8086", resource="nonsense")

    gpus, notes = linux_gpus(tmp_path / "drm", 0)

    assert gpus == [Gpu("Intel graphics card", 16 * GIB, 16 * GIB, vendor="intel")]
    assert notes == ["Intel: the card at 0000:04:00.0 does not tell its memory: name it with --vram"]


def test_a_system_without_graphics_has_no_cards(tmp_path: Path) -> None:
    assert linux_gpus(tmp_path / "none", 0) == ([], [])


FIRST = Gpu("RTX 3060", 12 * GIB, 11 * GIB, uuid="GPU-aaaa-1", index=0)
SECOND = replace(FIRST, uuid="GPU-bbbb-2", index=1)
OTHER = replace(FIRST, name="RTX 4090", uuid="GPU-cccc-3", index=1)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("0,1", [FIRST, SECOND]),
        ("1", [SECOND]),
        ("GPU-bbbb", [SECOND]),
        ("", []),
        ("-1", []),
        ("1,9,0", [SECOND]),
        ("GPU-", []),
    ],
)
def test_cards_that_the_user_hid_are_left_out(asked: str, kept: list[Gpu]) -> None:
    gpus, notes = visible_gpus([FIRST, SECOND], {"CUDA_VISIBLE_DEVICES": asked})

    assert gpus == kept
    assert bool(notes) == (len(kept) < 2)


def test_numbers_are_not_applied_where_cuda_may_count_otherwise() -> None:
    gpus, notes = visible_gpus([FIRST, OTHER], {"CUDA_VISIBLE_DEVICES": "0"})

    assert gpus == [FIRST, OTHER]
    assert "choose by --gpu" in notes[0]


def test_numbers_are_applied_where_cuda_counts_by_the_bus() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

    assert visible_gpus([FIRST, OTHER], environment)[0] == [FIRST]
