"""What is wrong with a machine, and the mend: pure verdicts on facts that others have gathered.

facts = DoctorFacts(probe_hardware(folder), read_torch_facts(output, code), installed_packages(), this_python())
for verdict in verdicts(facts): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from advisor.environment.packages import Package, PythonFacts, clashes
from advisor.environment.torch_report import TorchDevice, TorchFacts
from advisor.environment.torch_wheels import CUDA_13_DRIVER, fitting_build, how_to_install, newest, runs_on
from advisor.machine.hardware import Gpu, Hardware
from advisor.units import GIB

Status = Literal["ok", "warn", "bad"]

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
"""What torch and we both have builds for."""

NO_DRIVER = "no NVIDIA driver was found"
"""The end of the probe's note where there is none (advisor/machine/nvml.py)."""

ROOM_FOR_SAMPLES = GIB * 3 // 2
"""What sample pictures take on top of a step, and what a desktop is seldom above; SD1.x at 512, our estimate."""

LEAST_GPU_BYTES = 4 * GIB
"""With less free on the card no plan of ours fits SD1.x at 512."""

LOW_GPU_BYTES = 15 * GIB // 2
"""Under this a plan wants an 8-bit optimizer (docs/interface.md, `plan --json`)."""

LEAST_RAM_FREE_BYTES, GOOD_RAM_FREE_BYTES = 3 * GIB, 6 * GIB
"""Loading a checkpoint of 2 GiB holds it twice for a moment, beside torch itself."""

LEAST_DISK_BYTES, GOOD_DISK_BYTES = GIB, 5 * GIB
"""A run keeps ten LoRAs of 36 to 144 MiB, its cache and its state."""


@dataclass(frozen=True)
class Verdict:
    """One thing that was looked at."""

    name: str
    status: Status
    found: str
    mend: str = ""
    """What to do; empty where all is well."""


@dataclass(frozen=True)
class DoctorFacts:
    """All that the doctor looks at."""

    hardware: Hardware
    torch: TorchFacts
    packages: Mapping[str, Package]
    python: PythonFacts

    @property
    def nvidia(self) -> tuple[Gpu, ...]:
        """NVIDIA's cards in this machine."""
        return tuple(gpu for gpu in self.hardware.gpus if gpu.vendor == "nvidia")


def verdicts(facts: DoctorFacts) -> tuple[Verdict, ...]:
    """A verdict on each thing that training stands on, in the order in which they stand on each other."""
    return tuple(verdict for look in LOOKS for verdict in look(facts))


def _python(facts: DoctorFacts) -> Iterator[Verdict]:
    version, hardware = facts.python.version, facts.hardware
    found = f"Python {'.'.join(str(part) for part in version)}, {facts.python.bits}-bit, on {hardware.system}"
    get = "install a 64-bit Python 3.11 to 3.14 from python.org, delete the folder .venv and run start.py with it"
    if facts.python.bits != 64:
        yield Verdict("Python", "bad", found, f"torch has no 32-bit builds: {get}")
    elif version[:2] < OLDEST_PYTHON:
        yield Verdict("Python", "bad", found, f"it is too old: {get}")
    elif version[:2] > NEWEST_PYTHON:
        yield Verdict("Python", "warn", found, f"torch may have no build for one so new yet: {get}")
    elif (hardware.system, hardware.architecture) == ("Darwin", "x86_64"):
        mend = "on a Mac with an M processor install the arm64 Python; for Intel Macs torch has no builds any more"
        yield Verdict("Python", "bad", f"{found} for Intel processors", mend)
    else:
        yield Verdict("Python", "ok", found)


def _driver(facts: DoctorFacts) -> Iterator[Verdict]:
    hardware = facts.hardware
    notes = [note for note in hardware.notes if note.startswith("NVIDIA: ")]
    troubles = [note.removeprefix("NVIDIA: ") for note in notes if not note.endswith(NO_DRIVER)]
    if facts.nvidia:
        cuda = f", which runs CUDA {_dotted(hardware.cuda_driver)}" if hardware.cuda_driver else ""
        yield Verdict("driver", "ok", f"NVIDIA driver {hardware.driver or 'of unknown version'}{cuda}")
    elif not troubles and not hardware.gpus and hardware.system != "Darwin":
        mend = "if this machine has an NVIDIA card, install its driver from nvidia.com/drivers and restart"
        yield Verdict("driver", "warn", NO_DRIVER, mend)
    for trouble in troubles:
        found, _, mend = trouble.partition(": ")
        status: Status = "warn" if facts.nvidia else "bad"
        yield Verdict("driver", status, found, mend or "restart the machine; if that does not help, update the driver")


def _gpus(facts: DoctorFacts) -> Iterator[Verdict]:
    for gpu in facts.hardware.gpus:
        capability = f", compute capability {_dotted(gpu.compute_capability)}" if gpu.compute_capability else ""
        found = f"{gpu.name}, {gpu.total_bytes / GIB:.1f} GiB{capability}"
        if gpu.is_tested:
            yield Verdict("card", "ok", found)
        else:
            yield Verdict("card", "warn", found, "it trains where torch runs it, but we have not tested such cards")


def _torch(facts: DoctorFacts) -> Iterator[Verdict]:
    torch, hardware = facts.torch, facts.hardware
    build = fitting_build(hardware)
    if torch.version is None:
        yield Verdict("torch", "bad", f"torch cannot be used: {torch.error}", how_to_install(build))
        return
    found = f"torch {torch.version}"
    vendors = {gpu.vendor for gpu in hardware.gpus}
    if facts.nvidia and torch.cuda is None:
        yield Verdict("torch", "bad", f"{found} cannot use the NVIDIA card", how_to_install(build))
    elif vendors == {"amd"} and torch.hip is None:
        yield Verdict("torch", "bad", f"{found} cannot use the AMD card", how_to_install(build))
    elif vendors == {"intel"} and not torch.has_xpu:
        yield Verdict("torch", "bad", f"{found} cannot use the Intel card", how_to_install(build))
    else:
        made_for = (
            f", made for CUDA {torch.cuda}" if torch.cuda else f", made for ROCm {torch.hip}" if torch.hip else ""
        )
        yield Verdict("torch", "ok", found + made_for)


def _driver_and_torch(facts: DoctorFacts) -> Iterator[Verdict]:
    """Within one major version of CUDA every build runs on every driver; across them the driver must be newer."""
    runs, wants = facts.hardware.cuda_driver, _version(facts.torch.cuda)
    if not facts.nvidia or runs is None or wants is None:
        return
    found = f"torch was made for CUDA {_dotted(wants)}, the driver runs {_dotted(runs)}"
    if wants[0] <= runs[0]:
        yield Verdict("driver and torch", "ok", found)
        return
    mend, build = f"update the NVIDIA driver (CUDA 13 needs {CUDA_13_DRIVER} or newer)", fitting_build(facts.hardware)
    if build != "cu130":
        mend += f", or {how_to_install(build)}"
    yield Verdict("driver and torch", "bad", found, mend)


def _gpu_and_torch(facts: DoctorFacts) -> Iterator[Verdict]:
    torch = facts.torch
    if torch.cuda is None or not torch.architectures:
        return
    for gpu in facts.nvidia:
        capability = gpu.compute_capability
        if capability is None:
            continue
        found = f"{gpu.name} has compute capability {_dotted(capability)}"
        if runs_on(capability, torch.architectures):
            yield Verdict("card and torch", "ok", f"{found}, which this torch is made for")
            continue
        latest = newest(torch.architectures)
        is_new = latest is not None and capability > latest
        age = "newer than this torch knows" if is_new else "no longer in this torch"
        yield Verdict("card and torch", "bad", f"{found}, {age}", how_to_install(fitting_build(facts.hardware)))


def _computing(facts: DoctorFacts) -> Iterator[Verdict]:
    """On what training will run: the processor only where there is nothing else."""
    torch, hardware = facts.torch, facts.hardware
    if torch.version is None:
        return
    if torch.gpus:
        yield Verdict("training runs on", "ok", ", ".join(gpu.name for gpu in torch.gpus))
        return
    if not hardware.gpus:
        mend = "it is many times slower than a card: a plan for it is small, and asks for your yes"
        yield Verdict("training runs on", "warn", f"the processor, {hardware.cpu_name}", mend)
        return
    said = f": {torch.error}" if torch.error else ""
    mend = "see the points above; without them check that CUDA_VISIBLE_DEVICES does not hide the card, and restart"
    yield Verdict("training runs on", "bad", f"the processor, though there is {hardware.gpus[0].name}{said}", mend)


def _precision(facts: DoctorFacts) -> Iterator[Verdict]:
    for device in facts.torch.gpus or facts.torch.devices:
        if device.error:
            mend = "restart the machine; if it stays, install the driver and torch again"
            yield Verdict("precision", "bad", f"{device.name} does not compute: {device.error}", mend)
            continue
        yield _precision_of(device, facts)


def _precision_of(device: TorchDevice, facts: DoctorFacts) -> Verdict:
    right = dict(device.finite)
    if not right.get("float32", True):
        mend = "the card or its memory is at fault: take back overclocking, and test it"
        return Verdict("precision", "bad", f"{device.name} computes wrongly even in float32", mend)
    gpu = next((gpu for gpu in facts.hardware.gpus if gpu.name == device.name), None)
    if device.kind == "cpu":
        return Verdict("precision", "ok", "float32, as on every processor")
    if (gpu is not None and gpu.has_broken_fp16) or not right.get("float16", True):
        mend = "plans for it compute in float32, which takes more memory"
        return Verdict("precision", "warn", f"{device.name} gives wrong numbers in float16", mend)
    has_bf16 = device.capability is not None and device.capability >= (8, 0) and right.get("bfloat16", True)
    word = "bfloat16" if has_bf16 else "float16, as it has no fast bfloat16"
    return Verdict("precision", "ok", f"{device.name} computes in {word}")


def _bitsandbytes(facts: DoctorFacts) -> Iterator[Verdict]:
    package, said = facts.packages.get("bitsandbytes"), facts.torch.bitsandbytes
    if package is not None and said not in (None, "works"):
        mend = "pip install --upgrade bitsandbytes, or pip uninstall bitsandbytes: plans then take AdamW"
        yield Verdict("bitsandbytes", "bad", f"bitsandbytes {package.version} fails: {said}", mend)
    elif package is not None and facts.nvidia:
        yield Verdict("bitsandbytes", "ok", f"bitsandbytes {package.version}")
    elif facts.nvidia and max(gpu.total_bytes for gpu in facts.nvidia) < LOW_GPU_BYTES:
        mend = 'pip install "loracle[bitsandbytes]" gives an 8-bit optimizer, which saves memory'
        yield Verdict("bitsandbytes", "warn", "bitsandbytes is not installed, and the card is small", mend)


def _packages(facts: DoctorFacts) -> Iterator[Verdict]:
    found = clashes(facts.packages)
    for clash in found:
        yield Verdict("packages", "bad", clash.found, clash.mend)
    if not found:
        yield Verdict("packages", "ok", "the installed packages get on with each other")


def _gpu_memory(facts: DoctorFacts) -> Iterator[Verdict]:
    """Room on the card: what other programs hold is missing when sample pictures are drawn."""
    gpu = facts.hardware.main_gpu
    if gpu is None or gpu.vendor == "apple":
        return
    used = gpu.total_bytes - gpu.free_bytes
    found = f"{gpu.free_bytes / GIB:.1f} of {gpu.total_bytes / GIB:.1f} GiB are free on {gpu.name}"
    if gpu.free_bytes < LEAST_GPU_BYTES:
        close = "close browsers, games and other trainers" if used > ROOM_FOR_SAMPLES else "take a larger card"
        yield Verdict("card memory", "bad", found, f"{close}: SD1.x needs {LEAST_GPU_BYTES // GIB} GiB free at least")
    elif used > ROOM_FOR_SAMPLES:
        mend = "close browsers, games and other trainers, or a run may die when it draws its sample pictures"
        yield Verdict("card memory", "warn", found, mend)
    else:
        yield Verdict("card memory", "ok", found)


def _memory(facts: DoctorFacts) -> Iterator[Verdict]:
    free, total = facts.hardware.ram_free_bytes, facts.hardware.ram_bytes
    if not total:  # it could not be read, as a note of the probe says
        return
    mend = "close other programs, or loading the base model may end the run"
    status: Status = "bad" if free < LEAST_RAM_FREE_BYTES else "warn" if free < GOOD_RAM_FREE_BYTES else "ok"
    found = f"{free / GIB:.1f} of {total / GIB:.1f} GiB are free"
    yield Verdict("memory", status, found, "" if status == "ok" else mend)


def _disk(facts: DoctorFacts) -> Iterator[Verdict]:
    free = facts.hardware.disk_free_bytes
    status: Status = "bad" if free < LEAST_DISK_BYTES else "warn" if free < GOOD_DISK_BYTES else "ok"
    mend = f"make room, or choose a folder on another disk: a run takes {GOOD_DISK_BYTES // GIB} GiB at most"
    yield Verdict("disk", status, f"{free / GIB:.1f} GiB are free for a run here", "" if status == "ok" else mend)


def _dotted(version: tuple[int, int] | None) -> str:
    return "unknown" if version is None else f"{version[0]}.{version[1]}"


def _version(text: str | None) -> tuple[int, int] | None:
    major, _, rest = (text or "").partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


LOOKS: tuple[Callable[[DoctorFacts], Iterator[Verdict]], ...] = (
    _python,
    _driver,
    _gpus,
    _torch,
    _driver_and_torch,
    _gpu_and_torch,
    _computing,
    _precision,
    _bitsandbytes,
    _packages,
    _gpu_memory,
    _memory,
    _disk,
)
"""What is looked at, in order."""
