"""Which settings have no place in kohya's files, the notes on them, and what has to be refused as an error of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from advisor.errors import ConfigError, ConfigErrors
from advisor.settings.config import TrainingConfig, setting, setting_paths
from templates.exporting.coverage import OUR_RULES, drop_notes, word_errors
from templates.exporting.derived import Length, conv_alpha
from templates.kohya.export_anima import DROPS as ANIMA_DROPS
from templates.kohya.export_anima import SCRIPT_SETTINGS as ANIMA_SETTINGS
from templates.kohya.export_anima import anima_errors, anima_gui_errors, anima_notes, is_anima
from templates.kohya.export_arguments import has_safe_separator
from templates.kohya.export_check import Diagnostic
from templates.kohya.export_gui_values import is_lycoris
from templates.kohya.export_schedule import schedule_errors, schedule_notes
from templates.kohya.words import ANIMA, SAMPLERS, SCRIPTS, SETTING_WORDS

DROPS: Mapping[str, str] = {
    "model.lineage": OUR_RULES,
    "model.text_encoder_path": "kohya reads this family's text encoder from the base model",
    "network.resize_start": "kohya goes on from a LoRA of the same rank only",
    "dataset.upscale_tolerance": "kohya crops pictures to the training size below, unless all small ones are enlarged",
    "loss.timestep_sampling": "kohya draws timesteps evenly for this family",
    "loss.timestep_mean": "kohya draws timesteps evenly for this family",
    "loss.timestep_scale": "kohya draws timesteps evenly for this family",
    "loss.timestep_shift": "kohya draws timesteps evenly for this family",
    "loss.timestep_weighting": "kohya weighs timesteps by min-SNR or debiased only",
    "loss.ema": "kohya saves the weights as they are, without a moving average",
    "loss.ema_decay": "kohya keeps no moving average",
    "memory.preset": OUR_RULES,
    "memory.checkpointed_blocks": "kohya checkpoints all blocks or none",
    "memory.encode_slices": "kohya encodes whole pictures",
    "memory.decode_slices": "kohya decodes whole pictures",
    "memory.swapped_blocks": "kohya keeps the whole base model on the card; for Anima alone it has `blocks_to_swap`",
    "memory.text_variants": "kohya encodes captions that change in each step",
    "memory.base_dtype": "kohya keeps the base model in the training precision, so int8 and nf4 need more memory there",
    "machine.gpu_uuid": "kohya takes the first card; with several, fill in `GPU IDs` in the GUI",
    "network.text_adapter": "kohya's GUI has no field for it",
    "saving.layer_names": "kohya writes its own names",
    "saving.diffusers_copy": "kohya writes its own names only; diffusers reads those too, but DoRA not as a whole",
    "saving.state_every_minutes": "kohya saves no state; tick `Save training state` in the GUI to be able to resume",
    "run.subject": OUR_RULES,
    "run.goal": OUR_RULES,
    "run.advice": OUR_RULES,
}
"""Settings without a place in kohya's GUI, and what that means."""

MAPS = frozenset(setting_paths()) - frozenset(DROPS)
"""All others arrive: in a key, on its command line, or in the folders."""


def drops_of(family: str, drops: Mapping[str, str]) -> Mapping[str, str]:
    """The settings without a place for a family, given those that are for Stable Diffusion."""
    if family != ANIMA:
        return drops
    kept = {path: meaning for path, meaning in drops.items() if path not in ANIMA_SETTINGS}
    return {**kept, **ANIMA_DROPS}


KEY_PATHS: Mapping[str, str] = {
    "adaptive_noise_scale": "loss.adaptive_noise_scale",
    "block_dims": "network.block_ranks",
    "bucket_reso_steps": "dataset.bucket_step_px",
    "clip_skip": "model.clip_skip",
    "conv_alpha": "network.conv_alpha",
    "conv_dim": "network.conv_rank",
    "down_lr_weight": "optimizer.block_learning_rates",
    "factor": "network.factor",
    "gradient_accumulation_steps": "schedule.gradient_accumulation",
    "huber_c": "loss.huber_c",
    "keep_tokens": "dataset.keep_tokens",
    "learning_rate": "optimizer.learning_rate",
    "lr_scheduler": "schedule.name",
    "max_bucket_reso": "dataset.max_bucket_px",
    "max_resolution": "dataset.resolution_px",
    "max_train_steps": "schedule.max_steps",
    "mid_lr_weight": "optimizer.block_learning_rates",
    "min_bucket_reso": "dataset.min_bucket_px",
    "min_timestep": "loss.min_timestep",
    "network_alpha": "network.alpha",
    "network_dim": "network.rank",
    "num_cpu_threads_per_process": "machine.cpu_threads",
    "optimizer_args": "optimizer.arguments",
    "random_crop": "dataset.random_crop",
    "sdxl_cache_text_encoder_outputs": "memory.cache_text",
    "seed": "run.seed",
    "text_encoder_lr": "optimizer.text_encoder_learning_rate",
    "train_batch_size": "schedule.batch_size",
    "unet_lr": "optimizer.unet_learning_rate",
    "up_lr_weight": "optimizer.block_learning_rates",
    "v_parameterization": "loss.zero_terminal_snr",
}
"""The setting behind a key, for those that can be wrong."""


def as_error(finding: Diagnostic, config: TrainingConfig, value: object) -> ConfigError:
    """A finding in the words of our settings."""
    path = KEY_PATHS.get(finding.key)
    if path is None:
        return ConfigError(f"kohya's {finding.key}", value, finding.message)
    return ConfigError(path, setting(config, path), finding.message)


def shared_errors(config: TrainingConfig, where: str) -> Iterator[ConfigError]:
    """What cannot be put into kohya's words: alike for the GUI and sd-scripts."""
    family, prediction = config.model.family, config.model.prediction
    if family not in SCRIPTS.written:
        *others, last = SCRIPTS.written
        mend = f"we write kohya's files for {', '.join(others)} and {last}: choose such a base model, or train here"
        yield ConfigError("model.family", family, mend)
        return
    if family == ANIMA:
        yield from anima_errors(config, where)
    elif prediction == "flow":
        yield ConfigError(
            "model.prediction", prediction, "kohya's scripts for this family know epsilon and v_prediction"
        )
    yield from word_errors(config, SETTING_WORDS, where)
    yield from schedule_errors(config)


def gui_errors(config: TrainingConfig) -> Iterator[ConfigError]:
    """What cannot even be put into the GUI's words."""
    yield from shared_errors(config, "kohya's GUI")
    if is_anima(config):
        yield from anima_gui_errors(config)
    if config.network.conv_rank and not conv_alpha(config.network).is_integer():
        found = conv_alpha(config.network)
        yield ConfigError("network.conv_alpha", found, "the GUI takes whole numbers only: set it to 1 or more")


def refuse(found: Iterable[Diagnostic], config: TrainingConfig, values: Mapping[str, object], where: str) -> None:
    """Raise all errors among the findings at once.

    Raises:
        ConfigErrors: there are some.
    """
    errors = [as_error(f, config, values.get(f.key)) for f in found if f.level == "error"]
    if errors:
        raise ConfigErrors(errors, where=f"{where} would not train this as it is meant")


def shared_notes(config: TrainingConfig, length: Length | None, drops: Mapping[str, str], where: str) -> Iterator[str]:
    """What of this configuration does not arrive in `where`, or arrives otherwise: alike for the GUI and sd-scripts."""
    yield from schedule_notes(config, length, where)
    drops = drops_of(config.model.family, drops)
    if config.memory.quantised is None:  # else kohya keeps the base model in the training precision, as this does
        drops = {path: meaning for path, meaning in drops.items() if path != "memory.base_dtype"}
    yield from drop_notes(config, drops, where, noted_elsewhere=("loss.ema_decay",))
    sampling = config.sampling
    if config.dataset.masks and config.dataset.mask_source == "files":
        yield f"dataset.masks: {where} has no place for mask files and trains on whole pictures; put them into alpha."
    if config.dataset.caption_lines == "random" and not config.dataset.wildcards:
        yield f"dataset.caption_lines: {where} draws one of several lines where it reads {{a|b}} too: both are on."
    if config.validation.share == 1:
        yield f"validation.share: {where} measures on pictures held out only, so it measures nothing."
    if sampling.prompts and (sampler := SAMPLERS.word(sampling.sampler)).is_near:
        yield f"sampling.sampler: {where} does not know {sampler.ours}; {sampler.theirs} is written."
    if is_anima(config):
        yield from anima_notes(config, where)
    elif config.memory.cache_text and config.model.family != "sdxl":
        yield "memory.cache_text: kohya caches captions for SDXL only, so it encodes them at every step."
    if any(" --" in f" {prompt}" for prompt in (*sampling.prompts, sampling.negative)):
        yield "sampling.prompts: ` --` would be an option to kohya, so one of the dashes is left out."
    if not all(prompt.strip() for prompt in sampling.prompts):
        yield f"sampling.prompts: {where} cannot draw an empty prompt, so it is left out."
    if config.saving.keep_last and config.saving.every_epochs and config.saving.every_steps:
        yield f"saving.keep_last: {where} keeps so many of the epochs' files and so many of the steps'; we count both."
    if config.run.wandb_project:
        yield f"run.wandb_project: {where} sends to it where the package wandb is installed and `wandb login` was done."


def lycoris_notes(config: TrainingConfig) -> Iterator[str]:
    """That the LyCORIS package is needed, where it is."""
    if is_lycoris(config.network):
        yield f"network.kind {config.network.kind} needs the LyCORIS package (pip install lycoris-lora)."


def gui_notes(config: TrainingConfig, length: Length | None) -> Iterator[str]:
    """What of this configuration does not arrive in the GUI, or arrives otherwise."""
    yield from shared_notes(config, length, DROPS, "kohya's GUI")
    if not is_anima(config):  # whose kinds are the GUI's own
        yield from lycoris_notes(config)
    dataset = config.dataset
    if config.network.kind == "dora" and config.network.dora_axis == "input":
        yield (
            "network.dora_axis (input) has no key in kohya's GUI, which trains DoRA with lengths by output: A1111 and "
            "InvokeAI draw such a LoRA wrongly. The export to sd-scripts has it (wd_on_output=False)."
        )
    if dataset.keep_tokens_separator and not has_safe_separator(dataset):
        yield (
            f"dataset.keep_tokens_separator ({dataset.keep_tokens_separator}) is left out: the GUI puts quotes around "
            "such characters, and they would stay. A separator of letters, or dataset.keep_tokens, arrives."
        )
