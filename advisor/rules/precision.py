"""Which numbers are computed with."""

from __future__ import annotations

from advisor.facts import Facts
from advisor.rules.defaults_table import defaults_for
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import GTX16_NAN, NVIDIA, OURS, SD_SCRIPTS
from advisor.settings.config import TrainingConfig


@rule(sets="memory.compute_dtype", source=NVIDIA)
def compute_dtype(facts: Facts, config: TrainingConfig) -> Advice:
    """bfloat16 from Ampere on, float16 before it, float32 where neither serves."""
    gpu = facts.gpu
    if gpu is None:
        return _on_processor(facts)
    if gpu.has_bf16:
        assert gpu.compute_capability is not None
        major, minor = gpu.compute_capability
        kind = f"compute capability {major}.{minor}"
        assumed = f", taken for an RTX 30 ({kind}) as only its memory was said,"
        since = gpu.name + (assumed if gpu.is_kind_assumed else f" ({kind})")
        return Advice("bfloat16", f"{since} has bfloat16, which does not overflow as float16 does")
    if gpu.has_broken_fp16:
        return Advice("float32", f"{gpu.name} gives NaN in float16, and black pictures from it", GTX16_NAN)
    if gpu.vendor == "apple":
        return Advice("float32", f"{gpu.name}: float32 is always right there; half precision is untested by us")
    if gpu.vendor in ("amd", "intel"):
        return Advice("bfloat16", f"{gpu.name}: the cards that torch runs on have bfloat16; untested by us")
    table = defaults_for(config)
    if table.float16_source is not None:
        reason = f"{gpu.name} has no bfloat16, and {table.title} has values that float16 cannot hold: slow, but right"
        return Advice("float32", reason, table.float16_source)
    return Advice("float16", f"{gpu.name} is older than Ampere and has no bfloat16")


def _on_processor(facts: Facts) -> Advice:
    name, dtype = facts.hardware.cpu_name or "the processor", facts.hardware.processor_dtype
    if dtype == "bfloat16":
        return Advice(dtype, f"{name} has bfloat16 in hardware: some 0.6 of float32's time and memory", OURS)
    return Advice(dtype, f"{name} is not known to have bfloat16 in hardware, without which it is very slow", OURS)


@rule(sets="saving.dtype", source=SD_SCRIPTS)
def saving_dtype(_: Facts, config: TrainingConfig) -> Advice:
    """float16, which every program loads."""
    return Advice("float16", f"half the size of float32 without a visible difference at rank {config.network.rank}")


RULES = (compute_dtype,)
"""Before anything is fitted into memory."""
