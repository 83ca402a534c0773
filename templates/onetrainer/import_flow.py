"""Import of what only OneTrainer's training of flow matching bases has: the denoiser is the part `transformer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.importing.imported import Line
from templates.importing.ledger import Key, Ledger, shortened
from templates.importing.readers import flag, number, text
from templates.onetrainer.flow_bases import FLOW_BASES, FlowBase
from templates.onetrainer.words import ALL_LAYERS, KOHYA_NAMES, MODEL_TYPES

DENOISER, UNET = "transformer.", "unet."
NOT_USED = frozenset({
    "offset_noise_weight", "text_encoder_layer_skip", "force_v_prediction", "force_epsilon_prediction",
    "rescale_noise_scheduler_to_zero_terminal_snr", "text_encoder.dropout_probability",
})  # fmt: skip
"""Keys that our settings of other families come from, and that mean nothing for these, or stop OneTrainer there."""
DEFAULTS: Mapping[str, Any] = {"optimizer.text_encoder_learning_rate": 0.0}
"""What holds for these where a file says nothing, and otherwise for other families."""


def flow_base_of(tree: Mapping[str, Any]) -> FlowBase | None:
    """What OneTrainer has for the base model that a file trains; None: it is not one of flow matching."""
    return FLOW_BASES.get(MODEL_TYPES.ours(str(tree.get("model_type", ""))) or "")


def as_for_others(tree: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Line, ...]]:
    """The flat keys with the denoiser under the name that it has for Stable Diffusion, and the lines of unused ones.

    Offset noise is a setting that flow matching has no place for with us, so that one above 0 is told as lost.
    """
    unused = {key: "not for this family" for key in tree if key in NOT_USED or key.startswith(UNET)}
    if tree.get(f"{DENOISER}model_name"):
        unused["base_model_name"] = "text encoder and VAE are those that are found beside the base model"
    if tree.get(f"{DENOISER}weight_dtype"):
        unused["weight_dtype"] = "each part has its own"
    lines = tuple(
        Line(key, shortened(tree[key]), "dropped" if _says_something(key, tree[key]) else "idle", note=unused[key])
        for key in tree
        if key in unused
    )
    return {_renamed(key): value for key, value in tree.items() if key not in unused}, lines


def original_key(line: Line) -> Line:
    """A line with the file's own name of the denoiser's keys."""
    if not line.key.startswith(UNET):
        return line
    return Line(DENOISER + line.key.removeprefix(UNET), line.found, line.verdict, line.path, line.value, line.note)


def settle_flow(ledger: Ledger) -> None:
    """The files, the names of layers, the text's variants, and that the text encoder stays as it is."""
    file = f"{UNET}model_name"
    if ledger.has(file):
        ledger.take(file, Key("model.path", text))
    names = ledger.read("output_model_format", text, KOHYA_NAMES).upper()
    ledger.imply("saving.layer_names", "kohya" if names == KOHYA_NAMES else "usual")
    if ledger.has("output_model_format"):
        ledger.translate("output_model_format", "saving.layer_names")
    variants = [key for key in ledger.all_keys("concepts[") if key.endswith(".text_variations")]
    numbers = {ledger.read(key, number, 1) for key in variants}
    if len(numbers) == 1 and (one := int(numbers.pop())) > 1:
        for key in variants:
            ledger.settle(key, "memory.text_variants", one)
    ledger.imply("model.prediction", "flow")


def settle_filter(ledger: Ledger, base: FlowBase, filters: str, preset: str) -> None:
    """The attentions and MLPs of the blocks, which all LoRAs of ours adapt."""
    note = "the layers that we adapt: attentions and MLPs"
    is_pattern = ledger.read("layer_filter_regex", flag, False)
    if not filters and preset == ALL_LAYERS:
        key = "layer_filter_preset" if ledger.has("layer_filter_preset") else "layer_filter"
        ledger.contradict(key, f"all linear layers there, modulations and embeddings too; here {note}")
    elif _parts(filters) == _parts(base.filters) and is_pattern == base.filters_are_patterns:
        ledger.idle("layer_filter", note)
        ledger.idle("layer_filter_regex", note)
    else:
        ledger.drop("layer_filter", f"we choose no single layers: {note}")


def _parts(filters: str) -> list[str]:
    return sorted(part.strip() for part in filters.split(","))


def _says_something(key: str, value: Any) -> bool:
    return key in ("offset_noise_weight", "text_encoder.dropout_probability") and bool(value)


def _renamed(key: str) -> str:
    return UNET + key.removeprefix(DENOISER) if key.startswith(DENOISER) else key
