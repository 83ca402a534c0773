"""What kohya's trainers take for Anima beside, or in place of, what they take for Stable Diffusion; touches no file.

Observed on sd-scripts' `anima_train_network.py` and `networks/lora_anima.py` of February 2026 and on kohya_ss 26.0.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.errors import ConfigError
from advisor.families.anima import ANIMA
from advisor.rules.fitting import tags_vary
from advisor.settings.config import LossConfig, NetworkConfig, TrainingConfig
from advisor.settings.script_times import script_times
from templates.kohya.export_layout import ExportLayout
from templates.kohya.gui_keys import GuiValue
from templates.kohya.words import ANIMA_GUI_KINDS, BLOCK_RATES
from templates.render import Value

SCRIPT_SETTINGS = frozenset({
    "model.text_encoder_path", "loss.timestep_sampling", "loss.timestep_mean", "loss.timestep_scale",
    "loss.timestep_shift", "network.text_adapter",
})  # fmt: skip
"""Settings that arrive for Anima and for no other family that is written."""
DROPS: Mapping[str, str] = {
    "dataset.weighted_captions": "kohya's trainer of Anima stops at it, so that (tag:1.2) is read as it is written",
    "loss.timestep_weighting": "kohya weighs all timesteps of this family alike",
    "loss.min_timestep": "kohya draws from all timesteps of this family",
    "loss.max_timestep": "kohya draws from all timesteps of this family",
    "memory.text_variants": "kohya encodes captions that change in each step, and keeps the text encoder for it",
}
"""Settings without a place for Anima, and what that means."""

LYCORIS_MODULES = ("Attention", "GPT2FeedForward")
"""The classes of sd-scripts' Anima whose layers a plain LoRA adapts."""
TEXT_ADAPTER_LAYERS = ("llm_adapter.blocks.*_proj", "llm_adapter.blocks.*.mlp.*")
"""The text adapter's layers that get one on request, as LyCORIS matches names."""
NAMES = (
    "LoRAs have kohya's names there, which ComfyUI and Forge read; diffusers does not: `loracle convert` makes ours of "
    "them."
)


def is_anima(config: TrainingConfig) -> bool:
    """Whether the base model is an Anima, the one of flow matching that these programs train."""
    return config.model.family == ANIMA.name


def anima_model(layout: ExportLayout) -> dict[str, Value]:
    """sd-scripts' keys of the base model's files."""
    return {
        "pretrained_model_name_or_path": layout.model,
        "qwen3": layout.text_encoder,
        "vae": layout.vae,
    }


def anima_times(loss: LossConfig) -> dict[str, Value]:
    """sd-scripts' keys of how timesteps are drawn."""
    times = script_times(loss)
    assert times is not None, loss  # refused before
    return {
        "timestep_sampling": times.sampling,
        "sigmoid_scale": times.sigmoid_scale,
        "discrete_flow_shift": times.flow_shift,
        "weighting_scheme": "uniform",
    }


def caches_text(config: TrainingConfig) -> bool:
    """Whether captions are encoded once there: only those that stay as they are; captions left out are cached too."""
    return config.memory.cache_text and not tags_vary(config)


def anima_network_arguments(config: TrainingConfig) -> Iterator[str]:
    """`network_args` of the plain LoRA: the text adapter, dropouts, ranks and rates by block."""
    network, optimizer = config.network, config.optimizer
    if network.text_adapter:
        yield "train_llm_adapter=True"
    if network.rank_dropout:
        yield f"rank_dropout={network.rank_dropout}"
    if network.module_dropout:
        yield f"module_dropout={network.module_dropout}"
    if network.block_ranks:
        yield f"network_reg_dims={_by_block(network.block_ranks)}"
    if optimizer.block_learning_rates:
        rates = [optimizer.unet_learning_rate * factor for factor in optimizer.block_learning_rates]
        yield f"network_reg_lrs={_by_block(rates)}"


def _by_block(values: tuple[int, ...] | list[float]) -> str:
    """`pattern=value` for each of the transformer's blocks; the text adapter's begin otherwise."""
    return ",".join(f"blocks[.]{block}[.].*={value}" for block, value in enumerate(values))


def lycoris_preset(network: NetworkConfig) -> dict[str, Value]:
    """A preset of LyCORIS with the layers that a plain LoRA adapts; its own presets know no layer of Anima."""
    return {
        "enable_conv": False,
        "unet_target_module": list(LYCORIS_MODULES),
        "unet_target_name": list(TEXT_ADAPTER_LAYERS) if network.text_adapter else [],
        "text_encoder_target_module": [],
        "text_encoder_target_name": [],
        "use_fnmatch": True,
    }


def anima_gui_values(config: TrainingConfig, layout: ExportLayout) -> dict[str, GuiValue]:
    """The GUI's keys that other families leave at their start, and those of theirs that say nothing here.

    What the GUI has no place for is left out: `anima_gui_errors` refuses it before.
    """
    times = script_times(config.loss)
    assert times is not None, config.loss  # refused before
    return {
        "anima_checkbox": True,
        "anima_qwen3": layout.text_encoder,
        "anima_vae": layout.vae,
        "anima_timestep_sampling": times.sampling,
        "anima_sigmoid_scale": times.sigmoid_scale,
        "anima_discrete_flow_shift": times.flow_shift,
        "anima_cache_text_encoder_outputs": caches_text(config),
        "LoRA_type": ANIMA_GUI_KINDS.get(config.network.kind, ANIMA_GUI_KINDS["lora"]),
        "vae": "",
        "clip_skip": 1,
        "weighted_captions": False,
        "max_token_length": 75,
        "min_timestep": 0,
        "max_timestep": 1000,
        "conv_dim": 0,
        "block_dims": "",
        **dict.fromkeys(BLOCK_RATES, ""),
    }


def gui_network_arguments(config: TrainingConfig) -> str:
    """The text adapter, for which the GUI has no key: `--network_args` takes the place of all that the GUI makes."""
    network = config.network
    if not network.text_adapter:
        return ""
    factor = (f"factor={network.factor}",) if network.kind == "lokr" and network.factor != -1 else ()
    return " ".join(("--network_args", *factor, *anima_network_arguments(config)))


def anima_errors(config: TrainingConfig, where: str) -> Iterator[ConfigError]:
    """What kohya's trainers cannot do with Anima, its files aside."""
    loss = config.loss
    if script_times(loss) is None:
        mend = "evenly drawn timesteps" if loss.timestep_sampling == "uniform" else "a mean"
        yield ConfigError("loss.timestep_shift", loss.timestep_shift, f"{where} has no auto beside {mend}: a number")
    if loss.kind in ("huber", "smooth_l1") and loss.huber_schedule != "constant":
        mend = f"{where} has constant alone for this family: choose that"
        yield ConfigError("loss.huber_schedule", loss.huber_schedule, mend)


def anima_script_errors(config: TrainingConfig) -> Iterator[ConfigError]:
    """What sd-scripts has no place for."""
    if config.network.kind != "lora":
        yield from _block_errors(config, "LyCORIS has one for all blocks: leave it out, or set network.kind to lora")


def anima_gui_errors(config: TrainingConfig) -> Iterator[ConfigError]:
    """What the GUI has no place for, and sd-scripts have."""
    if (kind := config.network.kind) not in ANIMA_GUI_KINDS:
        mend = f"kohya's GUI trains {', '.join(ANIMA_GUI_KINDS)} of Anima: choose one, or export to sd-scripts"
        yield ConfigError("network.kind", kind, mend)
    yield from _block_errors(config, "kohya's GUI has no such list for Anima: leave it out, or export to sd-scripts")


def _block_errors(config: TrainingConfig, mend: str) -> Iterator[ConfigError]:
    for path, values in (
        ("network.block_ranks", config.network.block_ranks),
        ("optimizer.block_learning_rates", config.optimizer.block_learning_rates),
    ):
        if values:
            yield ConfigError(path, list(values), mend)


def anima_notes(config: TrainingConfig, where: str) -> Iterator[str]:
    """What is otherwise in kohya's trainers with Anima."""
    if config.saving.layer_names == "usual":
        yield f"saving.layer_names: {NAMES}"
    if config.network.start_from is not None:
        yield (
            f"network.start_from: {where} goes on from files with kohya's names alone, and passes over all others "
            "without a word: `loracle convert` writes them."
        )
