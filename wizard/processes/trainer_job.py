"""A training to start: the run, the trainer's options, and the GPU that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.errors import ConfigError, Mistakes
from advisor.machine.hardware import Gpu, Hardware
from advisor.machine.probe import probe_hardware
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.place import RunPlace
from advisor.settings.config import TrainingConfig
from trainer.ranks.rendezvous import Rendezvous
from wizard.output import say
from wizard.processes.child import child_command
from wizard.processes.interrupt_count import InterruptCount


@dataclass(frozen=True)
class TrainerJob:
    """What the trainer's process is started with."""

    run: RunFolder
    """Absolute."""
    resume: bool = False
    device: str | None = None
    gpu_uuid: str = ""
    """The only GPU that the trainer sees; empty: it sees all."""
    on_processor: bool = False
    """It computes on the processor, because that was planned or asked for."""
    tolerate_sysmem_fallback: bool = False
    """Keep training, however slowly, where the GPU's driver moves its memory into system memory."""

    skip_broken: bool = False
    """Leave out images that cannot be decoded, from now on."""
    processes: int = 1
    """So many train together."""
    gpu_uuids: tuple[str, ...] = ()
    """The cards of several processes, one each; `gpu_uuid` is then the one with least memory free."""
    rendezvous: Rendezvous | None = None
    """Where it meets processes that others have started, of which it is the first."""
    sharing: int = 1
    """So many trainings share the processor's cores."""
    interrupts: InterruptCount | None = None
    """Counts the requests to end it, where another thread than the one that follows it hears them."""
    place: RunPlace | None = None
    """The folder of the run that a command holds; `run` itself may be a folder for events alone."""

    @property
    def held_place(self) -> RunPlace | None:
        """The folder that is meant by `run`, where it is held already."""
        return self.place if self.place is not None and self.place.run == self.run.path else None

    def command(self) -> list[str]:
        """The trainer's command line."""
        more = (["--resume"] if self.resume else []) + (["--device", self.device] if self.device else [])
        more += ["--skip-broken"] if self.skip_broken else []
        more += ["--tolerate-sysmem-fallback"] if self.tolerate_sysmem_fallback else []
        more += ["--processes", str(self.processes)] if self.processes > 1 else []
        more += ["--rendezvous", self.rendezvous.as_argument] if self.rendezvous is not None else []
        more += ["--sharing", str(self.sharing)] if self.sharing > 1 else []
        return child_command("trainer", str(self.run.as_given), *more)

    def gpu(self, hardware: Hardware) -> Gpu | None:
        """The GPU that the trainer uses unless it is told to use the CPU; None: there is none."""
        return next((gpu for gpu in hardware.gpus if gpu.uuid and gpu.uuid == self.gpu_uuid), hardware.main_gpu)


def planned_job(
    run: Path, *, device: str | None, resume: bool = False, skip_broken: bool = False, gpu_uuid: str | None = None
) -> tuple[TrainerJob, TrainingConfig]:
    """The job of a planned run, and its configuration.

    Args:
        run: a run folder, or its loracle.toml.
        device: `cpu`, or None for the GPU that was planned.
        skip_broken: leave out images that cannot be decoded.
        gpu_uuid: the card that it is given; None: the planned one, as far as it is there.

    Raises:
        LoraError: another device, or a run or configuration that cannot be read.
    """
    mistakes = Mistakes()
    mistakes.attempt(lambda: refuse_device(device))
    folder = mistakes.attempt(lambda: RunFolder.given(run))
    config = None if folder is None else mistakes.attempt(folder.read_config)
    mistakes.refuse()
    assert folder is not None
    assert config is not None
    if gpu_uuid is None:
        gpu_uuid = "" if device == "cpu" else _present_gpu(config.machine.gpu_uuid)
    job = TrainerJob(
        folder,
        resume=resume,
        device=device,
        gpu_uuid=gpu_uuid,
        on_processor=is_on_processor(config, device),
        skip_broken=skip_broken,
    )
    return job, config


def refuse_device(device: str | None) -> None:
    """Refuse what `--device` cannot be.

    Raises:
        ConfigError: it is neither `cpu` nor left out.
    """
    if device not in (None, "cpu"):
        raise ConfigError("--device", device, "take cpu, or leave it out for the card that was planned")


def is_on_processor(config: TrainingConfig, device: str | None) -> bool:
    """Whether the processor computes, because that was planned or is asked for."""
    return device == "cpu" or config.memory.preset == "cpu"


def _present_gpu(uuid: str) -> str:
    """The UUID if that GPU is in this machine; else empty, after a message."""
    if not uuid:
        return ""
    if any(gpu.uuid == uuid for gpu in probe_hardware(Path.cwd()).gpus):
        return uuid
    say("The card that this run was planned for is not in this machine; taking what is there.")
    return ""
