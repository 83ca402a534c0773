"""Whether the saved LoRA does what the trained one did, found out by code that shares nothing with saving or training.

It reads the file, finds each layer by kohya's way of making names or by the base model's own name of it, and adds what
its adapter's change of the weight (`trainer.lora_files.weight_change`) makes of the input, by plain hooks on the base
model, in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from trainer.adapters.network import Network
from trainer.lora_files.weight_change import SUFFIXES, Tensors, by_layer, change, fits, is_complete, num_missing, zeroed
from trainer.models.families.family import AdaptedWith, BaseModel, Conditioning

LATENT_SIDE = 16
"""Of the latents that the outputs are compared on; small, because every part is used at any size."""
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
"""What kohya's trainer adapts in a text encoder."""
TEXT_PREFIXES = {1: ("lora_te",), 2: ("lora_te1", "lora_te2")}
"""What names begin with, by the number of text encoders."""
KOHYA, ORIGINAL = "lora_unet_", "diffusion_model."
"""What the denoiser's layers begin with, in kohya's names and in the base model's own."""


@dataclass(frozen=True)
class ReloadCheck:
    """What the file does; changes are relative lengths of differences."""

    missing: int
    """Weights that the file should have and has not."""
    unexpected: int
    """Weights that belong to no layer or have another shape than its layer needs."""
    unet_change: float
    """How much the U-Net's part of the file changes the U-Net's answer."""
    text_change: float
    """How much the text encoder's part changes the text states."""
    zero_change: float
    """How much the file changes the answer with all of its `up` set to zero: nothing, if all is well."""
    difference: float
    """How far the answer with the file is from the one with the adapters in memory."""
    tolerance: float
    """What rounding to the file's precision allows for that."""

    def complaints(self, *, unet: bool, text_encoder: bool) -> tuple[str, ...]:
        """What is wrong, given which parts were trained; empty if all is well."""
        found = {
            f"{self.missing} weights are missing": self.missing > 0,
            f"{self.unexpected} weights belong to no layer": self.unexpected > 0,
            "the U-Net's part changes nothing": unet and not self.unet_change > 0,
            "the text encoder's part changes nothing": text_encoder and not self.text_change > 0,
            f"a LoRA of zeros changes the answer by {self.zero_change:.1e}": self.zero_change != 0,
            f"its answer is {self.difference:.1e} off, more than rounding": not self.difference <= self.tolerance,
        }
        return tuple(message for message, is_so in found.items() if is_so)


@dataclass(frozen=True)
class _Layer:
    """A layer that could have an adapter."""

    module: nn.Module
    path: str
    """In its network."""
    adapted_with: AdaptedWith | None

    @property
    def weight(self) -> Tensor:
        weight = self.module.weight
        assert isinstance(weight, Tensor), self.path
        return weight


@dataclass(frozen=True)
class _Inputs:
    latents: Tensor
    times: Tensor
    token_ids: tuple[Tensor, ...]
    clip_skip: int
    text: Conditioning | None


@torch.no_grad()
def check_saved(
    path: Path, base: BaseModel, network: Network, caption: str, *, clip_skip: int, text: Conditioning | None = None
) -> ReloadCheck:
    """Compare the file with the network, which must be attached to `base`; it is left as it was.

    Args:
        caption: what the text states are compared on.
        text: the caption's conditioning, where no text encoder is trained; left out, it is made anew.
    """
    file, dtype = _read(path)
    in_file = by_layer(file)
    is_original = any(name.startswith(ORIGINAL) for name in in_file)
    layers = _layers_by_name(base, in_original_names=is_original)
    adapters = {name: one for name, one in in_file.items() if name in layers and fits(one, layers[name].weight)}
    unexpected = sum(_num_unexpected(one, name in layers, name in adapters) for name, one in in_file.items())
    unexpected += sum(is_original and "alpha" in one for one in adapters.values())
    usual = [name for name in _usual_names(layers, in_file) if network.has_text_encoder or not _is_text(name)]
    wanted = [name for name in usual if _in_kohya(name) not in network.left_out]
    missing = num_missing(in_file, wanted, with_alpha=not is_original)
    inputs = _inputs(base, caption, clip_skip, text)
    strength, training = network.multiplier, network.training
    network.eval()
    try:
        trained_text, trained = _outputs(base, inputs)
        network.multiplier = 0.0
        plain_text, plain = _outputs(base, inputs)
        with _hooked(layers, adapters):
            _, with_file = _outputs(base, inputs)
        with _hooked(layers, {name: one for name, one in adapters.items() if not _is_text(name)}):
            _, with_unet = _outputs(base, inputs)
        with _hooked(layers, {name: one for name, one in adapters.items() if _is_text(name)}):
            with_text, _ = _outputs(base, inputs)
        with _hooked(layers, {name: zeroed(one, layers[name].weight) for name, one in adapters.items()}):
            _, with_zeros = _outputs(base, inputs)
    finally:
        network.multiplier = strength
        network.train(training)
    return ReloadCheck(
        missing=missing,
        unexpected=unexpected,
        unet_change=_apart(with_unet, plain),
        text_change=_apart(with_text, plain_text),
        zero_change=_apart(with_zeros, plain),
        difference=_apart(with_file, trained),
        tolerance=_tolerance(dtype, base.dtype, change=_apart(trained, plain) + _apart(trained_text, plain_text)),
    )


def _layers_by_name(base: BaseModel, *, in_original_names: bool) -> dict[str, _Layer]:
    """Every layer that could have an adapter, by its name in a file of that kind."""
    layers = dict[str, _Layer]()
    for path, module in base.denoiser.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            name = base.family.name_in_lora(base, path)
            in_file = ORIGINAL + name if in_original_names else KOHYA + name.replace(".", "_")
            layers[in_file] = _Layer(module, path, base.family.adapted_with(path))
    if base.family.trains_text_encoders:
        layers |= _text_layers(base)
    return layers


def _text_layers(base: BaseModel) -> dict[str, _Layer]:
    layers = dict[str, _Layer]()
    for prefix, encoder in zip(TEXT_PREFIXES[len(base.text_encoders)], base.text_encoders, strict=True):
        for path, module in encoder.named_modules():
            if isinstance(module, nn.Linear) and path.rpartition(".")[2] in TEXT_LAYERS:
                tail = path.removeprefix("text_model.").replace(".", "_")
                layers[f"{prefix}_text_model_{tail}"] = _Layer(module, path, "always")
    return layers


def _in_kohya(name: str) -> str:
    return KOHYA + name.removeprefix(ORIGINAL).replace(".", "_") if name.startswith(ORIGINAL) else name


def _is_text(name: str) -> bool:
    return not name.startswith((KOHYA, ORIGINAL))


def _usual_names(layers: Mapping[str, _Layer], in_file: Mapping[str, Tensors]) -> list[str]:
    """The layers that every LoRA has; those of the wide kind only where the file has any."""
    is_wide = any(name in layers and layers[name].adapted_with == "wide" for name in in_file)
    wanted = ("always", "wide") if is_wide else ("always",)
    return [name for name, layer in layers.items() if layer.adapted_with in wanted]


def _read(path: Path) -> tuple[dict[str, Tensor], torch.dtype]:
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    dtype = next(iter(tensors.values())).dtype if tensors else torch.float32
    return tensors, dtype


def _num_unexpected(tensors: Tensors, has_layer: bool, is_whole: bool) -> int:
    """How many of the tensors under one name belong to no layer or make no adapter for it.

    A part of an adapter is none of these: what it lacks is counted as missing.
    """
    if is_whole:
        return 0
    if not has_layer:
        return len(tensors)
    strange = sum(suffix not in SUFFIXES for suffix in tensors)
    return strange or (len(tensors) if is_complete(tensors) else 0)


@contextmanager
def _hooked(layers: Mapping[str, _Layer], adapters: Mapping[str, Tensors]) -> Iterator[None]:
    """Within, each layer also gives what its adapter adds."""
    handles = [layers[name].module.register_forward_hook(_hook(adapter)) for name, adapter in adapters.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(adapter: Tensors) -> Any:
    def added(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x, weight = inputs[0].float(), change(adapter, layer.weight)  # type: ignore[arg-type]
        if isinstance(layer, nn.Conv2d):
            padding: Any = layer.padding
            more = functional.conv2d(x, weight, None, layer.stride, padding, layer.dilation, layer.groups)
        else:
            more = functional.linear(x, weight)
        return output + more.to(output.dtype)

    return added


def _inputs(base: BaseModel, caption: str, clip_skip: int, text: Conditioning | None) -> _Inputs:
    side = LATENT_SIDE * base.structure.vae.factor
    rng = torch.Generator("cpu").manual_seed(0)
    latents = torch.randn(1, *base.family.latent_shape(base.structure, side, side), generator=rng)
    ids = tuple(tokens.to(base.device) for tokens in base.family.tokenize(base, [caption]))
    known = None if text is None else text.to(base.device)
    return _Inputs(latents.to(base.device, base.dtype), base.middle_time, ids, clip_skip, known)


def _outputs(base: BaseModel, inputs: _Inputs) -> tuple[Tensor, Tensor]:
    """The text states and the denoiser's answer, in float64 on the CPU."""
    text = inputs.text or base.family.encode_text(base, inputs.token_ids, clip_skip=inputs.clip_skip)
    answer = base.family.predict(base, inputs.latents, inputs.times, text)
    return text["states"].to("cpu").double(), answer.to("cpu").double()


def _apart(one: Tensor, other: Tensor) -> float:
    """The length of the difference, relative to `other`."""
    return float((one - other).norm() / other.norm().clamp(min=1e-30))


def _tolerance(saved: torch.dtype, computed: torch.dtype, *, change: float) -> float:
    """Weights are rounded to `saved`, which shows in proportion to what they change; answers to `computed`."""
    return 4 * torch.finfo(saved).eps * change + 64 * torch.finfo(computed).eps
