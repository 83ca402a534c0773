"""Import of what only ai-toolkit's training of flow matching models has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.ai_toolkit.flow_bases import FlowBase
from templates.ai_toolkit.words import EVENLY, FIXED_SHIFT, FLOW_MATCHING, SHIFTED, SIGMOID, WEIGHTED
from templates.importing.imported import Line
from templates.importing.ledger import Ledger, shortened
from templates.importing.readers import flag, text

NOT_USED: Mapping[str, str] = {
    "model.is_v_pred": "all models of this family are of flow matching",
    "model.vae_path": "ai-toolkit takes this family's VAE from a diffusers folder",
    "network.alpha": "trained there as if alpha were the rank",
    "train.min_snr_gamma": "flow matching has no such weight",
}
USUAL_RANK = 4
FILTER = "network.network_kwargs.only_if_contains"
TRAINING_ADAPTER = "model.assistant_lora_path"
"""A LoRA that undoes a distillation while another is trained."""
SHIFTS = (SHIFTED, "flux_shift", "lumina2_shift")
"""Three names of the same."""


def without_unused(tree: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Line, ...]]:
    """A job's flat keys without those that its training of these families does not use, and the lines of these."""
    unused = dict(NOT_USED)
    if tree.get("model.quantize") is True:
        unused["model.dtype"] = "model.quantize says what it is kept in"
    lines = tuple(Line(key, shortened(tree[key]), "idle", note=unused[key]) for key in tree if key in unused)
    return {key: value for key, value in tree.items() if key not in unused}, lines


def settle_flow(ledger: Ledger, base: FlowBase) -> None:
    """How timesteps are drawn, and which layers are adapted and how strongly."""
    _settle_times(ledger)
    _settle_layers(ledger, base)
    if ledger.has(TRAINING_ADAPTER):
        ledger.contradict(TRAINING_ADAPTER, "we merge no adapter while we train: plan with the base model, not Turbo")
    rank, note = float(ledger.settings.get("network.rank", USUAL_RANK)), "trained there as if alpha were the rank"
    ledger.imply("network.alpha", rank)
    if ledger.has("network.linear_alpha"):
        ledger.settle("network.linear_alpha", "network.alpha", rank, note)
    ledger.imply("model.prediction", "flow")


def _settle_times(ledger: Ledger) -> None:
    scheduler = "train.noise_scheduler"
    if str(ledger.read(scheduler, text, FLOW_MATCHING)) == FLOW_MATCHING:
        ledger.idle(scheduler)
    else:
        ledger.contradict(scheduler, "this family is of flow matching")
    key, shift = "train.timestep_type", 1.0
    given = str(ledger.read(key, text, SIGMOID)).lower()
    bell = "train.linear_timesteps"
    if ledger.read(bell, flag, False):
        ledger.settle(bell, "loss.timestep_weighting", "bell", "drawn evenly, and weighed by a bell")
        given = EVENLY
    found = "logit_normal" if given == SIGMOID else "uniform"
    if given in SHIFTS:
        shift = FIXED_SHIFT
    if ledger.has(key):
        note = "" if given == SIGMOID else f"drawn evenly and shifted by {shift:g}" if shift != 1 else "drawn evenly"
        ledger.settle(key, "loss.timestep_sampling", found, note or "the sigmoid of a normal distribution")
        if given == WEIGHTED:
            ledger.drop(key, "we have no such table of weights; timestep_weighting=bell is near it")
        elif given not in (SIGMOID, EVENLY, *SHIFTS):
            ledger.drop(key, "we draw timesteps evenly or logit-normal")
    ledger.imply("loss.timestep_sampling", found)
    ledger.imply("loss.timestep_shift", shift)


def _settle_layers(ledger: Ledger, base: FlowBase) -> None:
    names = ledger.raw(FILTER)
    chosen = {str(name) for name in names} if isinstance(names, list) else set()
    conditioner = "model.model_kwargs.train_text_conditioner"
    adapts_text = ledger.read(conditioner, flag, False)
    if ledger.has(conditioner):
        ledger.settle(conditioner, "network.text_adapter", adapts_text, "the layers between text encoder and denoiser")
    note = "the layers that we adapt: attentions and MLPs"
    if chosen and chosen - set(base.text_layers) == set(base.layers):
        ledger.idle(FILTER, note)
    elif chosen:
        ledger.drop(FILTER, f"we choose no single layers: {note}")
    elif ledger.has("network.type"):
        ledger.contradict("network.type", f"it adapts modulations too; here {note}")
