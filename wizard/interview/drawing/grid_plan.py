"""From what is wished of a grid to what is drawn: LoRAs, prompts, seeds, and what that will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.choosing.cells import MOST_PROMPTS
from advisor.choosing.others import prompts_of_others
from advisor.choosing.prompts import CaptionSet, prompts_for, proposed_prompts
from advisor.errors import ConfigError, DatasetError, Mistakes, RunError
from advisor.estimate.drawing import DrawingCost, drawing_cost
from advisor.machine.hardware import Gpu, Hardware
from advisor.run_folder.grids.grid_request import GridRequest, RequestedLora
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.config import TrainingConfig
from wizard.interview.drawing.grid_loras import chosen_loras, loras_by_epoch, saved_epoch
from wizard.interview.drawing.grid_options import GridWish
from wizard.interview.drawing.lone_lora import base_model, captions_of, lone_config, lone_lora
from wizard.processes.trainer_job import TrainerJob

USUAL_WEIGHTS = (1.0,)
SEEDS_UNASKED = (4, 3, 2)
"""As many as are drawn within LONG_SECONDS, else the last."""
LONG_SECONDS = 20 * 60
"""Drawing that takes longer is agreed to first."""


@dataclass(frozen=True)
class GridPlan:
    """A grid to draw, and what that takes."""

    request: GridRequest
    cost: DrawingCost
    gpu_uuid: str = ""


def plan_of_run(job: TrainerJob, wish: GridWish, hardware: Hardware) -> GridPlan:
    """The grid of a run.

    Raises:
        LoraError: there are no LoRAs, or none of an epoch that is wished for.
    """
    config = job.run.located(job.run.read_ladder().applied(job.run.read_config()))
    config = on_device(config, job.device)
    loras = chosen_loras(loras_by_epoch(job.run, config), wish.epochs)
    gpu = None if config.memory.preset == "cpu" else job.gpu(hardware)
    request = GridRequest(
        config=config,
        loras=_requested(loras),
        prompts=wish.prompts
        or (*(config.sampling.prompts or prompts_of_run(job.run, config)), *prompts_of_others(config))[:MOST_PROMPTS],
        seeds=(),
        weights=wish.weights or USUAL_WEIGHTS,
        folder=str(job.run.path),
        device=job.device,
    )
    return replace(_with_seeds(request, wish, hardware, gpu), gpu_uuid=job.gpu_uuid)


def plan_of_lora(
    lora: Path, model: Path | None, folder: Path, wish: GridWish, hardware: Hardware, *, device: str | None
) -> GridPlan:
    """The grid of a single LoRA.

    Raises:
        LoraError: it is none, does not fit the base model, or does not tell what to ask it for.
    """
    identity, metadata = lone_lora(lora)
    if model is None:
        made_on = metadata.get("ss_sd_model_name", "")
        hint = f"; it was trained on {made_on}" if made_on else ""
        raise ConfigError("--model", None, f"name the base model to draw {lora.name} with{hint}")
    mistakes = Mistakes()
    base = mistakes.attempt(lambda: base_model(model, identity))
    if wish.epochs:
        mistakes.add(ConfigError("--epochs", ",".join(map(str, wish.epochs)), f"{lora} is a single LoRA: leave it out"))
    mistakes.refuse()
    assert base is not None
    use_cpu = device == "cpu" or not hardware.gpus
    config = lone_config(identity, base, metadata, hardware, use_cpu=use_cpu)
    request = GridRequest(
        config=config,
        loras=_requested({saved_epoch(lora) or 1: lora}),
        prompts=wish.prompts or _prompts_of_lora(lora, config, metadata),
        seeds=(),
        weights=wish.weights or USUAL_WEIGHTS,
        folder=str(folder),
        is_run=False,
        device=device,
    )
    return _with_seeds(request, wish, hardware, None if use_cpu else hardware.main_gpu)


def on_device(config: TrainingConfig, device: str | None) -> TrainingConfig:
    """The configuration that is drawn by: under `--device cpu` in float32, whatever the plan says."""
    if device != "cpu":
        return config
    memory = config.memory.model_copy(update={"compute_dtype": "float32", "base_dtype": "float32", "preset": "cpu"})
    return config.model_copy(update={"memory": memory})


def prompts_of_run(run: RunFolder, config: TrainingConfig) -> tuple[str, ...]:
    """Prompts from its captions; where the pictures are gone, from its trigger word."""
    try:
        found = proposed_prompts(run_dataset(run, config).report, config)
    except DatasetError:
        are_tags = config.model.lineage is not None
        found = prompts_for(CaptionSet((), config.run.trigger, are_tags, config.run.subject == "style"))
    return tuple(prompt.text for prompt in found)


def _prompts_of_lora(lora: Path, config: TrainingConfig, metadata: Mapping[str, str]) -> tuple[str, ...]:
    captions = captions_of(metadata, config.run.trigger)
    if not captions.trigger and not captions.captions:
        raise RunError(f"{lora} does not tell its trigger word: write prompts into a file, one a line (--prompts FILE)")
    return tuple(prompt.text for prompt in prompts_for(captions))


def _requested(loras: Mapping[int, Path]) -> tuple[RequestedLora, ...]:
    return tuple(RequestedLora(epoch=epoch, path=str(path.absolute())) for epoch, path in loras.items())


def _with_seeds(request: GridRequest, wish: GridWish, hardware: Hardware, gpu: Gpu | None) -> GridPlan:
    """With as many seeds as are wished for, else as are drawn in a while."""
    for number in (wish.seeds,) if wish.seeds else SEEDS_UNASKED:
        first = request.config.sampling.seed
        seeds = tuple((first + one) % 2**32 for one in range(number))
        plan = GridPlan(request.model_copy(update={"seeds": seeds}), _cost(request, number, hardware, gpu))
        if plan.cost.seconds is None or plan.cost.seconds <= LONG_SECONDS:
            break
    return plan if wish.seeds or not request.is_run else with_further(plan, LONG_SECONDS)


def with_further(plan: GridPlan, most_seconds: float, each: float | None = None) -> GridPlan:
    """The same, drawn on where it does not tell which epoch is the best: by as many pictures again, at most, as long as
    all of it takes no more than `most_seconds`; not at all where its time is not known.

    Args:
        each: the seconds that a picture takes; None: as predicted.
    """
    number = plan.cost.num_images
    if each is None:
        each = None if plan.cost.seconds is None else plan.cost.seconds / number
    fitting = 0 if each is None else number if not each else int(most_seconds / each) - number
    most = max(0, min(number, fitting))
    return replace(plan, request=plan.request.model_copy(update={"most_further": most}))


def _cost(request: GridRequest, num_seeds: int, hardware: Hardware, gpu: Gpu | None) -> DrawingCost:
    structure = identify(Path(request.config.model.path)).structure
    if structure is None:
        raise RunError(f"{request.config.model.path} does not tell how it is built, so nothing can be drawn with it")
    num_images = (1 + len(request.loras) * len(request.weights)) * len(request.prompts) * num_seeds
    return drawing_cost(request.config, structure, hardware, gpu, num_images=num_images)
