"""Limits that a plan may not pass: the tutorial's, and combinations that cannot work.

They are no part of the configuration's models, since an imported file may pass them: then the plan warns.
"""

from __future__ import annotations

from collections.abc import Iterator

from advisor.adapters.diffusers_names import INPUT_AXIS_NOT_IN_PEFT
from advisor.adapters.layout import IN_DIFFUSERS, block_rates
from advisor.adapters.start import start_of
from advisor.errors import ConfigError, DatasetError, LoraError, ModelError
from advisor.facts import Facts
from advisor.families import KNOWN_FAMILIES, family
from advisor.families.family import Family
from advisor.planning.family_limits import family_limits
from advisor.rules.batch import TEXT_VARIANTS
from advisor.rules.card_class import structure_of
from advisor.rules.defaults_table import FAMILIES_WITH_RULES
from advisor.rules.fitting import captions_vary, tags_vary
from advisor.settings.config import RESOLUTION_STEP_PX, NamedFolder, TrainingConfig, setting, setting_field
from advisor.units import rate, shown

Limit = tuple[tuple[str, ...], ConfigError]
"""(the settings that it is about, what is wrong)."""

WITHOUT_DROPOUT = ("dora", "loha", "lokr")
"""Kinds that have no rank-wide intermediate whose elements could be left out; LyCORIS passes over it for them."""

FOUND_NOT_CHOSEN = {
    "model.path": "name the base model itself (`--model`), so that it is looked at",
    "model.family": "it is read from the base model: name another one (`--model`)",
    "dataset.images": "name the folder itself (`--images`), so that it is looked at",
}
"""Settings that follow from what was looked at."""


def fact_error(facts: Facts) -> LoraError | None:
    """Why no plan can be made of these facts; None where one can."""
    model = facts.model
    if not facts.dataset.num_images:
        return DatasetError(
            f"{facts.dataset.root} holds no usable picture: name a folder with .png, .jpg or .webp files"
        )
    if model.kind != "checkpoint":
        kind = model.kind.replace("_", " ")
        return ModelError(
            f"{model.path} is no base model but of the kind {kind}: name the checkpoint that images are drawn with"
        )
    if model.family is None:
        return ModelError(f"{model.path} does not tell which family it is of: choose an SD1.x base model")
    if model.family not in FAMILIES_WITH_RULES:
        return ModelError(
            model.why_not or f"there are no rules of thumb for {model.family} yet: choose an SD1.x base model"
        )
    if not model.trainable and model.variant is not None:
        return ModelError(model.why_not or f"{model.path} is of the kind {model.variant}: choose a plain base model")
    return next(_missing_parts(facts), None)


def _missing_parts(facts: Facts) -> Iterator[ModelError]:
    """Parts that are files of their own, and were neither found nor named."""
    for part in facts.model.part_files:
        path = f"model.{part.kind}_path"
        if part.path is None and path not in facts.chosen_paths:
            yield ModelError(
                f"{facts.model.path} has no {part.title} of its own, and none that fits lies beside it: get "
                f"{part.to_get} and put it there, or name it with --set {path}=FILE"
            )


def limit_errors(
    config: TrainingConfig, facts: Facts, without: frozenset[str] = frozenset()
) -> tuple[ConfigError, ...]:
    """All limits that a plan's settings pass.

    Args:
        without: settings already known to be wrong; limits that compare with them say nothing.
    """
    found = [*broken_limits(config), *_limits_of_the_images(config, facts), *_limits_of_the_base(config, facts)]
    return tuple(error for paths, error in found if without.isdisjoint(paths))


def broken_limits(config: TrainingConfig) -> Iterator[Limit]:
    """The limits that a configuration passes, whatever it was made from; an import warns of these."""
    yield from _tutorial_limits(config)
    yield from _size_limits(config)
    yield from _contradictions(config)
    yield from limits_of_training(config)
    yield from _rate_limits(config)


def _tutorial_limits(config: TrainingConfig) -> Iterator[Limit]:
    network, optimizer = config.network, config.optimizer
    if network.alpha > network.rank:
        mend = f"alpha may not exceed the rank, which is {network.rank}; half of it, {network.rank / 2:g}, is usual"
        yield ("network.alpha", "network.rank"), ConfigError("network.alpha", network.alpha, mend)
    if optimizer.text_encoder_learning_rate > optimizer.learning_rate:
        path, limit = "optimizer.text_encoder_learning_rate", optimizer.learning_rate
        mend = f"it may not exceed the learning rate, which is {rate(limit)}; half of it, {rate(limit / 2)}, is usual"
        yield (path, "optimizer.learning_rate"), ConfigError(path, optimizer.text_encoder_learning_rate, mend)


def _size_limits(config: TrainingConfig) -> Iterator[Limit]:
    dataset, step = config.dataset, RESOLUTION_STEP_PX
    side = dataset.resolution_px
    if side % step:
        near = max(step, round(side / step) * step)
        mend = f"must be a multiple of {step}; {near} is the nearest"
        yield ("dataset.resolution_px",), ConfigError("dataset.resolution_px", side, mend)
        return
    if dataset.min_bucket_px > side:
        mend = f"the shortest side may not exceed the resolution, which is {side}"
        yield (
            ("dataset.min_bucket_px", "dataset.resolution_px"),
            ConfigError("dataset.min_bucket_px", dataset.min_bucket_px, mend),
        )
    if dataset.max_bucket_px < side:
        mend = f"the longest side may not be under the resolution, which is {side}"
        yield (
            ("dataset.max_bucket_px", "dataset.resolution_px"),
            ConfigError("dataset.max_bucket_px", dataset.max_bucket_px, mend),
        )


def _contradictions(config: TrainingConfig) -> Iterator[Limit]:
    dataset, memory = config.dataset, config.memory
    if dataset.only_folders and not dataset.folders:
        mend = "dataset.folders names none, so that nothing would be trained: name them there, or turn this off"
        yield ("dataset.only_folders", "dataset.folders"), ConfigError("dataset.only_folders", True, mend)
    if memory.cache_latents and dataset.random_crop:
        mend = "random crops show another part each time: turn one of the two off"
        yield ("memory.cache_latents", "dataset.random_crop"), ConfigError("memory.cache_latents", True, mend)
    if memory.cache_text and config.optimizer.trains_text_encoder:
        mend = "a text encoder that is trained cannot be cached: turn this off, or set its rate to 0"
        paths = ("memory.cache_text", "optimizer.text_encoder_learning_rate")
        yield paths, ConfigError("memory.cache_text", True, mend)
    elif memory.cache_text and config.model.prediction != "flow" and captions_vary(config):
        mend = "captions that are shuffled, dropped or drawn cannot be cached: turn this or those off"
        yield ("memory.cache_text",), ConfigError("memory.cache_text", True, mend)


def _text_limits(config: TrainingConfig, known: Family | None) -> Iterator[Limit]:
    """Text encoders of flow matching bases read all captions before the denoiser is loaded, and are gone then."""
    memory, optimizer = config.memory, config.optimizer
    if config.model.text_encoder_path is not None and not (known and known.has_separate("text_encoder")):
        path, mend = "model.text_encoder_path", "this base model has its text encoder in its own file: leave it out"
        yield (path, "model.family"), ConfigError(path, config.model.text_encoder_path, mend)
    if config.model.prediction != "flow":
        if memory.text_variants:
            path, mend = "memory.text_variants", "this base's text encoder stays in memory while captions change: 0"
            yield (path, "model.prediction"), ConfigError(path, memory.text_variants, mend)
        return
    if optimizer.text_encoder_learning_rate:
        path, mend = "optimizer.text_encoder_learning_rate", "text encoders of flow matching bases are not trained: 0"
        yield (path, "model.prediction"), ConfigError(path, optimizer.text_encoder_learning_rate, mend)
    if not memory.cache_text:
        path, mend = "memory.cache_text", "flow matching bases read captions before they train: turn this on"
        yield (path, "model.prediction"), ConfigError(path, False, mend)
    if tags_vary(config) and not memory.text_variants:
        path = "memory.text_variants"
        mend = f"captions that change are encoded before training, in so many forms: {TEXT_VARIANTS}"
        yield (path, "model.prediction"), ConfigError(path, 0, mend)


def missing_inputs(config: TrainingConfig) -> Iterator[ConfigError]:
    """What a plan made from another trainer's file may lack: its base model, its pictures."""
    for path, given, what, option in (
        ("model.path", config.model.path, "base model", "--model FILE"),
        ("dataset.images", config.dataset.images, "folder of pictures", "--images DIR"),
    ):
        if not given.strip():
            mend = f"no {what} is named: write it into loracle.toml, or import the file again with {option}"
            yield ConfigError(path, given, mend)


def limits_of_training(config: TrainingConfig) -> Iterator[Limit]:
    """What our trainer cannot do, whoever wrote the configuration; it refuses these itself."""
    yield from _objective_limits(config)
    yield from family_limits(config)
    network, loss = config.network, config.loss
    if loss.min_timestep >= loss.max_timestep:
        mend = f"must be below loss.max_timestep, which is {loss.max_timestep}"
        yield ("loss.min_timestep", "loss.max_timestep"), ConfigError("loss.min_timestep", loss.min_timestep, mend)
    if network.kind in WITHOUT_DROPOUT and network.dropout > 0:
        mend = f"{network.kind} has network.rank_dropout and network.module_dropout only: 0"
        yield ("network.dropout", "network.kind"), ConfigError("network.dropout", network.dropout, mend)
    if config.saving.diffusers_copy and network.kind not in IN_DIFFUSERS:
        others = ", ".join(IN_DIFFUSERS)
        mend = f"diffusers has no names for {network.kind}: leave the copy out, or choose {others} (network.kind)"
        yield ("saving.diffusers_copy", "network.kind"), ConfigError("saving.diffusers_copy", True, mend)
    elif config.saving.diffusers_copy and network.kind == "dora" and network.dora_axis == "input":
        mend = f"{INPUT_AXIS_NOT_IN_PEFT}: leave the copy out, or set network.dora_axis to output"
        paths = ("saving.diffusers_copy", "network.kind", "network.dora_axis")
        yield paths, ConfigError("saving.diffusers_copy", True, mend)


NOT_OF_FLOW = (
    "loss.min_snr_gamma", "loss.debiased", "loss.noise_offset", "loss.adaptive_noise_scale",
    "loss.multires_iterations", "loss.zero_terminal_snr",
)  # fmt: skip
"""Settings that only a schedule of 1,000 timesteps has a meaning for."""


def _objective_limits(config: TrainingConfig) -> Iterator[Limit]:
    known = KNOWN_FAMILIES.get(config.model.family)
    is_flow = config.model.prediction == "flow"
    if known is not None and known.prediction is not None and is_flow != (known.prediction == "flow"):
        path = "model.prediction"
        mend = f"{known.title} predicts {'flow only' if not is_flow else 'epsilon or v_prediction'}: choose that"
        yield (path,), ConfigError(path, config.model.prediction, mend)
        return
    yield from _text_limits(config, known)
    if not is_flow:
        if config.loss.timestep_shift == "auto":
            path, mend = "loss.timestep_shift", "only flow matching has a shift by the picture's size: 1, or a number"
            yield (path, "model.prediction"), ConfigError(path, "auto", mend)
        return
    for path in NOT_OF_FLOW:
        if (value := setting(config, path)) != setting_field(path).default:
            mend = f"flow matching has no such thing: {shown(setting_field(path).default)}"
            yield (path, "model.prediction"), ConfigError(path, value, mend)
    if config.sampling.draws and config.sampling.sampler != "euler":
        path, mend = "sampling.sampler", "flow matching models are drawn with euler"
        yield (path, "model.prediction"), ConfigError(path, config.sampling.sampler, mend)


def _rate_limits(config: TrainingConfig) -> Iterator[Limit]:
    optimizer = config.optimizer
    rates = {optimizer.unet_learning_rate, optimizer.text_encoder_learning_rate} - {0.0}
    if optimizer.name == "prodigy" and len(rates) > 1:
        path = "optimizer.text_encoder_learning_rate"
        mend = f"prodigy has one rate for all: {rate(optimizer.unet_learning_rate)}, or 0"
        paths = (path, "optimizer.unet_learning_rate", "optimizer.name")
        yield paths, ConfigError(path, optimizer.text_encoder_learning_rate, mend)


def _limits_of_the_images(config: TrainingConfig, facts: Facts) -> Iterator[Limit]:
    """The plan counts the pictures that were looked at: those have to be the ones that are trained."""
    named, looked_at = config.dataset.named_folders, facts.dataset.only
    if named is not None and _places(named) != _places(looked_at):
        mend = "other folders were looked at: give it when planning, `loracle plan --set dataset.only_folders=yes ...`"
        paths = ("dataset.only_folders", "dataset.folders")
        yield paths, ConfigError("dataset.only_folders", config.dataset.only_folders, mend)


def _places(folders: tuple[NamedFolder, ...] | None) -> frozenset[tuple[str, bool]]:
    return frozenset((folder.path, folder.subfolders) for folder in folders or ())


def _limits_of_the_base(config: TrainingConfig, facts: Facts) -> Iterator[Limit]:
    unit, step = structure_of(facts).side_unit_px, config.dataset.bucket_step_px
    if step % unit:
        mend = f"must be a multiple of {unit}, into which this base's VAE shrinks pictures"
        yield ("dataset.bucket_step_px",), ConfigError("dataset.bucket_step_px", step, mend)
    try:
        block_rates(config.optimizer.block_learning_rates, family(config.model.family).num_blocks(structure_of(facts)))
    except ConfigError as error:
        yield ("optimizer.block_learning_rates",), error
    yield from start_limits(config, facts)


def start_limits(config: TrainingConfig, facts: Facts) -> Iterator[Limit]:
    """Why one cannot go on with these settings from the LoRA that the facts have."""
    if facts.start is not None:
        for fault in start_of(facts.start, config, structure_of(facts)).faults:
            yield (fault.path, "network.start_from"), fault
