"""The memory situation of a run, from which the ladder chooses what to change: its configuration and what was seen."""

from __future__ import annotations

from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.environment.packages import installed_packages
from advisor.errors import MemoryFacts, RunError
from advisor.estimate.device_speed import speed_of
from advisor.estimate.several_processes import Shares, config_of_share
from advisor.estimate.vram import Phase
from advisor.machine.hardware import Hardware
from advisor.machine.probe import probe_hardware
from advisor.memory_ladder.rungs import Situation
from advisor.settings.config import QUANTISED, TrainingConfig, flat_settings
from wizard.processes.trainer_job import TrainerJob

GPUS_WITH_OWN_MEMORY = ("cuda", "xpu")
"""torch's names of such devices."""
PHASES: tuple[Phase, ...] = ("loading", "caching", "step")
"""The phases that memory can run out in; any other phase, of a newer trainer, counts as a step."""


def situation_of(job: TrainerJob, facts: MemoryFacts, *, hardware: Hardware | None = None) -> Situation:
    """The situation of a job's run, after the rungs that it has taken.

    Args:
        hardware: None: this machine is looked at.

    Raises:
        LoraError: the configuration or the base model cannot be read any more.
    """
    planned = job.run.read_config()
    ladder = job.run.read_ladder()
    config = ladder.applied(_on_device(planned, job.device))
    structure = identify(Path(config.model.path)).structure
    if structure is None:
        raise RunError(f"{config.model.path} does not tell how it is built, so nothing can be tried in its place")
    if job.processes > 1:
        config = config_of_share(config, Shares.of(config.schedule, job.processes))
    plan, machine = job.run.known_plan(), hardware or probe_hardware(job.run.path)
    return Situation(
        config=config,
        structure=structure,
        planned_px=planned.dataset.resolution_px,
        batch_parts=ladder.batch_parts,
        phase=next((known for known in PHASES if known == facts.phase), "step"),
        size=facts.largest,
        chosen=frozenset() if plan is None else plan.chosen_paths(dict(flat_settings(planned))),
        base_dtypes=QUANTISED,
        can_swap=facts.device in GPUS_WITH_OWN_MEMORY,
        speed=speed_of(config, machine, None if facts.device == "cpu" else job.gpu(machine)),
        has_8bit_optimizer=facts.device == "cuda" and bool(installed_packages(("bitsandbytes",))),
    )


def _on_device(config: TrainingConfig, device: str | None) -> TrainingConfig:
    """The configuration that the trainer computes with: under `--device cpu` float32, whatever the plan says."""
    if device != "cpu":
        return config
    memory = config.memory.model_copy(update={"compute_dtype": "float32", "base_dtype": "float32", "preset": "cpu"})
    return config.model_copy(update={"memory": memory})
