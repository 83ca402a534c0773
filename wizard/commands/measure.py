"""`loracle measure`: a short probe run on this machine, beside what was predicted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from wizard.output import print_json, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.config import TrainingConfig


@dataclass(frozen=True)
class Measured:
    """Predicted and real side by side."""

    device: str
    size: tuple[int, int]
    """Width and height of the pictures, in pixels: the run's largest."""
    batch_size: int
    steps: int
    """Timed after the first two."""
    predicted_bytes: int
    measured_bytes: int
    """The peak: of a card by torch, without the driver's own; on a processor of the process."""
    predicted_seconds_per_step: float | None
    measured_seconds_per_step: float


def measure(run: Path, *, device: str | None = None, as_json: bool = False) -> None:
    """Make some real steps and show both.

    Raises:
        LoraError: the run is wrong, or memory ran out.
        KeyboardInterrupt: the user ended it.
    """
    from advisor.config_file import config_file, read_config
    from advisor.errors import ConfigError
    from wizard.commands.train import card_here, screen

    if device not in (None, "cpu"):
        raise ConfigError("--device", device, "take cpu, or leave it out for the card that was planned")
    path = config_file(run).absolute()
    config = read_config(path)
    uuid = "" if device == "cpu" else card_here(config.machine.gpu_uuid)
    with TemporaryDirectory(prefix="loracle-measure-", ignore_cleanup_errors=True) as folder:
        finished = _probe(path, Path(folder), device, uuid, screen(as_json=as_json))
    found = compared(path.parent, config, finished)
    if as_json:
        print_json(asdict(found))
    else:
        show(measured_text(found))


def _probe(config: Path, folder: Path, device: str | None, uuid: str, screen: Any) -> Mapping[str, Any]:
    from wizard.child import child_command
    from wizard.launch import Training
    from wizard.launch import train as launch

    more = ["--device", device] if device else []
    training = Training(folder, folder / config.name, device=device, gpu_uuid=uuid)
    progress = launch(
        training,
        screen,
        command=lambda training: child_command(
            "trainer.probe", str(config), "--out", str(training.run), *more
        ),
    )  # fmt: skip
    return progress.finished or {}


def compared(run: Path, config: TrainingConfig, finished: Mapping[str, Any]) -> Measured:
    """What the probe told beside what the advisor says of the same step.

    Raises:
        ModelError: the base model does not tell how it is built.
    """
    from advisor.config import changed
    from advisor.errors import ModelError
    from advisor.identify import identify
    from advisor.ladder_file import read_ladder
    from advisor.memory import vram_parts
    from advisor.probe import probe_hardware
    from advisor.timing import step_seconds

    structure = identify(Path(config.model.path)).structure
    if structure is None:
        raise ModelError(f"{config.model.path} does not tell how its networks are built, so nothing can be predicted")
    ladder = read_ladder(run)
    config = ladder.applied(config)
    device = str(finished.get("device"))
    if device == "cpu":
        for setting, value in (("preset", "cpu"), ("compute_dtype", "float32"), ("base_dtype", "float32")):
            config = changed(config, f"memory.{setting}", value)
    width, height = finished.get("size") or (config.dataset.resolution_px,) * 2
    hardware = probe_hardware(run)
    parts = vram_parts(config, structure, size=(width, height), batch_parts=ladder.batch_parts)
    beyond = 0 if device == "cpu" else parts["overhead"]  # torch does not see what the driver takes
    return Measured(
        device=device,
        size=(width, height),
        batch_size=config.schedule.batch_size,
        steps=int(finished.get("steps", 0)),
        predicted_bytes=sum(parts.values()) - beyond,
        measured_bytes=int(finished.get("peak_memory_bytes", 0)),
        predicted_seconds_per_step=step_seconds(
            config, structure, hardware, gpu=None if device == "cpu" else hardware.main_gpu
        ),
        measured_seconds_per_step=float(finished.get("seconds_per_step", 0.0)),
    )


def measured_text(found: Measured) -> str:
    """The same for people."""
    from advisor.units import gib

    width, height = found.size
    predicted = found.predicted_seconds_per_step
    time = "unknown" if predicted is None else f"{predicted:.2f} s"
    own = "of the process" if found.device == "cpu" else "by torch; the driver's own comes on top of both"
    return "\n".join(
        [
            f"{found.steps} steps on the {'processor' if found.device == 'cpu' else 'card'}, "
            f"{width} x {height} px (the largest), batch {found.batch_size}",
            f"{'':14}{'predicted':>12}{'measured':>12}",
            f"{'memory':14}{gib(found.predicted_bytes):>12}{gib(found.measured_bytes):>12}  {own}",
            f"{'a step takes':14}{time:>12}{f'{found.measured_seconds_per_step:.2f} s':>12}",
        ]
    )
