"""Throughput of a GPU or CPU from its driver's figures, for a machine on which nothing was measured yet."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.estimate.step_work import StepWork
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.config import TrainingConfig

FULL_RATE_WORDS = frozenset(("A2", "A10", "A16", "A40", "L4", "L40S", "Ada", "PRO", "T4", "Tesla", "Quadro"))
"""Words in the names of workstation and server cards (besides `RTX A...`): their tensor cores accumulate in float32 at
the full rate, those of GeForce cards with the same chips at half of it. By their sheets A10G (70e12) and L40 (181e12)
have the half rate too."""

TENSOR_FLOPS = (
    ((7, 0), 64, 1024, 1024),
    ((7, 5), 64, 1024, 512),
    ((8, 0), 64, 2048, 2048),
    ((8, 6), 128, 1024, 512),
    ((8, 9), 128, 1024, 512),
    ((9, 0), 128, 4096, 4096),
    ((10, 0), 128, 8192, 8192),
    ((12, 0), 128, 1024, 512),
)
"""(from this compute capability on; CUDA cores of a multiprocessor; half-precision FLOPs of its tensor cores per cycle
with float32 accumulation; the same of GeForce cards). From NVIDIA's architecture papers: 80 multiprocessors of a V100
at 1.53 GHz make 125e12, 108 of an A100 at 1.41 GHz 312e12, 82 of an RTX 3090 at 1.695 GHz 71e12, 132 of an H100 at
1.83 GHz 989e12."""

TENSOR_SHARES = (((0, 0), 0.15), ((8, 0), 0.35), ((8, 9), 0.3))
"""(from this compute capability on; the share of that peak that a step reaches), fitted to published times of steps
that compute more than they launch: `python -m benchmarks.public_figures --fit`. Before Ampere there is no
FlashAttention, and the T4 that was measured is held to 70 W."""

PLAIN_SHARE = 0.3
"""Share of the float32 peak that a step reaches without tensor cores."""

CALL_SECONDS = 23e-6
"""Seconds that a processor takes to start one operation, however fast the card is: SimpleTuner's steps take the same on
an H100 and an L40S, which compute one twice as fast as the other. From the same fit."""

CPU_FLOPS_PER_CORE = 35e9
"""FLOPs per second of a core in float32: SD1.5 at 256 px took 6.3 s a step on two threads (benchmarks/step_time.py)."""

CPU_BFLOAT16_GAIN = 1.75
"""So many times as fast is a step in bfloat16, on a processor that has it (benchmarks/step_time.py)."""

LINK_BYTES_PER_SECOND = 12e9
"""From page-locked memory of the machine to a card: PCI Express 3.0 with 16 lanes carries 15.75e9 by its specification,
of which copies reach about three quarters; newer slots twice as much, and a laptop's half. Unmeasured: no card here."""

LINK_SHARE = 0.3
"""Of the time that copies take, what is not hidden behind the computing: they wait for room, and share the card's
memory. So a step of Anima with nearly all of its blocks in the machine's memory takes 4 to 11 % longer, as users of
other trainers report."""

GPU_UNCERTAINTY, QUANTISED_UNCERTAINTY, CPU_UNCERTAINTY = 2.0, 2.7, 2.5
"""Factors: the real time is rarely more than so many times longer, or shorter. All published times of usual cards lie
within the first; within the second those of another trainer's int8, which unpacks in more operations (docs/time.md)."""


@dataclass(frozen=True)
class Speed:
    """Throughput of a GPU or CPU as a training step reaches it."""

    flops_per_second: float
    """Reached, not the peak."""
    bytes_per_second: float | None
    """Of the card's memory; None: not known, or it does not limit."""
    call_seconds: float
    """To start one operation; 0 where the processor computes it itself."""
    uncertainty: float
    """A factor, either way."""
    source: str
    """Where it is from, for the user."""

    def seconds(self, work: StepWork) -> float:
        """Seconds of a step: the card computes while the processor starts what comes next, so the slower one counts.

        So does the link to the card, where weights come over it, but for a share of its time.
        """
        moving = work.moved_bytes / self.bytes_per_second if self.bytes_per_second else 0.0
        computing = max(work.calls * self.call_seconds, work.flops / self.flops_per_second + moving)
        bringing = work.brought_bytes / LINK_BYTES_PER_SECOND
        return max(computing + LINK_SHARE * bringing, bringing)


def speed_of(config: TrainingConfig, hardware: Hardware, gpu: Gpu | None) -> Speed | None:
    """Throughput of the GPU, or of the CPU without one; None where too little is known of the GPU."""
    if gpu is None:
        gain = CPU_BFLOAT16_GAIN if hardware.cpu_has_bf16 and config.memory.compute_dtype == "bfloat16" else 1.0
        reached = gain * CPU_FLOPS_PER_CORE * max(1, hardware.cpu_cores)
        return Speed(reached, None, 0.0, CPU_UNCERTAINTY, "the processor's cores")
    if not gpu.cuda_cores or not gpu.max_clock_mhz:
        return None
    clock = gpu.max_clock_mhz * 1e6
    tensor = _tensor_flops(gpu) if config.memory.compute_dtype != "float32" else None
    reached = PLAIN_SHARE * 2.0 * gpu.cuda_cores * clock if tensor is None else _share(gpu) * tensor * clock
    uncertainty = GPU_UNCERTAINTY if config.memory.quantised is None else QUANTISED_UNCERTAINTY
    figures = "cores, clocks and memory bandwidth" if gpu.memory_bytes_per_second else "cores and clock"
    return Speed(
        reached, gpu.memory_bytes_per_second, CALL_SECONDS, uncertainty, f"the card's {figures}"
    )  # fmt: skip


def _share(gpu: Gpu) -> float:
    """The share of its tensor cores' peak that a step reaches."""
    return next(share for since, share in reversed(TENSOR_SHARES) if since <= (gpu.compute_capability or (0, 0)))


def _tensor_flops(gpu: Gpu) -> float | None:
    """Half-precision FLOPs of all tensor cores per cycle; None where the card has none that serve."""
    capability = gpu.compute_capability
    if capability is None or gpu.has_broken_fp16 or gpu.cuda_cores is None:
        return None
    rows = [row for row in TENSOR_FLOPS if row[0] <= capability]
    if not rows:
        return None
    _, cores, full, games = rows[-1]
    words = gpu.name.split()
    is_full = "RTX A" in gpu.name or not FULL_RATE_WORDS.isdisjoint(words)
    return gpu.cuda_cores / cores * (full if is_full else games)
