"""Import of what only kohya's trainers of Anima have, and of what they do not look at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from templates.importing.imported import Line
from templates.importing.ledger import Key, Ledger, shortened
from templates.importing.readers import flag, number, says_nothing, text, whole
from templates.kohya.words import ANIMA

NOT_LOOKED_AT = frozenset({
    "clip_skip", "max_token_length", "v_parameterization", "v2", "weighted_captions", "min_timestep", "max_timestep",
    "min_snr_gamma", "debiased_estimation_loss", "scale_v_pred_loss_like_noise_pred", "v_pred_like_loss",
    "zero_terminal_snr", "noise_offset", "noise_offset_type", "noise_offset_random_strength", "adaptive_noise_scale",
    "multires_noise_iterations", "multires_noise_discount", "sample_sampler", "fp8_base", "fp8_base_unet",
    "fp8_scaled", "no_half_vae", "llm_adapter_lr", "self_attn_lr", "cross_attn_lr", "mlp_lr", "mod_lr", "mode_scale",
})  # fmt: skip
"""Arguments that `anima_train_network.py` takes and does not use, or stops at (`weighted_captions`)."""
GUI_ONLY = frozenset({
    "vae", "sdxl_no_half_vae", "sdxl_cache_text_encoder_outputs", "timestep_sampling", "discrete_flow_shift",
    "sigmoid_scale", "weighting_scheme", "logit_mean", "logit_std",
})  # fmt: skip
"""Keys of the GUI that other families have, and Anima under names of its own."""
DEFAULTS: Mapping[str, Any] = {"loss.timestep_sampling": "logit_normal"}
"""What holds for Anima where a file says nothing, and otherwise for other families."""

GUI_PREFIX = "anima_"
MOST_TOKENS = 512
UNMAPPED_KEYS: Mapping[str, str] = {
    "llm_adapter_path": "the layers between text encoder and denoiser are those of the base model's file with us",
    "t5_tokenizer_path": "our tokenizers are those of the published model",
    "qwen3_max_token_length": f"captions are read up to {MOST_TOKENS} tokens with us",
    "t5_max_token_length": f"captions are read up to {MOST_TOKENS} tokens with us",
}
"""Keys without a setting of ours, and what that means."""
SPEED = frozenset({
    "attn_mode", "split_attn", "vae_chunk_size", "vae_disable_cache", "unsloth_offload_checkpointing",
    "qwen_image_vae_2d", "compile", "torch_compile", "compile_backend", "compile_mode", "compile_dynamic",
    "compile_fullgraph", "compile_cache_size_limit", "cache_text_encoder_outputs_to_disk", "blocks_to_swap",
})  # fmt: skip
"""Keys that change how it is computed and nothing of what is learned."""
BLOCK = re.compile(r"blocks(?:\\.|\[\.\])(\d{1,4})(?:\\.|\[\.\])\.\*=(\d{1,9}(?:\.\d{1,17})?(?:e-?\d{1,2})?)")
"""All layers of one of the transformer's blocks, and a number."""
ARGUMENTS = frozenset({"train_llm_adapter", "network_reg_dims", "network_reg_lrs"})
"""Arguments of the adapter that are read here."""
UNMAPPED_ARGUMENTS: Mapping[str, str] = {
    "exclude_patterns": "we choose no single layers", "include_patterns": "we choose no single layers",
    "verbose": "it does not change what is learned",
}  # fmt: skip
NOT_USED = "kohya's trainer of Anima does not use it"


def without_unused(tree: Mapping[str, Any], *, is_gui: bool) -> tuple[dict[str, Any], tuple[Line, ...]]:
    """A file's flat keys without those that its trainer of Anima does not use, and the lines of these."""
    unused = NOT_LOOKED_AT | GUI_ONLY if is_gui else NOT_LOOKED_AT
    found = {key for key in tree if key in unused or key.removeprefix("--") in NOT_LOOKED_AT}
    lines = tuple(Line(key, shortened(tree[key]), "idle", note=NOT_USED) for key in tree if key in found)
    return {key: value for key, value in tree.items() if key not in found}, lines


def settle_anima(ledger: Ledger, *, is_gui: bool) -> None:
    """The files, how timesteps are drawn, and keys that change nothing."""
    prefix = GUI_PREFIX if is_gui else ""
    ledger.take(_key(ledger, prefix, "qwen3"), Key("model.text_encoder_path", text))
    if is_gui:
        ledger.take(_key(ledger, prefix, "vae"), Key("model.vae_path", text))
    settle_times(ledger, prefix)
    for name in sorted(SPEED):
        ledger.idle(_key(ledger, prefix, name), "it does not change what is learned")
    for name, meaning in UNMAPPED_KEYS.items():
        key = _key(ledger, prefix, name)
        if ledger.has(key):
            is_usual = name.endswith("_length") and ledger.read(key, whole, MOST_TOKENS) == MOST_TOKENS
            ledger.idle(key) if is_usual else ledger.drop(key, meaning)
    if ledger.has(key := _key(ledger, prefix, "cache_text_encoder_outputs")):
        ledger.take(key, Key("memory.cache_text", flag))


def settle_anima_arguments(ledger: Ledger, items: Mapping[str, Any], key: str) -> None:
    """`network_args` that only Anima's adapters have: the text adapter, and ranks and rates by patterns of names."""
    if str(items.get("train_llm_adapter", "")).lower() == "true":
        ledger.settle(key, "network.text_adapter", True, "train_llm_adapter")
    for name, path in (
        ("network_reg_dims", "network.block_ranks"),
        ("network_reg_lrs", "optimizer.block_learning_rates"),
    ):
        if not (given := items.get(name)):
            continue
        if (values := _by_block(str(given))) is None:
            ledger.drop(key, f"{name}: we have one number for each block, and none for other patterns")
        elif path == "network.block_ranks":
            ledger.settle(key, path, [int(value) for value in values], f"{name}, one for each block")
        else:
            rate = ledger.settings.get("optimizer.unet_learning_rate") or 1.0
            ledger.settle(key, path, [value / rate for value in values], f"{name} over the rate of all")


def adapts_text(preset: str) -> bool:
    """Whether a preset of LyCORIS, as the text of its file, names the text adapter's layers."""
    return "llm_adapter" in preset


def _by_block(text: str) -> list[float] | None:
    """The numbers of `pattern=number`, where the patterns are those of all blocks from the first on; else None."""
    found = [BLOCK.fullmatch(item.strip()) for item in text.split(",") if item.strip()]
    numbers = [(int(one[1]), float(one[2])) for one in found if one is not None]
    return [value for _, value in numbers] if [at for at, _ in numbers] == list(range(len(found))) else None


def anima_defaults(family: str, usual: Mapping[str, Any]) -> Mapping[str, Any]:
    """What holds where a file says nothing, for any family."""
    return {**usual, **DEFAULTS} if family == ANIMA else usual


def settle_times(ledger: Ledger, prefix: str, *, usual: str = "sigmoid") -> None:
    """`timestep_sampling` with its numbers; `sigma` alone looks at `weighting_scheme` for it.

    Args:
        prefix: what the GUI's keys begin with; empty in files of sd-scripts.
        usual: how they are drawn where nothing is said.
    """
    key = _key(ledger, prefix, "timestep_sampling")
    sampling = str(ledger.read(key, text, usual)).lower()
    scale, shift = (_key(ledger, prefix, name) for name in ("sigmoid_scale", "discrete_flow_shift"))
    if sampling == "sigma":
        _settle_schedule(ledger, key)
        ledger.idle(scale, "timestep_sampling does not look at it")
    else:
        is_even = sampling == "uniform"
        ledger.settle(key, "loss.timestep_sampling", "uniform" if is_even else "logit_normal", "our name of it")
        if is_even:
            ledger.idle(scale, "timestep_sampling does not look at it")
        elif ledger.has(scale):
            ledger.take(scale, Key("loss.timestep_scale", number))
    if sampling in ("sigma", "shift") and ledger.has(shift):
        ledger.take(shift, Key("loss.timestep_shift", number))
    else:
        ledger.idle(shift, "timestep_sampling does not look at it")
        ledger.imply("loss.timestep_shift", "auto" if sampling == "flux_shift" else 1.0)
    _settle_weights(ledger)


def _settle_schedule(ledger: Ledger, key: str) -> None:
    """Evenly or logit-normal over 1,000 steps, counted from the noisiest, so that the mean is turned round."""
    is_normal = str(ledger.read(_key(ledger, "", "weighting_scheme"), text, "uniform")).lower() == "logit_normal"
    note = "drawn from 1,000 steps there, from all times with us"
    ledger.settle(key, "loss.timestep_sampling", "logit_normal" if is_normal else "uniform", note)
    mean, deviation = _key(ledger, "", "logit_mean"), _key(ledger, "", "logit_std")
    if is_normal:
        if (value := ledger.read(mean, number)) is not None:
            ledger.settle(mean, "loss.timestep_mean", -value, "counted from the other end")
        if ledger.has(deviation):
            ledger.take(deviation, Key("loss.timestep_scale", number))


def _settle_weights(ledger: Ledger) -> None:
    key = _key(ledger, "", "weighting_scheme")
    scheme = str(ledger.read(key, text, "uniform")).lower()
    if scheme in ("sigma_sqrt", "cosmap"):
        ledger.drop(key, "we have no such weight of timesteps")
    elif scheme == "mode":
        ledger.drop(key, "we draw timesteps in no such way")
    else:
        ledger.idle(key)
    for name in ("logit_mean", "logit_std"):
        if ledger.is_pending(key := _key(ledger, "", name)):
            ledger.idle(key, "only logit_normal takes it")


def _key(ledger: Ledger, prefix: str, name: str) -> str:
    """The key in effect: the additional parameters' before the GUI's own."""
    given = f"--{name}"
    if given not in ledger.all_keys("--"):
        return f"{prefix}{name}"
    if prefix and ledger.is_pending(f"{prefix}{name}") and not says_nothing(ledger.raw(f"{prefix}{name}")):
        ledger.idle(f"{prefix}{name}", f"{given} in the additional parameters counts")
    return given
