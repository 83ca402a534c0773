"""Whether the saved LoRA does what the trained one did, found out by code that shares nothing with saving or training.

It reads the file and finds each layer by kohya's way of making names or by the base model's own name of it. Each layer
is then compared for itself, in float32 (`trainer.lora_files.layer_check`); and what the file's parts change in the
answers of whole networks is found by plain hooks that add to a layer's answer what its adapter in the file adds
(`trainer.lora_files.weight_change`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from trainer.adapters.adapter import Layer, attached_to
from trainer.adapters.network import Network
from trainer.layers.frozen_weight import frozen_weight
from trainer.lora_files.layer_check import LayerCheck, check_layer, worst_of
from trainer.lora_files.weight_change import SUFFIXES, Tensors, added, by_layer, fits, is_complete, num_missing
from trainer.models.families.family import AdaptedWith, BaseModel, Conditioning

LATENT_SIDE = 8
"""Of the latents that the denoiser answers; small, because every part is used at any size."""
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
    """How much the file changes a layer's answer with its `up` set to zero: nothing, if all is well."""
    difference: float
    """How far a layer's answer with the file is from the one with the adapter in memory, of the layer where that is
    the most of its tolerance."""
    tolerance: float
    """What rounding to the file's precision allows for that."""

    def complaints(self, *, unet: bool, text_encoder: bool) -> tuple[str, ...]:
        """What is wrong, given which parts were trained; empty if all is well."""
        found = {
            f"{self.missing} weights are missing": self.missing > 0,
            f"{self.unexpected} weights belong to no layer": self.unexpected > 0,
            "the U-Net's part changes nothing": unet and not self.unet_change > 0,
            "the text encoder's part changes nothing": text_encoder and not self.text_change > 0,
            f"a LoRA of zeros changes a layer's answer by {self.zero_change:.1e}": self.zero_change != 0,
            f"a layer's answer is {self.difference:.1e} off, more than rounding": not self.difference <= self.tolerance,
        }
        return tuple(message for message, is_so in found.items() if is_so)


@dataclass(frozen=True)
class _Layer:
    """A layer that could have an adapter."""

    module: Layer
    adapted_with: AdaptedWith | None

    @property
    def like_weight(self) -> Tensor:
        """Of its weight's shape, without data."""
        return torch.empty(frozen_weight(self.module).shape, device="meta")


@dataclass(frozen=True)
class _Inputs:
    """What the networks are called with."""

    latents: Tensor
    times: Tensor
    token_ids: tuple[Tensor, ...]
    clip_skip: int
    text: Conditioning | None

    @classmethod
    def of(cls, base: BaseModel, caption: str, clip_skip: int, text: Conditioning | None) -> _Inputs:
        side = LATENT_SIDE * base.structure.vae.factor
        rng = torch.Generator("cpu").manual_seed(0)
        latents = torch.randn(1, *base.family.latent_shape(base.structure, side, side), generator=rng)
        ids = tuple(tokens.to(base.device) for tokens in base.family.tokenize(base, [caption]))
        known = None if text is None else text.to(base.device)
        return cls(latents.to(base.device, base.dtype), base.middle_time, ids, clip_skip, known)

    def conditioning(self, base: BaseModel) -> Conditioning:
        return self.text or base.family.encode_text(base, self.token_ids, clip_skip=self.clip_skip)


@torch.no_grad()
def check_saved(
    path: Path, base: BaseModel, network: Network, caption: str, *, clip_skip: int, text: Conditioning | None = None
) -> ReloadCheck:
    """Compare the file with the network, which must be attached to `base`; it is left as it was.

    Args:
        caption: what the text states are taken of.
        text: the caption's conditioning, where no text encoder is trained; left out, it is made anew.
    """
    file, dtype = _read(path)
    in_file = by_layer(file)
    is_original = any(name.startswith(ORIGINAL) for name in in_file)
    layers = _layers_by_name(base, in_original_names=is_original)
    adapters = {name: one for name, one in in_file.items() if name in layers and fits(one, layers[name].like_weight)}
    unexpected = sum(_num_unexpected(one, name in layers, name in adapters) for name, one in in_file.items())
    unexpected += sum(is_original and "alpha" in one for one in adapters.values())
    usual = [name for name in _usual_names(layers, in_file) if network.has_text_encoder or not _is_text(name)]
    wanted = [name for name in usual if _in_kohya(name) not in network.left_out]
    missing = num_missing(in_file, wanted, with_alpha=not is_original)
    inputs = _Inputs.of(base, caption, clip_skip, text)
    strength, training = network.multiplier, network.training
    network.eval()
    try:
        worst = worst_of(_checked_layers(layers, adapters, dtype))
        network.multiplier = 0.0
        plain = inputs.conditioning(base)
        of_text = {name: one for name, one in adapters.items() if _is_text(name)}
        of_denoiser = {name: one for name, one in adapters.items() if not _is_text(name)}
        answer = partial(base.family.predict, base, inputs.latents, inputs.times, plain)
        text_change = _change(plain["states"], lambda: inputs.conditioning(base)["states"], layers, of_text)
        unet_change = _change(answer(), answer, layers, of_denoiser)
    finally:
        network.multiplier = strength
        network.train(training)
    return ReloadCheck(
        missing=missing,
        unexpected=unexpected,
        unet_change=unet_change,
        text_change=text_change,
        zero_change=worst.zero_change,
        difference=worst.difference,
        tolerance=worst.tolerance,
    )


def _checked_layers(
    layers: Mapping[str, _Layer], adapters: Mapping[str, Tensors], saved_as: torch.dtype
) -> Iterator[LayerCheck]:
    """Of each layer that has an adapter, in the file or in memory."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        for name, layer in layers.items():
            if name in adapters or attached_to(layer.module) is not None:
                yield check_layer(layer.module, adapters.get(name), saved_as)


def _change(
    plain: Tensor, compute: Callable[[], Tensor], layers: Mapping[str, _Layer], adapters: Mapping[str, Tensors]
) -> float:
    """How far what is computed with these adapters of the file is from what is computed without."""
    if not adapters:
        return 0.0
    with _hooked(layers, adapters):
        return _apart(compute(), plain)


def _layers_by_name(base: BaseModel, *, in_original_names: bool) -> dict[str, _Layer]:
    """Every layer that could have an adapter, by its name in a file of that kind."""
    layers = dict[str, _Layer]()
    for path, module in base.denoiser.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            name = base.family.name_in_lora(base, path)
            in_file = ORIGINAL + name if in_original_names else KOHYA + name.replace(".", "_")
            layers[in_file] = _Layer(module, base.family.adapted_with(path))
    if base.family.trains_text_encoders:
        layers |= _text_layers(base)
    return layers


def _text_layers(base: BaseModel) -> dict[str, _Layer]:
    layers = dict[str, _Layer]()
    for prefix, encoder in zip(TEXT_PREFIXES[len(base.text_encoders)], base.text_encoders, strict=True):
        for path, module in encoder.named_modules():
            if isinstance(module, nn.Linear) and path.rpartition(".")[2] in TEXT_LAYERS:
                tail = path.removeprefix("text_model.").replace(".", "_")
                layers[f"{prefix}_text_model_{tail}"] = _Layer(module, "always")
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
    def hook(layer: nn.Linear | nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + added(adapter, layer, inputs[0]).to(output.dtype)

    return hook


def _apart(one: Tensor, other: Tensor) -> float:
    """The length of the difference, relative to `other`."""
    one, other = one.to("cpu").double(), other.to("cpu").double()
    return float((one - other).norm() / other.norm().clamp(min=1e-30))
