from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from advisor.environment.doctor import DoctorFacts, Verdict, verdicts
from advisor.environment.packages import NEEDED, Package, PythonFacts, clashes, installed_packages, this_python
from advisor.environment.torch_report import TorchDevice, TorchFacts, read_torch_facts
from advisor.environment.torch_wheels import fitting_build, runs_on
from advisor.machine.hardware import Gpu, Hardware
from advisor.units import GIB
from tests.support.paths import REPOSITORY

RTX_3070 = Gpu("NVIDIA GeForce RTX 3070", 8 * GIB, 15 * GIB // 2, compute_capability=(8, 6))
MACHINE = Hardware(
    system="Linux",
    architecture="x86_64",
    cpu_name="AMD Ryzen 5",
    cpu_threads=12,
    cpu_cores=6,
    ram_bytes=32 * GIB,
    ram_free_bytes=20 * GIB,
    disk_free_bytes=100 * GIB,
    gpus=(RTX_3070,),
    driver="580.65.06",
    cuda_driver=(13, 0),
)
NO_CARD = replace(MACHINE, gpus=(), driver=None, cuda_driver=None, notes=("NVIDIA: no NVIDIA driver was found",))
FINITE = (("float32", True), ("float16", True), ("bfloat16", True))
CPU = TorchDevice("cpu", "cpu", finite=FINITE)
CARD = TorchDevice("cuda", RTX_3070.name, (8, 6), 8 * GIB, 7 * GIB, FINITE)
CUDA_13 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")
CUDA_12_6 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
TORCH = TorchFacts("2.13.0+cu130", cuda="13.0", architectures=CUDA_13, devices=(CARD, CPU))
CPU_TORCH = TorchFacts("2.13.0+cpu", devices=(CPU,))
PACKAGES = {name: Package("5.0") for name in NEEDED} | {"torch": Package("2.13.0+cu130")}
PYTHON = PythonFacts((3, 12, 4), 64)
HEALTHY = DoctorFacts(MACHINE, TORCH, PACKAGES, PYTHON)


def of(facts: DoctorFacts, name: str) -> Verdict:
    found = [verdict for verdict in verdicts(facts) if verdict.name == name]
    assert len(found) == 1, found
    return found[0]


def test_a_healthy_machine_is_told_so() -> None:
    found = verdicts(HEALTHY)

    assert {verdict.status for verdict in found} == {"ok"}
    assert [verdict.name for verdict in found] == [
        "Python",
        "driver",
        "card",
        "torch",
        "driver and torch",
        "card and torch",
        "training runs on",
        "precision",
        "packages",
        "card memory",
        "memory",
        "disk",
    ]


def test_whatever_is_wrong_comes_with_a_mend() -> None:
    poor = replace(MACHINE, gpus=(replace(RTX_3070, free_bytes=GIB),), cuda_driver=(12, 4), ram_free_bytes=GIB)
    facts = DoctorFacts(replace(poor, disk_free_bytes=0), CPU_TORCH, {}, PythonFacts((3, 9, 0), 32))

    wrong = [verdict for verdict in verdicts(facts) if verdict.status != "ok"]

    assert len(wrong) >= 7
    assert all(verdict.mend for verdict in wrong)


@pytest.mark.parametrize(
    ("python", "status", "words"),
    [
        (PythonFacts((3, 12, 0), 32), "bad", "no 32-bit builds"),
        (PythonFacts((3, 10, 9), 64), "bad", "too old"),
        (PythonFacts((3, 15, 0), 64), "warn", "so new"),
    ],
)
def test_a_python_that_torch_has_no_build_for(python: PythonFacts, status: str, words: str) -> None:
    verdict = of(replace(HEALTHY, python=python), "Python")

    assert (verdict.status, words in verdict.mend) == (status, True)


def test_an_intel_python_on_a_mac() -> None:
    mac = replace(NO_CARD, system="Darwin", architecture="x86_64")

    assert of(replace(HEALTHY, hardware=mac), "Python").status == "bad"


def test_a_driver_that_was_updated_while_running() -> None:
    note = "NVIDIA: the NVIDIA driver was updated while it was running: restart the machine"

    verdict = of(replace(HEALTHY, hardware=replace(NO_CARD, notes=(note,))), "driver")

    assert (verdict.status, verdict.mend) == ("bad", "restart the machine")


def test_no_driver_at_all() -> None:
    verdict = of(DoctorFacts(NO_CARD, CPU_TORCH, PACKAGES, PYTHON), "driver")

    assert (verdict.status, "nvidia.com/drivers" in verdict.mend) == ("warn", True)


def test_a_card_of_another_maker_is_untested() -> None:
    amd = replace(NO_CARD, gpus=(Gpu("Radeon", 16 * GIB, 15 * GIB, vendor="amd"),))

    assert of(replace(HEALTHY, hardware=amd), "card").status == "warn"


def test_cpu_torch_beside_an_nvidia_card() -> None:
    verdict = of(replace(HEALTHY, torch=CPU_TORCH), "torch")

    assert (verdict.status, verdict.found) == ("bad", "torch 2.13.0+cpu cannot use the NVIDIA card")
    assert "https://download.pytorch.org/whl/cu130" in verdict.mend


@pytest.mark.parametrize(("vendor", "word"), [("amd", "ROCm"), ("intel", "xpu")])
def test_cpu_torch_beside_another_card(vendor: str, word: str) -> None:
    card = Gpu("card", 16 * GIB, 15 * GIB, vendor=vendor)  # type: ignore[arg-type]
    facts = replace(HEALTHY, hardware=replace(NO_CARD, gpus=(card,)), torch=CPU_TORCH)

    verdict = of(facts, "torch")

    assert (verdict.status, word in verdict.mend) == ("bad", True)


def test_torch_that_cannot_be_imported() -> None:
    torch = TorchFacts(error="OSError: c10.dll was not found")

    verdict = of(replace(HEALTHY, torch=torch), "torch")

    assert (verdict.status, "c10.dll" in verdict.found) == ("bad", True)


def test_a_driver_older_than_torchs_cuda() -> None:
    verdict = of(replace(HEALTHY, hardware=replace(MACHINE, cuda_driver=(12, 8))), "driver and torch")

    assert (verdict.status, verdict.found) == ("bad", "torch was made for CUDA 13.0, the driver runs 12.8")
    assert "580 or newer" in verdict.mend
    assert "whl/cu126" in verdict.mend


def test_a_new_card_needs_the_newer_driver_and_no_older_torch() -> None:
    new = replace(RTX_3070, compute_capability=(12, 0))
    hardware = replace(MACHINE, gpus=(new,), cuda_driver=(12, 8))

    verdict = of(replace(HEALTHY, hardware=hardware), "driver and torch")

    assert verdict.mend == "update the NVIDIA driver (CUDA 13 needs 580 or newer)"


def test_a_driver_within_the_same_major_version_is_new_enough() -> None:
    torch = replace(TORCH, cuda="12.6", architectures=CUDA_12_6)
    facts = replace(HEALTHY, hardware=replace(MACHINE, cuda_driver=(12, 2)), torch=torch)

    assert of(facts, "driver and torch").status == "ok"


def test_a_card_too_new_for_torch() -> None:
    new = replace(RTX_3070, name="RTX 5090", compute_capability=(12, 0))
    torch = replace(TORCH, cuda="12.6", architectures=CUDA_12_6)

    verdict = of(replace(HEALTHY, hardware=replace(MACHINE, gpus=(new,)), torch=torch), "card and torch")

    assert (verdict.status, "newer than this torch knows" in verdict.found) == ("bad", True)
    assert "cu130" in verdict.mend


def test_a_card_too_old_for_torch() -> None:
    old = replace(RTX_3070, name="GTX 1080", compute_capability=(6, 1))

    verdict = of(replace(HEALTHY, hardware=replace(MACHINE, gpus=(old,))), "card and torch")

    assert (verdict.status, "no longer in this torch" in verdict.found) == ("bad", True)
    assert "cu126" in verdict.mend


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((8, 9), ("sm_86",), True),
        ((8, 0), ("sm_86",), False),
        ((9, 0), ("sm_86",), False),
        ((9, 0), ("compute_86",), True),
        ((12, 0), ("sm_90a",), False),
        ((12, 1), ("sm_120",), True),
        ((12, 0), ("sm_120f",), True),
        ((12, 0), ("gfx1100", ""), False),
        ((10, 0), CUDA_13, True),
    ],
)
def test_which_cards_machine_code_runs_on(
    capability: tuple[int, int], architectures: tuple[str, ...], runs: bool
) -> None:
    assert runs_on(capability, architectures) == runs


@pytest.mark.parametrize(
    ("hardware", "build"),
    [
        (MACHINE, "cu130"),
        (replace(MACHINE, cuda_driver=(12, 4)), "cu126"),
        (replace(MACHINE, gpus=(replace(RTX_3070, compute_capability=(6, 1)),)), "cu126"),
        (replace(MACHINE, gpus=(replace(RTX_3070, compute_capability=(12, 0)),), cuda_driver=(12, 8)), "cu130"),
        (NO_CARD, "cpu"),
        (replace(NO_CARD, gpus=(Gpu("Radeon", GIB, GIB, vendor="amd"),)), "rocm"),
    ],
)
def test_which_build_suits_a_machine(hardware: Hardware, build: str) -> None:
    assert fitting_build(hardware) == build


def test_training_on_the_processor_by_accident() -> None:
    torch = replace(TORCH, devices=(CPU,), error="RuntimeError: CUDA driver initialization failed")

    verdict = of(replace(HEALTHY, torch=torch), "training runs on")

    assert (verdict.status, "CUDA driver initialization failed" in verdict.found) == ("bad", True)
    assert "NVIDIA GeForce RTX 3070" in verdict.found


def test_training_on_the_processor_for_want_of_a_card() -> None:
    verdict = of(DoctorFacts(NO_CARD, CPU_TORCH, PACKAGES, PYTHON), "training runs on")

    assert (verdict.status, verdict.found) == ("warn", "the processor, AMD Ryzen 5")


@pytest.mark.parametrize(
    ("device", "status", "words"),
    [
        (CARD, "ok", "bfloat16"),
        (replace(CARD, capability=(7, 5)), "ok", "float16, as it has no fast bfloat16"),
        (replace(CARD, finite=(("float32", True), ("float16", False))), "warn", "wrong numbers in float16"),
        (replace(CARD, finite=(("float32", False),)), "bad", "even in float32"),
        (replace(CARD, error="CUDA error: no kernel image"), "bad", "no kernel image"),
    ],
)
def test_the_precision_of_a_card(device: TorchDevice, status: str, words: str) -> None:
    verdict = of(replace(HEALTHY, torch=replace(TORCH, devices=(device, CPU))), "precision")

    assert (verdict.status, words in verdict.found) == (status, True)


def test_a_gtx_1660_gives_nan_in_float16_whatever_a_short_trial_says() -> None:
    gpu = replace(RTX_3070, name="NVIDIA GeForce GTX 1660", compute_capability=(7, 5))
    device = replace(CARD, name=gpu.name, capability=(7, 5))
    facts = replace(HEALTHY, hardware=replace(MACHINE, gpus=(gpu,)), torch=replace(TORCH, devices=(device, CPU)))

    assert of(facts, "precision").status == "warn"


def test_a_broken_bitsandbytes() -> None:
    packages = PACKAGES | {"bitsandbytes": Package("0.46.0")}
    torch = replace(TORCH, bitsandbytes="RuntimeError: libbitsandbytes_cuda130.so is not there")

    verdict = of(replace(HEALTHY, packages=packages, torch=torch), "bitsandbytes")

    assert (verdict.status, "pip install --upgrade bitsandbytes" in verdict.mend) == ("bad", True)


def test_a_missing_bitsandbytes_matters_on_a_small_card_only() -> None:
    small = replace(MACHINE, gpus=(replace(RTX_3070, total_bytes=6 * GIB, free_bytes=6 * GIB),))

    assert of(replace(HEALTHY, hardware=small), "bitsandbytes").status == "warn"
    assert "bitsandbytes" not in [verdict.name for verdict in verdicts(HEALTHY)]


@pytest.mark.parametrize(
    ("changed", "found", "mend"),
    [
        (
            {"torchvision": Package("0.20.0+cu124", ("torch==2.5.0",))},
            "torchvision 0.20.0+cu124 asks for torch==2.5.0 and 2.13.0+cu130 is installed",
            "pip uninstall torchvision",
        ),
        (
            {"peft": Package("0.9", ("transformers<5",))},
            "peft 0.9 asks for transformers<5 and 5.0 is installed",
            "pip uninstall peft",
        ),
        (
            {"transformers": Package("5.0", ("tokenizers<0.24,>=0.23",))},
            "transformers 5.0 asks for tokenizers<0.24,>=0.23 and 5.0 is installed",
            'pip install "tokenizers<0.24,>=0.23"',
        ),
        (
            {"torchvision": Package("0.28.0+cpu")},
            "torchvision 0.28.0+cpu was built for another torch than 2.13.0+cu130",
            "pip uninstall torchvision",
        ),
        ({"safetensors": Package("?")}, "safetensors is only half installed", "--force-reinstall"),
    ],
)
def test_packages_that_do_not_get_on(changed: dict[str, Package], found: str, mend: str) -> None:
    told = [clash for clash in clashes(PACKAGES | changed) if clash.found == found]

    assert len(told) == 1, clashes(PACKAGES | changed)
    assert mend in told[0].mend


def test_requirements_of_other_systems_and_of_extras_do_not_count() -> None:
    asks = ('torch<1; extra == "old"', 'torch<1; sys_platform == "amiga"', "gone>=1", "no requirement!", "torch>=2.10")

    assert clashes(PACKAGES | {"peft": Package("1.0", asks)}) == ()


def test_a_missing_package_is_told() -> None:
    packages = {name: package for name, package in PACKAGES.items() if name != "diffusers"}

    verdict = of(replace(HEALTHY, packages=packages), "packages")

    assert (verdict.status, verdict.found) == ("bad", "diffusers is not installed")


def test_a_card_that_others_use_may_die_at_the_samples() -> None:
    busy = replace(MACHINE, gpus=(replace(RTX_3070, free_bytes=5 * GIB),))

    verdict = of(replace(HEALTHY, hardware=busy), "card memory")

    assert (verdict.status, "sample pictures" in verdict.mend) == ("warn", True)


def test_a_full_card() -> None:
    full = replace(MACHINE, gpus=(replace(RTX_3070, free_bytes=2 * GIB),))

    assert of(replace(HEALTHY, hardware=full), "card memory").status == "bad"


@pytest.mark.parametrize(("free_gib", "status"), [(0, "bad"), (2, "bad"), (4, "warn"), (20, "ok")])
def test_the_machines_memory(free_gib: int, status: str) -> None:
    hardware = replace(MACHINE, ram_free_bytes=free_gib * GIB)

    assert of(replace(HEALTHY, hardware=hardware), "memory").status == status


@pytest.mark.parametrize(("free_gib", "status"), [(0, "bad"), (3, "warn"), (50, "ok")])
def test_the_disk(free_gib: int, status: str) -> None:
    hardware = replace(MACHINE, disk_free_bytes=free_gib * GIB)

    assert of(replace(HEALTHY, hardware=hardware), "disk").status == status


def test_what_torch_told_is_read_from_its_last_line() -> None:
    told = {"version": "2.13.0+cu130", "cuda": "13.0", "architectures": ["sm_86"], "bitsandbytes": "works"}
    device = {"kind": "cuda", "name": "RTX", "capability": [8, 6], "total_bytes": 5, "finite": {"float16": True}}

    facts = read_torch_facts(f"a warning\n{json.dumps(told | {'devices': [device]})}\n")

    assert facts == TorchFacts(
        "2.13.0+cu130",
        cuda="13.0",
        architectures=("sm_86",),
        devices=(TorchDevice("cuda", "RTX", (8, 6), 5, finite=(("float16", True),)),),
        bitsandbytes="works",
    )


@pytest.mark.parametrize("output", ["", "nothing of use", "{broken", '{"devices": [{}]}'])
def test_a_crash_of_torch_leaves_an_error(output: str) -> None:
    facts = read_torch_facts(output, -11)

    assert facts.version is None
    assert facts.error


def test_torch_is_asked_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n" + RUN]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    facts = read_torch_facts(result.stdout, result.returncode)

    assert facts.version, result.stderr
    assert facts.devices[-1].kind == "cpu"
    assert facts.devices[-1].finite[0] == ("float32", True)


def test_a_torch_that_fails_on_import_is_told() -> None:
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n" + BROKEN + RUN]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert read_torch_facts(result.stdout).error == "OSError: c10.dll was not found"


RUN = "from trainer.device.torch_report import main; main()"
BROKEN = """
class Breaks:
    def find_spec(self, name, path=None, target=None):
        if name == 'torch':
            raise OSError('c10.dll was not found')
sys.meta_path.insert(0, Breaks())
"""


def test_the_packages_of_this_machine_are_read() -> None:
    packages = installed_packages()

    assert packages["torch"].version.startswith("2.")
    assert this_python().version[:2] >= (3, 11)
