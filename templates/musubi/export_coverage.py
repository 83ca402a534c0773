"""Which settings have no place in musubi-tuner's files, the notes on them, and what has to be refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from advisor.errors import ConfigError
from advisor.families import family
from advisor.files import is_there
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, TrainingConfig, setting_paths
from advisor.settings.script_times import script_times
from templates.exporting.coverage import OUR_RULES, drop_notes, word_errors
from templates.exporting.derived import Length
from templates.exporting.paths import named_images
from templates.exporting.planned_images import PlannedImages
from templates.exporting.published_layout import layout_errors
from templates.exporting.separate_parts import is_file_name
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import schedule_errors, schedule_notes
from templates.musubi.export_tables import at_one_rate
from templates.musubi.prompt_lines import LEAST_GUIDANCE
from templates.musubi.words import FAMILIES, MOST_SWAPPED, OPTIMIZERS, PREFIXES, SETTING_WORDS

WHERE = "musubi-tuner"
AS_WRITTEN = "musubi-tuner encodes each caption once, as it is written"
NOT_FLOW = "flow matching has no such thing"

DROPS: Mapping[str, str] = {
    "model.lineage": OUR_RULES,
    "model.clip_skip": "this family's text encoder is always read at the same layer",
    "dataset.bucket_step_px": "musubi-tuner takes steps of 16",
    "dataset.min_bucket_px": "musubi-tuner chooses the sizes of its buckets itself",
    "dataset.max_bucket_px": "musubi-tuner chooses the sizes of its buckets itself",
    "dataset.upscale_tolerance": "musubi-tuner enlarges all small pictures or none",
    "dataset.caption_lines": "musubi-tuner trains all lines of a caption as one",
    "dataset.shuffle_captions": AS_WRITTEN,
    "dataset.keep_tokens": AS_WRITTEN,
    "dataset.keep_tokens_separator": AS_WRITTEN,
    "dataset.wildcards": AS_WRITTEN,
    "dataset.weighted_captions": AS_WRITTEN,
    "dataset.caption_dropout": AS_WRITTEN,
    "dataset.tag_dropout": AS_WRITTEN,
    "dataset.flip": "musubi-tuner encodes each picture once, as it is",
    "dataset.random_crop": "musubi-tuner encodes each picture once, cropped in the middle",
    "dataset.regularization_images": "musubi-tuner has no pictures of the class",
    "dataset.regularization_folders": "musubi-tuner has no pictures of the class",
    "dataset.masks": "musubi-tuner trains on whole pictures",
    "dataset.mask_source": "musubi-tuner trains on whole pictures",
    "network.conv_rank": "this family has no convolutions",
    "network.conv_alpha": "this family has no convolutions",
    "network.block_ranks": "musubi-tuner has one rank for all blocks",
    "network.dora_axis": "musubi-tuner trains no DoRA",
    "network.text_adapter": "this family has no such layers",
    "network.resize_start": "musubi-tuner goes on from a LoRA of the same rank only",
    "optimizer.learning_rate": "musubi-tuner has one rate, for which the denoiser's is written",
    "optimizer.text_encoder_learning_rate": "musubi-tuner trains no text encoder",
    "optimizer.block_learning_rates": "musubi-tuner has one rate for all blocks",
    "loss.huber_c": "musubi-tuner has no such loss",
    "loss.huber_schedule": "musubi-tuner has no such loss",
    "loss.min_snr_gamma": NOT_FLOW,
    "loss.debiased": NOT_FLOW,
    "loss.noise_offset": "musubi-tuner has no noise offset",
    "loss.adaptive_noise_scale": "musubi-tuner has no noise offset",
    "loss.multires_iterations": "musubi-tuner has no coarser noise",
    "loss.multires_discount": "musubi-tuner has no coarser noise",
    "loss.input_perturbation": "musubi-tuner does not perturb the input",
    "loss.timestep_weighting": "musubi-tuner weighs all timesteps alike",
    "loss.prior_weight": "musubi-tuner has no pictures of the class",
    "loss.zero_terminal_snr": NOT_FLOW,
    "loss.ema": "musubi-tuner keeps no moving average while it trains; `lora_post_hoc_ema.py` there makes one of saves",
    "loss.ema_decay": "musubi-tuner keeps no moving average while it trains",
    "memory.preset": OUR_RULES,
    "memory.checkpointed_blocks": "musubi-tuner checkpoints all blocks or none",
    "memory.cache_latents": "musubi-tuner always keeps latents",
    "memory.encode_slices": "musubi-tuner encodes whole pictures",
    "memory.decode_slices": "musubi-tuner decodes whole pictures",
    "memory.text_variants": AS_WRITTEN,
    "saving.diffusers_copy": "musubi-tuner writes kohya's names only",
    "saving.state_every_minutes": "musubi-tuner saves a state by epochs: add --save_state to be able to resume",
    "validation.share": "musubi-tuner measures on no pictures that are held out",
    "validation.every_epochs": "musubi-tuner measures on no pictures that are held out",
    "run.subject": OUR_RULES,
    "run.goal": OUR_RULES,
    "run.advice": OUR_RULES,
}
"""Settings without a place in musubi-tuner, and what that means."""

MAPS = frozenset(setting_paths()) - frozenset(DROPS)

NOTED_ELSEWHERE = (
    "dataset.caption_lines", "dataset.mask_source", "dataset.regularization_folders", "dataset.bucket_step_px",
    "dataset.min_bucket_px", "dataset.max_bucket_px", "dataset.upscale_tolerance", "network.dora_axis",
    "optimizer.learning_rate", "optimizer.text_encoder_learning_rate", "loss.huber_c", "loss.huber_schedule",
    "loss.multires_discount", "loss.ema_decay", "loss.prior_weight", "memory.text_variants", "validation.every_epochs",
)  # fmt: skip
"""Nothing is lost with these, or another note covers them."""


def errors(config: TrainingConfig, layout: ExportLayout) -> Iterator[ConfigError]:
    """What musubi-tuner cannot do, or would do otherwise than it is meant."""
    if config.model.family not in FAMILIES.written:
        known = ", ".join(family(name).title for name in FAMILIES.written)
        mend = f"we write musubi-tuner's files for {known}: choose such a base model, or train here"
        yield ConfigError("model.family", config.model.family, mend)
        return
    yield from word_errors(config, SETTING_WORDS, WHERE)
    yield from schedule_errors(at_one_rate(config))
    yield from _time_errors(config)
    if not config.optimizer.unet_learning_rate:
        yield ConfigError("optimizer.unet_learning_rate", 0.0, f"{WHERE} trains the denoiser alone: give it a rate")
    yield from _file_errors(config, layout)


def _time_errors(config: TrainingConfig) -> Iterator[ConfigError]:
    loss = config.loss
    times = script_times(loss)
    if times is None:
        mend = "evenly drawn timesteps" if loss.timestep_sampling == "uniform" else "a mean"
        yield ConfigError("loss.timestep_shift", loss.timestep_shift, f"{WHERE} has no auto beside {mend}: a number")
    elif times.sampling == "sigma" and (loss.min_timestep, loss.max_timestep) != (0, NUM_TRAIN_TIMESTEPS):
        mend = f"{WHERE} cuts evenly drawn, shifted ones off at the other end: choose a shift of 1, or no limits"
        yield ConfigError("loss.timestep_shift", loss.timestep_shift, mend)


def _file_errors(config: TrainingConfig, layout: ExportLayout) -> Iterator[ConfigError]:
    title = family(config.model.family).title
    if is_file_name(layout.model):
        yield from layout_errors(config.model.family, layout.model, WHERE, PREFIXES)
    else:
        mend = f"{WHERE} reads {title} from a .safetensors file, as ComfyUI has it: plan with that file"
        yield ConfigError("model.path", layout.model, mend)
    for path, file, what in (
        ("model.text_encoder_path", layout.text_encoder, "the text encoder (Qwen3-4B)"),
        ("model.vae_path", layout.vae, "the VAE (FLUX.1's)"),
    ):
        if not is_file_name(file) or file == layout.model:
            yield ConfigError(path, file, f"{WHERE} reads {what} from a .safetensors file of its own: name that file")


def notes(config: TrainingConfig, length: Length | None) -> Iterator[str]:
    """What of this configuration does not arrive, or arrives otherwise."""
    whole = {path: meaning for path, meaning in DROPS.items() if path not in ("validation.share",)}
    yield from drop_notes(config, whole, WHERE, noted_elsewhere=NOTED_ELSEWHERE)
    if config.validation.share:
        yield f"validation.share: {DROPS['validation.share']}; it trains on all of them."
    yield from (note for note in schedule_notes(config, length, WHERE) if not note.startswith("validation.share"))
    if config.dataset.caption_lines == "random":
        yield f"dataset.caption_lines: {DROPS['dataset.caption_lines']}."
    yield from _memory_notes(config)
    yield from _sampling_notes(config)
    if "." in (package := OPTIMIZERS.theirs(config.optimizer.name)):
        yield f"optimizer.name: {WHERE} needs the package {package.partition('.')[0]} in its environment for it."
    if config.network.start_from is not None:
        yield (
            f"network.start_from: {WHERE} goes on from files with kohya's names alone, and passes over all others "
            "without a word: `loracle convert` writes them."
        )
    if config.saving.layer_names == "usual":
        yield (
            "saving.layer_names: LoRAs have kohya's names there, which ComfyUI does not read for this family: `loracle "
            "convert` makes ours of them."
        )
    if config.saving.keep_last and config.saving.every_epochs and config.saving.every_steps:
        yield f"saving.keep_last: {WHERE} keeps so many of the epochs' files and so many of the steps'; we count both."
    if config.run.wandb_project:
        yield f"run.wandb_project: {WHERE} sends to it where the package wandb is installed and `wandb login` was done."
    yield (
        "musubi-tuner fills neither pictures nor captions up to multiples of 32 tokens, as the published model does, "
        "and tells the network a time that is one thousandth noisier: its LoRAs come out a little otherwise."
    )


def _memory_notes(config: TrainingConfig) -> Iterator[str]:
    memory = config.memory
    if memory.quantised is not None:
        given = memory.base_dtype
        yield f"memory.base_dtype: {WHERE} has 8-bit floats with a factor for each layer in place of {given}."
    elif memory.base_dtype != memory.compute_dtype:
        yield f"memory.base_dtype ({memory.base_dtype}): {WHERE} keeps it in {memory.compute_dtype}, as it computes."
    if memory.swapped_blocks > MOST_SWAPPED:
        yield f"memory.swapped_blocks ({memory.swapped_blocks}): {WHERE} swaps {MOST_SWAPPED} at most."


def _sampling_notes(config: TrainingConfig) -> Iterator[str]:
    sampling = config.sampling
    if not sampling.prompts or not sampling.every_epochs:
        return
    if sampling.guidance != 1 and sampling.guidance <= LEAST_GUIDANCE:
        yield f"sampling.guidance ({sampling.guidance:g}): {WHERE} draws with guidance above {LEAST_GUIDANCE:g} alone."
    if any(" --" in f" {prompt}" for prompt in (*sampling.prompts, sampling.negative)):
        yield f"sampling.prompts: ` --` would be an option to {WHERE}, so one of the dashes is left out."
    if not all(prompt.strip() for prompt in sampling.prompts):
        yield f"sampling.prompts: {WHERE} cannot draw an empty prompt, so it is left out."


def file_notes(config: TrainingConfig, layout: ExportLayout, images: PlannedImages) -> Iterator[str]:
    """What is not on this machine."""
    if not is_there(Path(layout.model)):
        yield f"The base model is not on this machine ({layout.model}): set its path in config.toml."
    if images.folders is None:
        yield f"The pictures are not on this machine ({named_images(config)}): fill in dataset.toml."
