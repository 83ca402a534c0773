"""The exporter for OneTrainer: writes `config.json`, `concepts.json` and `samples.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.folders import named_path
from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.files import is_file, is_there
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import NamedFolder, TrainingConfig, setting_paths
from advisor.shell import quoted
from templates.exporting.coverage import OUR_RULES, drop_notes, word_errors
from templates.exporting.derived import conv_alpha
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.memory import fitted
from templates.exporting.paths import absolute, located, located_model, located_posix, named_images
from templates.exporting.planned_images import PlannedImages
from templates.exporting.write_files import write_files
from templates.onetrainer.export_concepts import concept_trees, sample_trees
from templates.onetrainer.export_config import ConceptFolder, ExportLayout, config_tree, known_arguments
from templates.onetrainer.export_flow import drops_of_flow, flow_base, flow_errors, flow_notes, noted_drops
from templates.onetrainer.export_images import ImagesThere, edited_images, image_errors, image_notes
from templates.onetrainer.flow_bases import FLOW_BASES
from templates.onetrainer.memory import MEMORY
from templates.onetrainer.words import MODEL_TYPES, SCHEDULES, SETTING_WORDS
from templates.render import render

FOLDER_NAME = "onetrainer"

DROPS: Mapping[str, str] = {
    "model.lineage": OUR_RULES,
    "model.text_encoder_path": "OneTrainer reads this family's text encoder from the base model",
    "dataset.bucket_step_px": "OneTrainer takes the steps that suit the model (8 for SD1.x, 64 for SDXL)",
    "dataset.min_bucket_px": "OneTrainer chooses the sizes of its buckets itself",
    "dataset.max_bucket_px": "OneTrainer chooses the sizes of its buckets itself",
    "dataset.upscale_tolerance": "OneTrainer scales every picture to the resolution",
    "dataset.bucket_upscale": "OneTrainer always scales to the resolution",
    "dataset.caption_extension": "OneTrainer reads captions from .txt files only: rename them",
    "dataset.caption_lines": "OneTrainer draws one of a caption's lines each time",
    "dataset.prepend_trigger": "OneTrainer trains captions as their files have them: write the trigger into them",
    "dataset.keep_tokens_separator": "OneTrainer counts the tags that stay: dataset.keep_tokens",
    "dataset.wildcards": "OneTrainer shows {a|b} as it is written",
    "dataset.weighted_captions": "OneTrainer shows (tag:1.2) as it is written",
    "dataset.max_tokens": "OneTrainer cuts captions after 75 tokens",
    "dataset.mask_source": "OneTrainer takes masks from files beside the pictures (NAME-masklabel.png) only",
    "network.conv_alpha": "OneTrainer has one alpha for all layers",
    "network.rank_dropout": "OneTrainer has dropout of inputs only",
    "network.module_dropout": "OneTrainer has dropout of inputs only",
    "network.max_norm": "OneTrainer does not limit the weights' norm",
    "network.block_ranks": "OneTrainer has one rank for all blocks",
    "network.resize_start": "OneTrainer goes on from a LoRA of the same rank only",
    "optimizer.block_learning_rates": "OneTrainer has one rate for all blocks",
    "schedule.power": "OneTrainer has no such schedule",
    "schedule.max_steps": "OneTrainer counts epochs only: lower schedule.epochs",
    "loss.huber_schedule": "OneTrainer's huber stays the same at all timesteps",
    "loss.timestep_weighting": "OneTrainer draws timesteps more or less often instead",
    "loss.adaptive_noise_scale": "OneTrainer's offset noise is always as strong as given",
    "loss.multires_iterations": "OneTrainer has no coarser noise",
    "loss.multires_discount": "OneTrainer has no coarser noise",
    "memory.preset": OUR_RULES,
    "memory.checkpointed_blocks": "OneTrainer checkpoints all blocks or none",
    "memory.encode_slices": "OneTrainer encodes whole pictures",
    "memory.decode_slices": "OneTrainer decodes whole pictures",
    "memory.swapped_blocks": "OneTrainer offloads a share of the layers in its own way: `layer_offload_fraction` there",
    "memory.text_variants": "OneTrainer encodes captions that change in each step",
    "memory.cache_text": "OneTrainer caches text together with the latents, where it can",
    "machine.data_workers": "OneTrainer reads with threads: machine.cpu_threads",
    "machine.gpu_uuid": "OneTrainer takes the first card: set `Train Device` to another, e.g. cuda:1",
    "network.text_adapter": "OneTrainer leaves those layers alone",
    "saving.layer_names": "OneTrainer chooses the names by its own setting",
    "saving.diffusers_copy": "OneTrainer writes its own names only, which diffusers reads too",
    "saving.keep_last": "OneTrainer keeps every save; delete those that you do not want",
    "validation.share": "OneTrainer measures on concepts of their own: move pictures into one of the type VALIDATION",
    "validation.every_epochs": "OneTrainer measures on concepts of their own",
    "run.seed": "OneTrainer draws its own",
    "run.subject": OUR_RULES,
    "run.goal": OUR_RULES,
    "run.advice": OUR_RULES,
    "run.wandb_project": "OneTrainer has TensorBoard only",
}
"""Settings without a place in OneTrainer, and what that means."""

MAPS = frozenset(setting_paths()) - frozenset(DROPS)

NOTED_ELSEWHERE = ("dataset.caption_lines", "dataset.mask_source",
                   "loss.multires_discount", "validation.every_epochs", "network.conv_alpha",
                  "loss.huber_schedule", "schedule.power", "machine.data_workers", "run.seed")  # fmt: skip
"""Nothing is lost with these, or another note covers them."""

HOW_TO_START = (
    "In OneTrainer's folder, with its environment active, run\n  python scripts/train.py --config-path {file}\n"
    "Or copy that file into its training_presets folder, start the GUI, choose it at the top and press Start Training. "
    "The LoRA appears at\n  {output}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """OneTrainer's files in `run`/exports/onetrainer (or the folder `out`).

    The images are read where they are; where the user's edits change captions, leave out or crop, from `img` there.

    Raises:
        ConfigErrors: OneTrainer cannot train this; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written.
    """
    fit = fitted(config, run, MEMORY, "OneTrainer")
    config, images = fit.config, ImagesThere.of(fit.config, run)
    model = located_model(config.model.path, run).replace("\\", "/")
    if errors := (*_errors(config), *flow_errors(config, model), *image_errors(images)):
        raise ConfigErrors(errors, where="OneTrainer would not train this as it is meant")
    home = RunFolder(absolute(run)).exports / FOLDER_NAME if out is None else absolute(out)
    if is_file(home):
        raise RunError(f"{home} is a file: OneTrainer gets several, so name a folder")
    edited = edited_images(config, images, home)
    folders = _folders(config, run, images) if edited is None else _folders_of(edited)
    layout = _layout(config, run, home, folders)
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    main = config_tree(config, layout)
    trees: dict[str, Any] = {
        "config.json": main,
        "concepts.json": concept_trees(config, layout),
        "samples.json": sample_trees(config) if draws else [],
    }
    texts = {home / name: render("files/tree.json.j2", tree=tree) for name, tree in trees.items()}
    kept = write_files(texts, (edited,), config=config, run=run, kind="onetrainer", options=options)
    notes = [*_notes(config), *flow_notes(config, model), *_notes_on_files(config, layout, is_here=images is not None)]
    notes += [*image_notes(config, images), *fit.notes, *kept]
    start = HOW_TO_START.format(file=quoted(str(home / "config.json")), output=main["output_model_destination"])
    return Export(tuple(home / name for name in trees), tuple(notes), start)


FAMILY_DROPS = dict.fromkeys(FLOW_BASES, drops_of_flow(DROPS))
EXPORTER = Exporter("onetrainer", "OneTrainer", MAPS, DROPS, MEMORY, write, FAMILY_DROPS)


def _errors(config: TrainingConfig) -> Iterator[ConfigError]:
    model, optimizer = config.model, config.optimizer
    if model.family not in MODEL_TYPES.written:
        mend = (
            f"we write OneTrainer's files for {', '.join(MODEL_TYPES.written)}: choose such a base model, or train here"
        )
        yield ConfigError("model.family", model.family, mend)
        return
    yield from word_errors(config, SETTING_WORDS, "OneTrainer")
    if model.prediction == "flow" and flow_base(config) is None:
        yield ConfigError("model.prediction", model.prediction, "these families know epsilon and v_prediction")
    if not optimizer.unet_learning_rate and not optimizer.text_encoder_learning_rate:
        yield ConfigError("optimizer.unet_learning_rate", 0.0, "OneTrainer needs a part to train: give it a rate")
    if config.loss.min_snr_gamma and config.loss.debiased:
        yield ConfigError("loss.debiased", True, "OneTrainer has one weight of timesteps: turn this or min-SNR off")
    if config.dataset.random_crop and config.memory.cache_latents:
        yield ConfigError("dataset.random_crop", True, "cached latents are always the same: turn one of the two off")


def _folders(config: TrainingConfig, run: Path, images: ImagesThere | None) -> tuple[ConceptFolder, ...]:
    """Each folder with its repeats."""
    dataset, root = config.dataset, located(config.dataset.images, run)
    if images is None:
        own = _named(root, dataset.folders)
        rest = ConceptFolder(root.as_posix(), dataset.repeats, recursive=not own)
        return own if dataset.only_folders else (*own, rest)
    folders = images.report.folders
    found = [
        ConceptFolder((root / folder.path).as_posix(), repeats)
        for folder, repeats in zip(folders, repeats_of_folders(folders, dataset), strict=True)
    ]
    if dataset.only_folders or len({folder.repeats for folder in found}) > 1:
        return tuple(found)
    is_deep = [folder.path for folder in folders] != ["."]
    return (ConceptFolder(root.as_posix(), found[0].repeats, recursive=is_deep),)


def _folders_of(edited: PlannedImages) -> tuple[ConceptFolder, ...]:
    root = edited.links.root
    return tuple(ConceptFolder((root / folder.name).as_posix(), folder.repeats) for folder in edited.folders or ())


def _regularization(config: TrainingConfig, run: Path) -> tuple[ConceptFolder, ...]:
    given, named = config.dataset.regularization_images, config.dataset.regularization_folders
    if given is None:
        return ()
    root = located(given, run)
    found = (replace(folder, repeats=1) for folder in _named(root, named))
    return tuple(found) if named else (ConceptFolder(root.as_posix(), 1, recursive=True),)


def _named(root: Path, folders: Sequence[NamedFolder]) -> tuple[ConceptFolder, ...]:
    return tuple(
        ConceptFolder((root / named_path(folder.path)).as_posix(), folder.repeats, recursive=folder.subfolders)
        for folder in folders
    )


def _layout(config: TrainingConfig, run: Path, home: Path, folders: tuple[ConceptFolder, ...]) -> ExportLayout:
    model = located_model(config.model.path, run).replace("\\", "/")
    return ExportLayout(
        home=home.as_posix(), model=model, vae=located_posix(config.model.vae_path, run),
        weights=located_posix(config.network.start_from, run), folders=folders,
        regularization=_regularization(config, run),
    )  # fmt: skip


def _notes(config: TrainingConfig) -> Iterator[str]:
    yield from drop_notes(config, noted_drops(config, DROPS), "OneTrainer", noted_elsewhere=NOTED_ELSEWHERE)
    if (schedule := SCHEDULES.word(config.schedule.name)).is_near:
        yield f"schedule.name: OneTrainer has no {schedule.ours}; {schedule.theirs} is written."
    if config.loss.kind in ("huber", "smooth_l1"):
        yield f"loss.kind: OneTrainer's huber is not quite {config.loss.kind}; huber_c becomes its delta."
    if config.optimizer.name == "schedule_free_adamw" and (config.schedule.name != "constant" or _warmup_of(config)):
        yield (
            f"schedule.name ({config.schedule.name}): OneTrainer keeps a schedule-free optimizer's rate as it is from "
            "the first step to the last, without a warm-up."
        )
    network = config.network
    if network.conv_rank and network.conv_rank != network.rank:
        yield f"network.conv_rank: OneTrainer has one rank for all layers; convolutions get {network.rank} too."
    if network.conv_rank and conv_alpha(network) / network.conv_rank != network.alpha / network.rank:
        yield f"network.conv_alpha: OneTrainer has one alpha for all layers; convolutions get {network.alpha:g} too."
    if config.dataset.masks and config.dataset.mask_source == "alpha":
        yield f"dataset.mask_source: {DROPS['dataset.mask_source']}."
    unknown = [item for item in config.optimizer.arguments if not known_arguments([item])]
    if unknown:
        yield f"optimizer.arguments: OneTrainer has no key for {', '.join(unknown)}."
    if config.saving.every_steps and config.saving.every_epochs:
        yield "saving.every_epochs: OneTrainer saves by steps or epochs; the steps are written."


def _warmup_of(config: TrainingConfig) -> bool:
    return bool(config.schedule.warmup_steps or config.schedule.warmup_share)


def _notes_on_files(config: TrainingConfig, layout: ExportLayout, *, is_here: bool) -> Iterator[str]:
    if not is_there(Path(layout.model)):
        yield f"The base model is not on this machine ({layout.model}): set its path in config.json."
    if not is_here:
        yield f"The pictures are not on this machine ({named_images(config)}): set their folders in concepts.json."
    if layout.regularization:
        yield "OneTrainer shows each regularisation picture once an epoch, however many pictures of your own there are."
