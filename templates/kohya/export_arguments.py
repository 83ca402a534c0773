"""sd-scripts' arguments: those that the GUI has no key for, and the optimizer's."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.settings.config import (
    DatasetConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
    ValidationConfig,
)
from templates.kohya.export_anima import gui_network_arguments, is_anima
from templates.kohya.export_schedule import Curve
from templates.kohya.words import FIXED_ADAFACTOR

MOST_SNR_GAMMA = 20
MOST_NORM = 10
"""Ends of two of the GUI's sliders; beyond them a value goes by the command line."""


def command_line(config: TrainingConfig) -> Iterator[str]:
    """What has no key in the GUI, or a key that drops the value, but an argument of sd-scripts."""
    yield from _zeros(config)
    yield from _dataset_arguments(config.dataset)
    yield from _loss_arguments(config)
    yield from _schedule_arguments(config)
    if is_anima(config) and (arguments := gui_network_arguments(config)):
        yield arguments


def _zeros(config: TrainingConfig) -> Iterator[str]:
    """Zeros, which the GUI takes for values that are left out."""
    if config.optimizer.max_grad_norm == 0:
        yield "--max_grad_norm 0"
    if config.loss.prior_weight == 0:
        yield "--prior_loss_weight 0"
    if config.run.seed == 0:
        yield "--seed 0"
    if config.loss.multires_iterations and not config.loss.noise_offset and config.loss.multires_discount == 0:
        yield "--multires_noise_discount 0"
    if config.saving.keep_last == config.saving.every_steps == 1:
        yield "--save_last_n_steps 0"


def _dataset_arguments(dataset: DatasetConfig) -> Iterator[str]:
    if dataset.keep_tokens_separator and has_safe_separator(dataset):
        yield f"--keep_tokens_separator {dataset.keep_tokens_separator}"
    if dataset.wildcards or dataset.caption_lines == "random":
        yield "--enable_wildcard"
    if dataset.tag_dropout:
        yield f"--caption_tag_dropout_rate {dataset.tag_dropout}"
    if dataset.masks and dataset.mask_source == "alpha":
        yield "--alpha_mask"


def _loss_arguments(config: TrainingConfig) -> Iterator[str]:
    loss = config.loss
    if loss.min_snr_gamma > MOST_SNR_GAMMA or not loss.min_snr_gamma.is_integer():
        yield f"--min_snr_gamma {loss.min_snr_gamma}"
    if config.network.max_norm > MOST_NORM:
        yield f"--scale_weight_norms {config.network.max_norm}"
    if loss.multires_iterations and loss.noise_offset:
        yield f"--multires_noise_iterations {loss.multires_iterations}"
        yield f"--multires_noise_discount {loss.multires_discount}"
    if loss.zero_terminal_snr:
        yield "--zero_terminal_snr"


def _schedule_arguments(config: TrainingConfig) -> Iterator[str]:
    curve = Curve.of(config)
    if curve.min_ratio is not None:
        yield f"--lr_scheduler_min_lr_ratio {curve.min_ratio}"
    if curve.decay_steps is not None:
        yield f"--lr_decay_steps {curve.decay_steps}"
    if holds_out(config.validation):
        yield f"--validation_split {config.validation.share}"
        if config.validation.every_epochs:
            yield f"--validate_every_n_epochs {config.validation.every_epochs}"


def holds_out(validation: ValidationConfig) -> bool:
    """Whether images are held out, as kohya's trainer has it; all would leave none to train there."""
    return 0 < validation.share < 1


def optimizer_arguments(optimizer: OptimizerConfig, schedule: ScheduleConfig) -> tuple[str, ...]:
    """The optimizer's arguments as sd-scripts takes them; what the user gave stands."""
    implied = [f"weight_decay={optimizer.weight_decay}"]
    if optimizer.name == "adafactor" and schedule.name != "adafactor":
        implied += FIXED_ADAFACTOR
    given = {argument.partition("=")[0] for argument in optimizer.arguments}
    return (*(item for item in implied if item.partition("=")[0] not in given), *optimizer.arguments)


def has_safe_separator(dataset: DatasetConfig) -> bool:
    """Whether the GUI hands the separator on as it is: it puts quotes around others, and they stay."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
    return not set(dataset.keep_tokens_separator) - allowed and not dataset.keep_tokens_separator.startswith("-")
