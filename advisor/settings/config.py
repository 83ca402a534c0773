"""Every setting of a training, as one tree of frozen models: our trainer is one of its five consumers.

A line under a field is its description: it lands in the JSON Schema and in the written configuration. Limits of the
tutorial (alpha not above rank ...) are not here but in `advisor.planning.limits`: an imported file may break them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from advisor.checkpoints.dora_axis import DoraAxis
from advisor.checkpoints.identity import Lineage
from advisor.errors import ConfigError, ConfigErrors, UnknownSetting
from advisor.families.structure import Prediction
from advisor.settings.text_types import FileName, KeyValue, Line, ProjectName, Prompt
from advisor.settings.value_faults import mend_of

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of the whole, 0 to 1."""
Rate = Annotated[float, Field(ge=0, le=10)]
"""A learning rate; 0 trains nothing. Prodigy's is about 1."""
Dtype = Literal["float32", "float16", "bfloat16"]
QuantisedDtype = Literal["int8", "nf4"]
QUANTISED: tuple[QuantisedDtype, ...] = get_args(QuantisedDtype)
"""Fewer bits than are computed with, in which our trainer can keep the denoiser, the more first."""
AdapterKind = Literal["lora", "locon", "loha", "lokr", "dora"]
OptimizerName = Literal[
    "adamw", "adamw8bit", "adafactor", "prodigy", "lion", "came", "schedule_free_adamw"
]  # fmt: skip
ScheduleName = Literal[
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt",
    "cosine_with_min_lr", "warmup_stable_decay", "piecewise_constant", "adafactor",
]  # fmt: skip
LossKind = Literal["l2", "l1", "huber", "smooth_l1"]
HuberSchedule = Literal["constant", "exponential", "snr"]
TimestepSampling = Literal["uniform", "logit_normal"]
TimestepWeighting = Literal["none", "bell"]
TimestepShift = Literal["auto"] | Annotated[float, Field(gt=0, le=100)]
"""A factor, or one that follows from a picture's size."""
SamplerName = Literal["ddim", "euler", "euler_a", "unipc", "dpmpp_2m", "dpmpp_2m_karras"]
Preset = Literal["cpu", "low", "medium", "high"]
CaptionLines = Literal["first", "joined", "random"]
MaxTokens = Literal[75, 150, 225]
TOKEN_LIMITS: tuple[MaxTokens, ...] = get_args(MaxTokens)
"""How long captions may be: one, two or three chunks."""


RESOLUTION_STEP_PX = 64
"""Resolutions are multiples of this, which a U-Net can halve three times in latents."""
CHUNK_TOKENS: Literal[75] = 75
"""Words of a caption that a text encoder reads at once, beside its marks of begin and end."""
NUM_TRAIN_TIMESTEPS = 1000
"""Timesteps of the noise schedule that base models are trained with; diffusers' name for it."""
MOST_RANK = 512
"""The widest adapter that may be asked for."""
POLYNOMIAL_END = 1e-7
"""The rate at which the schedule polynomial ends in diffusers; a rate, not a factor."""
DECAY_SHARE = 0.2
"""The last part of the steps, over which warmup_stable_decay falls; MiniCPM has 10-20 % (arxiv.org/abs/2404.06395)."""
MOST_REPEATS = 100_000
"""Showings of a picture in an epoch."""
MOST_BUCKET_PX = 65_536
MOST_EPOCHS = 1_000_000
MOST_THREADS = 1024
MOST_TEXT_VARIANTS = 1000
MOST_SLICES = 64
MOST_KEPT = 99_999
"""LoRAs; 0 keeps all."""
MOST_OF_ANYTHING = 10**9
"""Of steps, epochs, files, tags or minutes: no number that says something is larger."""
ABSOLUTE_PATHS = ("model.path", "dataset.images")
"""Found from wherever the run folder is carried to."""
RUN_PATHS = ("model.vae_path", "model.text_encoder_path", "dataset.regularization_images", "network.start_from")
"""Relative to the run folder, unless given as absolute."""
PATH_SETTINGS = (*ABSOLUTE_PATHS, *RUN_PATHS)
"""Settings that name files or folders on this machine."""


class Settings(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )


class ModelConfig(Settings):
    """The base model that the LoRA is trained on."""

    path: str
    """The checkpoint file or diffusers folder; absolute."""
    family: str
    """The architecture: sd1, sd2, sdxl, ..."""
    prediction: Prediction = "epsilon"
    """What the base model predicts; training it as something else gives empty pictures without an error."""
    lineage: Lineage | None = None
    """Which well-known base it descends from; left out if unknown."""
    clip_skip: int = Field(1, ge=1, le=12)
    """Which hidden state of the text encoder is used, counted from its end; 1 is the last."""
    vae_path: str | None = None
    """Another VAE than the checkpoint's own."""
    text_encoder_path: str | None = None
    """The text encoder of a base model whose text encoder is a file of its own; left out: the one found beside it."""


class NamedFolder(Settings):
    """A folder of pictures with repeats, and perhaps a caption, of its own."""

    path: str
    """Relative to the folder of the pictures, which is `.` itself; with `only_folders` also absolute."""
    repeats: int = Field(ge=1, le=MOST_REPEATS)
    """How often each of its pictures is shown in one epoch."""
    subfolders: bool = True
    """Whether it speaks for the folders below it too."""
    caption: Line = ""
    """With `only_folders`: what its pictures without a caption file show; empty: the trigger."""

    def __str__(self) -> str:
        return f"{self.path} x{self.repeats}"

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is at its default, so that files and hashes of plain folders are as they always were."""
        fields = type(self).model_fields
        return {name: value for name, value in dump(self).items() if value != fields[name].default}


class DatasetConfig(Settings):
    """The pictures and their captions."""

    images: str
    """The folder with the pictures; absolute. It is only read."""
    folders: tuple[NamedFolder, ...] = ()
    """Folders with repeats of their own (kohya's `N_name`)."""
    only_folders: bool = False
    """Train the pictures in `folders` and no others: not those beside them below `images`."""
    repeats: int = Field(1, ge=1, le=MOST_REPEATS)
    """How often each other picture is shown in one epoch."""
    resolution_px: int = Field(512, ge=RESOLUTION_STEP_PX, le=4096)
    """Pictures are scaled to the area of a square of this side; a multiple of 64."""
    bucket_step_px: int = Field(64, ge=8, le=MOST_BUCKET_PX)
    """Sides of the training sizes are multiples of this."""
    min_bucket_px: int = Field(256, ge=32, le=MOST_BUCKET_PX)
    """No side of a training size is shorter."""
    max_bucket_px: int = Field(1024, ge=64, le=MOST_BUCKET_PX)
    """No side of a training size is longer."""
    bucket_upscale: bool = False
    """Enlarge small pictures to the resolution."""
    upscale_tolerance: Share = 0.0
    """By so much of its sides a small picture may be enlarged to fill a larger training size, where it would be cropped
    to the one below; 0: never. Without effect where all small pictures are enlarged."""
    caption_extension: Literal[".txt", ".caption", ".cap"] = ".txt"
    """What caption files end in."""
    caption_lines: CaptionLines = "first"
    """What is trained of a caption of several lines: the first, all joined into one, or one drawn at random each time;
    left out it is first, with wildcards random."""
    prepend_trigger: bool = False
    """Put the trigger word in front of captions that lack it, while training; the files stay as they are."""
    shuffle_captions: bool = False
    """Put the tags in another order each time."""
    keep_tokens: int = Field(0, ge=0, le=MOST_OF_ANYTHING)
    """So many tags at the front stay where they are."""
    keep_tokens_separator: Line = ""
    """A mark in the captions before which tags stay where they are; empty: none."""
    wildcards: bool = False
    """Captions may hold {one|other}, of which one is taken each time."""
    weighted_captions: bool = False
    """Captions may hold (tag:1.2)."""
    caption_dropout: Share = 0.0
    """Share of pictures shown without a caption."""
    tag_dropout: Share = 0.0
    """Share of tags left out each time."""
    flip: bool = False
    """Mirror half of the pictures."""
    random_crop: bool = False
    """Crop at a random place instead of the middle."""
    max_tokens: MaxTokens = CHUNK_TOKENS
    """Caption length: one, two or three chunks of the text encoder's own length."""
    regularization_images: str | None = None
    """A folder with pictures of the class, shown as often as the others, to keep what the base knows; absolute."""
    regularization_folders: tuple[NamedFolder, ...] = ()
    """The folders of it that are used, and no others; empty: all below it, with the repeats that their names say."""
    masks: bool = False
    """Weigh the loss by masks: white counts, black does not."""
    mask_source: Literal["alpha", "files"] = "alpha"
    """Where masks come from: the pictures' alpha channel, or NAME-masklabel.png or masks/NAME.png beside NAME.jpg."""

    @property
    def named_folders(self) -> tuple[NamedFolder, ...] | None:
        """The folders that are trained and no others; None: all below `images`."""
        return self.folders if self.only_folders else None

    @property
    def chunks(self) -> int:
        """Chunks of `CHUNK_TOKENS` that each caption is read in."""
        return self.max_tokens // CHUNK_TOKENS

    @property
    def views(self) -> int:
        """Cached latents of each picture: 2 where it is mirrored too."""
        return 2 if self.flip else 1


class NetworkConfig(Settings):
    """The LoRA itself."""

    kind: AdapterKind = "lora"
    """The kind of adapter."""
    rank: int = Field(32, ge=1, le=MOST_RANK)
    """Inner width of each adapter; `network_dim` in kohya."""
    alpha: float = Field(16.0, gt=0)
    """An adapter's output is multiplied by alpha / rank."""
    conv_rank: int = Field(0, ge=0, le=MOST_RANK)
    """Rank for 3x3 convolutions; 0: they get no adapter."""
    conv_alpha: float = Field(0.0, ge=0)
    """Alpha for 3x3 convolutions; 0: in the proportion of alpha to rank."""
    dropout: Share = 0.0
    """Share of an adapter's inputs left out each step."""
    rank_dropout: Share = 0.0
    """Share of an adapter's inner width left out each step."""
    module_dropout: Share = 0.0
    """Share of adapters left out each step."""
    max_norm: float = Field(0.0, ge=0)
    """Each adapter's weight is kept under this norm; 0: no limit."""
    block_ranks: tuple[Annotated[int, Field(le=MOST_RANK)], ...] = ()
    """A rank for each block of the U-Net; empty: the same for all."""
    factor: int = Field(-1, ge=-1, le=MOST_OF_ANYTHING)
    """LoKr's factor; -1: as large as can be."""
    dora_axis: DoraAxis = "input"
    """DoRA's lengths: one for each input of a layer, which every program reads alike, or one for each output."""
    text_adapter: bool = False
    """Also adapt the layers between text encoder and denoiser, in families that have such layers."""
    start_from: str | None = None
    """A LoRA to go on from, in kohya's names or those of diffusers and peft."""
    resize_start: bool = False
    """That LoRA may have another rank and is resized to this one: by SVD where it has to become smaller."""


class OptimizerConfig(Settings):
    """How weights are changed."""

    name: OptimizerName = "adamw"
    """The optimizer."""
    learning_rate: Rate = 1e-4
    """The rate that the others are measured by."""
    unet_learning_rate: Rate = 1e-4
    """The U-Net's rate."""
    text_encoder_learning_rate: Rate = 5e-5
    """The text encoder's rate; 0 trains no text encoder."""
    block_learning_rates: tuple[Rate, ...] = ()
    """A factor for each block of the U-Net; empty: the same for all."""
    weight_decay: float = Field(0.01, ge=0)
    """How strongly weights are drawn to 0."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradients are shortened to this length; 0: never."""
    arguments: tuple[KeyValue, ...] = ()
    """Further arguments of the optimizer, each `name=value`."""

    @property
    def trains_text_encoder(self) -> bool:
        """Whether the text encoder gets adapters."""
        return self.text_encoder_learning_rate > 0


class ScheduleConfig(Settings):
    """How long is trained, and how the rate moves."""

    name: ScheduleName = "cosine"
    """How the learning rate moves over the steps."""
    warmup_steps: int = Field(0, ge=0, le=MOST_OF_ANYTHING)
    """Steps over which the rate rises from 0; above 0 it beats the share."""
    warmup_share: Share = 0.0
    """The same as a share of all steps."""
    cycles: int = Field(1, ge=1, le=MOST_EPOCHS)
    """Restarts of cosine_with_restarts."""
    power: float = Field(1.0, gt=0)
    """The exponent of polynomial."""
    min_rate: Share = 0.0
    """The lowest rate, as a share of the full one, where the schedule has one."""
    epochs: int = Field(10, ge=1, le=MOST_EPOCHS)
    """How often all pictures with their repeats are gone through."""
    batch_size: int = Field(1, ge=1, le=256)
    """Pictures in one forward pass."""
    gradient_accumulation: int = Field(1, ge=1, le=MOST_EPOCHS)
    """Batches that make one step."""
    max_steps: int = Field(0, ge=0, le=MOST_OF_ANYTHING)
    """Training ends after so many steps, if the epochs do not end it before; 0: no limit."""


class LossConfig(Settings):
    """What is measured, and which noise is drawn."""

    kind: LossKind = "l2"
    """How the difference is measured."""
    huber_c: float = Field(0.1, gt=0)
    """Where huber and smooth_l1 turn from square to straight."""
    huber_schedule: HuberSchedule = "snr"
    """How that place moves with the timestep."""
    min_snr_gamma: float = Field(0.0, ge=0)
    """Caps the weight of timesteps with little noise; 0: off."""
    debiased: bool = False
    """Weigh timesteps by one over the root of the signal-to-noise ratio."""
    noise_offset: float = Field(0.0, ge=0, le=1)
    """Noise that is the same over a whole channel, for darker darks and lighter lights."""
    adaptive_noise_scale: float = Field(0.0, ge=-1, le=1)
    """Adds this much of the latents' mean to the noise offset."""
    multires_iterations: int = Field(0, ge=0, le=64)
    """Coarser levels of noise; 0: off."""
    multires_discount: Share = 0.3
    """Weight of each coarser level."""
    input_perturbation: float = Field(0.0, ge=0, le=1)
    """Extra noise on the input only."""
    min_timestep: int = Field(0, ge=0, le=NUM_TRAIN_TIMESTEPS - 1)
    """No timestep below this is drawn."""
    max_timestep: int = Field(NUM_TRAIN_TIMESTEPS, ge=1, le=NUM_TRAIN_TIMESTEPS)
    """All timesteps drawn are below this."""
    timestep_sampling: TimestepSampling = "uniform"
    """How timesteps are drawn: all alike, or the sigmoid of a normal distribution, which prefers the middle."""
    timestep_mean: float = Field(0.0, ge=-10, le=10)
    """Of that normal distribution; below 0 for less noise, above 0 for more."""
    timestep_scale: float = Field(1.0, gt=0, le=10)
    """The standard deviation of that normal distribution; the larger, the more even."""
    timestep_shift: TimestepShift = 1.0
    """Above 1 for more noise, 1 for none; auto for a factor that grows with the picture, flow matching only."""
    timestep_weighting: TimestepWeighting = "none"
    """Weigh timesteps by a bell over the middle instead of drawing them more often."""
    prior_weight: float = Field(1.0, ge=0)
    """Weight of regularisation pictures."""
    zero_terminal_snr: bool = False
    """Rescale the noise schedule so that its last step is pure noise."""
    ema: bool = False
    """Save a moving average of the weights."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """How slowly that average moves."""


class MemoryConfig(Settings):
    """What decides whether it fits, and how fast it is."""

    preset: Preset = "medium"
    """The class of card that the plan starts from."""
    compute_dtype: Dtype = "float32"
    """What the step computes in."""
    base_dtype: Literal[Dtype, QuantisedDtype] = "float32"
    """What the base model's weights are kept in."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them."""
    checkpointed_blocks: int = Field(0, ge=0, le=1000)
    """In how many of the denoiser's blocks, counted from the first, activations are computed a second time where
    gradient checkpointing is on; 0: in all of them. A U-Net's are its down blocks, the middle and its up blocks."""
    swapped_blocks: int = Field(0, ge=0, le=1000)
    """How many of the denoiser's blocks wait in the machine's memory and come to the card one after the other, just as
    they are computed: the largest first; 0: none. A block is one of a transformer, or a residual block of a U-Net. Two
    of them are on the card at a time, so that fewer than three save nothing. The result is the same."""
    cache_latents: bool = True
    """Encode each picture once, before training."""
    encode_slices: int = Field(1, ge=1, le=MOST_SLICES)
    """In how many slices, each faded into the next, the VAE encodes a picture, to need less memory; 1: whole."""
    decode_slices: int = Field(1, ge=1, le=MOST_SLICES)
    """The same of decoding pictures that are drawn."""
    cache_text: bool = False
    """Encode each caption once, before training; only where the text encoder is not trained."""
    text_variants: int = Field(0, ge=0, le=MOST_TEXT_VARIANTS)
    """How many forms of each caption are encoded before training where tags are shuffled or left out, or lines or words
    are drawn; 0: captions that change are encoded in each step. Only flow matching base models have it."""

    @property
    def quantised(self) -> QuantisedDtype | None:
        """What the denoiser's layers are kept in, where that is less than the compute dtype."""
        return next((dtype for dtype in QUANTISED if dtype == self.base_dtype), None)


class MachineConfig(Settings):
    """What it runs on."""

    cpu_threads: int = Field(1, ge=1, le=MOST_THREADS)
    """Threads for reading and decoding; kohya's `num_cpu_threads_per_process`."""
    data_workers: int = Field(0, ge=0, le=MOST_THREADS)
    """Processes that prepare pictures; 0: the training process itself."""
    gpu_uuid: Line = ""
    """The card, by NVML's identifier; empty: the first one or none."""


class SavingConfig(Settings):
    """What is kept."""

    name: FileName
    """The LoRA's file name, without an ending."""
    every_epochs: int = Field(1, ge=0, le=MOST_OF_ANYTHING)
    """Save a LoRA after so many epochs; 0: only the last."""
    every_steps: int = Field(0, ge=0, le=MOST_OF_ANYTHING)
    """Save a LoRA after so many steps; 0: never."""
    keep_last: int = Field(0, ge=0, le=MOST_KEPT)
    """Keep only so many of those; 0: all."""
    dtype: Dtype = "float16"
    """What a LoRA file's weights are saved in."""
    layer_names: Literal["usual", "kohya"] = "usual"
    """Names in a LoRA file: those that programs know for its family, which for SD are kohya's, or always kohya's."""
    diffusers_copy: bool = False
    """Write each LoRA also as NAME-diffusers.safetensors, in the names of diffusers and peft; lora, locon and dora."""
    state_every_minutes: int = Field(0, ge=0, le=MOST_OF_ANYTHING)
    """Save what is needed to resume after so many minutes; 0: only at the end of an epoch."""


class SamplingConfig(Settings):
    """Pictures drawn during training."""

    prompts: tuple[Prompt, ...] = ()
    """What is drawn; empty: nothing. (tag:1.2) counts more, [tag] less."""
    negative: Prompt = ""
    """What is not to be drawn."""
    every_epochs: int = Field(1, ge=0, le=MOST_OF_ANYTHING)
    """Draw after so many epochs; 0: never."""
    steps: int = Field(20, ge=1, le=200)
    """Denoising steps."""
    guidance: float = Field(7.0, ge=0)
    """How closely the prompt is followed."""
    sampler: SamplerName = "ddim"
    """The method."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Start of the first picture's noise; the next prompt's is one more."""

    @property
    def draws(self) -> bool:
        """Whether anything is drawn during training."""
        return bool(self.prompts and self.every_epochs)


class ValidationConfig(Settings):
    """Measuring the loss with the same noise each time, best on pictures that are not trained on."""

    share: Share = 0.0
    """Share of pictures held out to measure on; 0: nothing is measured; 1: all are trained on and measured on."""
    every_epochs: int = Field(1, ge=0, le=MOST_OF_ANYTHING)
    """Measure after so many epochs; 0: never."""


class RunConfig(Settings):
    """What this training is of."""

    seed: int = Field(42, ge=0, lt=2**32)
    """Start of all randomness."""
    subject: Literal["character", "style"] = "character"
    """What is learned."""
    goal: Literal["exact", "flexible"] = "exact"
    """What matters more: likeness to the pictures, or that other outfits, poses and scenes can be asked for."""
    trigger: Line = ""
    """The word that calls it up."""
    advice: Literal["tutorial", "current"] = "tutorial"
    """Whose rules of thumb are followed."""
    wandb_project: ProjectName = ""
    """Send curves and samples to this project of Weights & Biases; empty: nowhere. The key never stands in a file:
    `wandb login` or WANDB_API_KEY."""


class TrainingConfig(Settings):
    """One training, settled in every detail."""

    model: ModelConfig
    dataset: DatasetConfig
    network: NetworkConfig = NetworkConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    loss: LossConfig = LossConfig()
    memory: MemoryConfig = MemoryConfig()
    machine: MachineConfig = MachineConfig()
    saving: SavingConfig
    sampling: SamplingConfig = SamplingConfig()
    validation: ValidationConfig = ValidationConfig()
    run: RunConfig = RunConfig()


def blank_config(*, model: str = "", family: str = "", images: str = "", name: str = "lora") -> TrainingConfig:
    """The configuration in which every setting that has a default is at it."""
    return parse_config(
        {"model": {"path": model, "family": family}, "dataset": {"images": images}, "saving": {"name": name}}
    )


def setting_paths() -> tuple[str, ...]:
    """Every setting's dotted path, in the order of the tree."""
    return tuple(
        f"{group}.{name}"
        for group, field in TrainingConfig.model_fields.items()
        for name in _group_model(group, field.annotation).model_fields
    )


def setting_field(path: str) -> Any:
    """The pydantic field behind a dotted path.

    Raises:
        UnknownSetting: there is no such setting; the message names the nearest.
    """
    group, _, name = path.partition(".")
    field = TrainingConfig.model_fields.get(group)
    if field is not None and (found := _group_model(group, field.annotation).model_fields.get(name)) is not None:
        return found
    from difflib import get_close_matches

    paths, last = setting_paths(), name or group
    near = get_close_matches(path, paths, n=2, cutoff=0.6) or [p for p in paths if p.endswith(f".{last}")]
    near = near or [p for p in paths if get_close_matches(last, [p.partition(".")[2]], cutoff=0.7)][:2]
    mend = f"did you mean {' or '.join(near)}?" if near else "`loracle plan --json` lists all settings"
    raise UnknownSetting(path, mend)


def setting(config: TrainingConfig, path: str) -> Any:
    """The value at a dotted path."""
    group, _, name = path.partition(".")
    return getattr(getattr(config, group), name)


def changed(config: TrainingConfig, path: str, value: object) -> TrainingConfig:
    """The same configuration with another value at `path`.

    Raises:
        UnknownSetting: there is no such setting.
        ConfigErrors: the value does not fit.
    """
    setting_field(path)
    now = setting(config, path)
    if type(now) is type(value) and now == value:  # most of what a search for a plan tries
        return config
    return with_values(config, {path: value})


def with_values(config: TrainingConfig, values: Mapping[str, object]) -> TrainingConfig:
    """The same configuration with other values, by path.

    Only the groups that they are in are validated again: no setting is checked by one of another group.

    Raises:
        UnknownSetting: there is no such setting.
        ConfigErrors: some values do not fit; all are in it.
    """
    groups: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        setting_field(path)
        group, _, name = path.partition(".")
        groups.setdefault(group, dict(getattr(config, group)))[name] = value
    made, errors = dict[str, Settings](), list[ConfigError]()
    for group, tree in groups.items():
        try:
            made[group] = type(getattr(config, group)).model_validate(tree)
        except ValidationError as error:
            errors += [_config_error(item, group) for item in error.errors()]
    if errors:
        raise ConfigErrors(errors)
    return config.model_copy(update=made)


def parse_config(tree: object) -> TrainingConfig:
    """The configuration in a tree of plain values.

    Raises:
        ConfigErrors: all that is wrong, each with its path.
    """
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigErrors([_config_error(item) for item in error.errors()]) from None


def flat_settings(config: TrainingConfig) -> Iterator[tuple[str, Any]]:
    """Every (dotted path, value), in the order of the tree."""
    for path in setting_paths():
        yield path, setting(config, path)


def _group_model(group: str, annotation: object) -> type[Settings]:
    assert isinstance(annotation, type), group
    assert issubclass(annotation, Settings), group
    return annotation


def _config_error(item: Any, *groups: str) -> ConfigError:
    path = ".".join(str(part) for part in (*groups, *item["loc"]))
    if item["type"] == "missing":
        return ConfigError(path, None, "it is missing and has no default")
    if item["type"] == "extra_forbidden":
        try:
            setting_field(path)
        except UnknownSetting as unknown:
            return unknown
    return ConfigError(path, item["input"], mend_of(item))
