"""The exporter for ai-toolkit: writes its job file, and folders of linked images for it to write its caches into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.dataset.epoch import epoch_sizes
from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.files import is_file, is_there
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, changed, setting_paths
from advisor.shell import quoted
from advisor.units import rate
from templates.ai_toolkit.buckets import trained_sizes
from templates.ai_toolkit.export_flow import drops_of, flow_base, flow_errors, flow_notes, noted_drops
from templates.ai_toolkit.export_job import ExportLayout, arguments, job_tree, total_steps
from templates.ai_toolkit.flow_bases import FLOW_BASES
from templates.ai_toolkit.memory import MEMORY
from templates.ai_toolkit.words import FAMILIES, MODEL_DTYPES, SAMPLERS, SETTING_WORDS
from templates.exporting.coverage import OUR_RULES, drop_notes, word_errors
from templates.exporting.derived import Length
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.memory import fitted
from templates.exporting.paths import absolute, located_model, located_posix, named_images
from templates.exporting.planned_images import PlannedImages, planned_images, planned_length, planned_regularization
from templates.exporting.size_notes import size_notes
from templates.exporting.write_files import write_files
from templates.render import render

FOLDER_NAME = "ai-toolkit"
FILE_NAME = "job.yaml"

HEAD = "A job for ai-toolkit; written by Loracle."

OWN_BUCKETS = "ai-toolkit chooses the sizes of its buckets itself"
DROPS: Mapping[str, str] = {
    "model.lineage": OUR_RULES,
    "model.text_encoder_path": "ai-toolkit reads this family's text encoder from the base model",
    "model.clip_skip": "ai-toolkit trains with the text encoder's last layer",
    "dataset.min_bucket_px": OWN_BUCKETS,
    "dataset.max_bucket_px": OWN_BUCKETS,
    "dataset.upscale_tolerance": "ai-toolkit chooses the sizes of its buckets itself",
    "dataset.bucket_upscale": OWN_BUCKETS,
    "dataset.caption_lines": "ai-toolkit trains all lines of a caption as one",
    "dataset.keep_tokens_separator": "ai-toolkit counts the tags that stay: dataset.keep_tokens",
    "dataset.wildcards": "ai-toolkit shows {a|b} as it is written",
    "dataset.weighted_captions": "ai-toolkit shows (tag:1.2) as it is written",
    "dataset.max_tokens": "ai-toolkit cuts captions after 75 tokens",
    "dataset.mask_source": "only masks in the pictures' alpha channel arrive",
    "network.max_norm": "ai-toolkit does not limit the weights' norm",
    "network.dora_axis": "ai-toolkit trains no DoRA",
    "network.block_ranks": "ai-toolkit has one rank for all blocks",
    "optimizer.learning_rate": "ai-toolkit trains all parts at one rate, for which the U-Net's is written",
    "network.resize_start": "ai-toolkit goes on from a LoRA of the same rank only",
    "optimizer.block_learning_rates": "ai-toolkit has one rate for all blocks",
    "schedule.cycles": "ai-toolkit's restarts come once over all steps",
    "schedule.power": "ai-toolkit has no such schedule",
    "loss.huber_c": "ai-toolkit has no such loss",
    "loss.huber_schedule": "ai-toolkit has no such loss",
    "loss.debiased": "ai-toolkit has no such weight of timesteps",
    "loss.timestep_sampling": "ai-toolkit draws timesteps evenly for this family",
    "loss.timestep_mean": "ai-toolkit draws timesteps evenly for this family",
    "loss.timestep_scale": "ai-toolkit draws timesteps evenly for this family",
    "loss.timestep_shift": "ai-toolkit draws timesteps evenly for this family",
    "loss.timestep_weighting": "ai-toolkit has no such weight for this family",
    "loss.adaptive_noise_scale": "ai-toolkit's noise offset is always as strong as given",
    "loss.multires_iterations": "ai-toolkit has no coarser noise",
    "loss.multires_discount": "ai-toolkit has no coarser noise",
    "loss.input_perturbation": "ai-toolkit does not perturb the input",
    "loss.zero_terminal_snr": "ai-toolkit does not rescale the noise schedule",
    "memory.preset": OUR_RULES,
    "memory.checkpointed_blocks": "ai-toolkit checkpoints all blocks or none",
    "memory.encode_slices": "ai-toolkit encodes whole pictures",
    "memory.decode_slices": "ai-toolkit decodes whole pictures",
    "memory.swapped_blocks": "ai-toolkit offloads layers in its own way: `layer_offloading` there",
    "memory.text_variants": "ai-toolkit encodes captions that change in each step",
    "machine.cpu_threads": "ai-toolkit chooses its threads itself",
    "machine.gpu_uuid": "ai-toolkit takes the first card: set `device` to another, e.g. cuda:1",
    "network.text_adapter": "ai-toolkit leaves those layers alone",
    "saving.layer_names": "ai-toolkit writes one kind of names only",
    "saving.diffusers_copy": "ai-toolkit writes one kind of names only, which diffusers reads too",
    "saving.state_every_minutes": "ai-toolkit saves its state with each LoRA",
    "validation.share": "ai-toolkit measures on single pictures that are named",
    "validation.every_epochs": "ai-toolkit measures on single pictures that are named",
    "run.subject": OUR_RULES,
    "run.goal": OUR_RULES,
    "run.advice": OUR_RULES,
}
"""Settings without a place in ai-toolkit, and what that means."""

MAPS = frozenset(setting_paths()) - frozenset(DROPS)

NOTED_ELSEWHERE = (
    "network.dora_axis", "dataset.caption_lines",
    "dataset.mask_source", "loss.multires_discount", "loss.huber_c", "loss.huber_schedule", "schedule.power",
    "optimizer.learning_rate", "machine.cpu_threads", "saving.state_every_minutes", "validation.every_epochs",
    "dataset.bucket_upscale", "dataset.upscale_tolerance", "dataset.min_bucket_px", "dataset.max_bucket_px",
)  # fmt: skip
"""Nothing is lost with these, or another note covers them."""

FIXED_ARGUMENTS = ("lr", "eps")
"""ai-toolkit gives these to the optimizer itself."""

HOW_TO_START = (
    "In ai-toolkit's folder, with its environment active, run\n  python run.py {file}\n"
    "LoRAs and samples appear in\n  {output}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """The job in `run`/exports/ai-toolkit (or the folder `out`), with links to the images, beside which it writes.

    Raises:
        ConfigErrors: ai-toolkit cannot train this; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written.
    """
    home = RunFolder(absolute(run)).exports / FOLDER_NAME if out is None else absolute(out)
    if is_file(home):
        raise RunError(f"{home} is a file: name a folder for ai-toolkit's files")
    fit = fitted(config, run, MEMORY, "ai-toolkit")
    config = fit.config
    images = planned_images(config, run, home / "img")
    regularization = planned_regularization(config, run, home / "reg")
    layout = _layout(config, run, home, images, regularization)
    tree = job_tree(config, layout) if not (errors := tuple(_errors(config, layout))) else {}
    errors += tuple(_text_errors(tree))
    if errors:
        raise ConfigErrors(errors, where="ai-toolkit would not train this as it is meant")
    notes = [
        *_notes(config),
        *flow_notes(config, layout.model),
        *_notes_on_files(config, layout),
        *_size_notes(config, images, regularization),
        *fit.notes,
    ]
    file = home / FILE_NAME
    texts = {file: render("files/tree.yaml.j2", head=HEAD, tree=tree)}
    notes += write_files(
        texts, (images, regularization), config=config, run=run, kind="ai-toolkit", options=options
    )  # fmt: skip
    start = HOW_TO_START.format(file=quoted(str(file)), output=f"{layout.home}/output/{config.saving.name}")
    return Export((file,) if images.folders is None else (file, home / "img"), tuple(notes), start)


FAMILY_DROPS = {name: drops_of(name, DROPS) for name in FLOW_BASES}
EXPORTER = Exporter("ai-toolkit", "ai-toolkit", MAPS, DROPS, MEMORY, write, FAMILY_DROPS)


def _layout(
    config: TrainingConfig, run: Path, home: Path, images: PlannedImages, regular: PlannedImages | None
) -> ExportLayout:
    model = located_model(config.model.path, run).replace("\\", "/")
    return ExportLayout(
        home=home.as_posix(), model=model, vae=located_posix(config.model.vae_path, run),
        weights=located_posix(config.network.start_from, run),
        images=images.links.root.as_posix(), folders=images.folders,
        regularization=regular.links.root.as_posix() if regular else "",
        regular_folders=(regular.folders or ()) if regular else (), length=_length(config, images, regular),
    )  # fmt: skip


def _length(config: TrainingConfig, images: PlannedImages, regular: PlannedImages | None) -> Length | None:
    """With all images, since none are held out there."""
    return planned_length(changed(config, "validation.share", 0.0), images, regular)


def _errors(config: TrainingConfig, layout: ExportLayout) -> Iterator[ConfigError]:
    optimizer, schedule = config.optimizer, config.schedule
    yield from word_errors(config, SETTING_WORDS, "ai-toolkit")
    if config.model.family not in FAMILIES.written:
        return
    yield from flow_errors(config, layout.model)
    if config.model.prediction not in ("epsilon", "v_prediction") and flow_base(config) is None:
        mend = "ai-toolkit knows epsilon, v_prediction here: choose one of them"
        yield ConfigError("model.prediction", config.model.prediction, mend)
    fixed = [item for item in optimizer.arguments if item.partition("=")[0] in FIXED_ARGUMENTS]
    if fixed:
        yield ConfigError(
            "optimizer.arguments", optimizer.arguments, f"ai-toolkit sets {fixed[0]} itself: leave it out"
        )
    if not optimizer.unet_learning_rate and not optimizer.text_encoder_learning_rate:
        yield ConfigError("optimizer.unet_learning_rate", 0.0, "ai-toolkit needs a part to train: give it a rate")
    if not optimizer.max_grad_norm:
        yield ConfigError("optimizer.max_grad_norm", 0.0, "ai-toolkit would shorten every gradient to nothing: use 1")
    if not total_steps(config, layout.length):
        mend = "ai-toolkit counts steps, and the pictures are not on this machine to count them: give a number"
        yield ConfigError("schedule.max_steps", schedule.max_steps, mend)
    if config.dataset.random_crop and config.memory.cache_latents:
        yield ConfigError("dataset.random_crop", True, "cached latents are always the same: turn one of the two off")
    if config.memory.cache_text and optimizer.text_encoder_learning_rate:
        yield ConfigError("memory.cache_text", True, "a text encoder that is trained cannot be cached: turn this off")


def _size_notes(config: TrainingConfig, images: PlannedImages, regular: PlannedImages | None) -> Iterator[str]:
    reports = [planned.report for planned in (images, regular) if planned is not None and planned.report is not None]
    if images.report is None:
        return
    dataset = config.dataset
    ours = epoch_sizes(images.report, config, None if regular is None else regular.report)
    base = flow_base(config)
    step = dataset.bucket_step_px if base is None else base.step_px
    yield from size_notes("ai-toolkit", trained_sizes(reports, dataset.resolution_px, step), ours)


def _text_errors(tree: Any, path: str = "") -> Iterator[ConfigError]:
    """Texts that ai-toolkit would replace: `${NAME}` by the environment, `[name]` by the job's name."""
    if isinstance(tree, str):
        for mark in ("${", "[name]"):
            if mark in tree:
                yield ConfigError(f"ai-toolkit's {path}", tree, f"ai-toolkit would replace {mark}: write it otherwise")
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from _text_errors(value, f"{path}.{key}".lstrip("."))


def _notes(config: TrainingConfig) -> Iterator[str]:
    yield from drop_notes(config, noted_drops(config, DROPS), "ai-toolkit", noted_elsewhere=NOTED_ELSEWHERE)
    optimizer, schedule = config.optimizer, config.schedule
    rates = {optimizer.unet_learning_rate, optimizer.text_encoder_learning_rate} - {0.0}
    if len(rates) > 1:
        yield (
            f"optimizer.text_encoder_learning_rate ({rate(optimizer.text_encoder_learning_rate)}): ai-toolkit trains "
            f"both parts at one rate, {rate(optimizer.unet_learning_rate)}."
        )
    if (schedule.warmup_steps or schedule.warmup_share) and schedule.name != "constant_with_warmup":
        yield f"schedule.warmup: ai-toolkit's {schedule.name} has none; only constant_with_warmup warms up."
    if config.dataset.caption_lines == "random":
        yield f"dataset.caption_lines: {DROPS['dataset.caption_lines']}."
    if config.dataset.masks and config.dataset.mask_source == "files":
        yield "dataset.masks: mask files have no place here and whole pictures are trained on; put masks into alpha."
    quantises = flow_base(config) is not None and config.memory.base_dtype == "int8"
    if (dtype := MODEL_DTYPES.word(config.memory.base_dtype)).is_near and not quantises:
        yield f"memory.base_dtype: ai-toolkit keeps these models whole, so {dtype.ours} becomes {dtype.theirs}."
    if config.saving.every_steps and config.saving.every_epochs:
        yield "saving.every_epochs: ai-toolkit saves by steps; saving.every_steps is written."
    if config.sampling.prompts and (sampler := SAMPLERS.word(config.sampling.sampler)).is_near:
        yield f"sampling.sampler: ai-toolkit does not know {sampler.ours}; {sampler.theirs} is written."
    if any(not isinstance(value, bool | int | float | list) for value in arguments(optimizer.arguments).values()):
        yield "optimizer.arguments: what is no number goes to ai-toolkit as text."


def _notes_on_files(config: TrainingConfig, layout: ExportLayout) -> Iterator[str]:
    if not is_there(Path(layout.model)):
        yield f"The base model is not on this machine ({layout.model}): set name_or_path in {FILE_NAME}."
    if layout.folders is None:
        yield f"The pictures are not on this machine ({named_images(config)}): set folder_path in {FILE_NAME}."
    yield f"ai-toolkit will train {total_steps(config, layout.length)} steps."
