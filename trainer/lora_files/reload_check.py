"""Whether the saved LoRA does what the trained one did, found out by code that shares nothing with saving or training.

It reads the file, finds each layer by kohya's way of making names, and adds what its adapter's change of the weight
(`trainer.lora_files.weight_change`) makes of the input, by plain hooks on the base model, in float32.
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
from trainer.models.families.family import BaseModel, Conditioning

LATENT_SIDE = 16
"""Of the latents that the outputs are compared on; small, because every part is used at any size."""
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
"""What kohya's trainer adapts in a text encoder."""
TEXT_PREFIXES = {1: ("lora_te",), 2: ("lora_te1", "lora_te2")}
"""What names begin with, by the number of text encoders."""


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
    is_text: bool

    @property
    def weight(self) -> Tensor:
        weight = self.module.weight
        assert isinstance(weight, Tensor), self.path
        return weight

    @property
    def is_in_attention(self) -> bool:
        return self.is_text or ".attentions." in self.path

    @property
    def is_in_resnet(self) -> bool:
        return any(f".{part}." in self.path for part in ("resnets", "downsamplers", "upsamplers"))


@dataclass(frozen=True)
class _Inputs:
    latents: Tensor
    times: Tensor
    token_ids: tuple[Tensor, ...]
    clip_skip: int


@torch.no_grad()
def check_saved(path: Path, base: BaseModel, network: Network, caption: str, *, clip_skip: int) -> ReloadCheck:
    """Compare the file with the network, which must be attached to `base`; it is left as it was.

    Args:
        caption: what the text states are compared on.
    """
    layers = _layers_by_name(base)
    file, dtype = _read(path)
    in_file = by_layer(file)
    adapters = {name: one for name, one in in_file.items() if name in layers and fits(one, layers[name].weight)}
    unexpected = sum(_num_unexpected(one, name in layers, name in adapters) for name, one in in_file.items())
    trains_text = any(not name.startswith("lora_unet") for name in network.names)
    usual = [name for name in _usual_names(layers, in_file) if trains_text or name.startswith("lora_unet")]
    missing = num_missing(in_file, [name for name in usual if name not in network.left_out])
    inputs = _inputs(base, caption, clip_skip)
    strength, training = network.multiplier, network.training
    network.eval()
    try:
        trained_text, trained = _outputs(base, inputs)
        network.multiplier = 0.0
        plain_text, plain = _outputs(base, inputs)
        with _hooked(layers, adapters):
            _, with_file = _outputs(base, inputs)
        with _hooked(layers, {name: one for name, one in adapters.items() if name.startswith("lora_unet")}):
            _, with_unet = _outputs(base, inputs)
        with _hooked(layers, {name: one for name, one in adapters.items() if not name.startswith("lora_unet")}):
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


def _layers_by_name(base: BaseModel) -> dict[str, _Layer]:
    """Every layer that could have an adapter, by its name in a kohya file."""
    layers = dict[str, _Layer]()
    for path, module in base.denoiser.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            name = base.family.name_in_lora(base, path)
            layers["lora_unet_" + name.replace(".", "_")] = _Layer(module, path, is_text=False)
    prefixes = TEXT_PREFIXES[len(base.text_encoders)]
    for prefix, encoder in zip(prefixes, base.text_encoders, strict=True):
        for path, module in encoder.named_modules():
            if isinstance(module, nn.Linear) and path.rpartition(".")[2] in TEXT_LAYERS:
                tail = path.removeprefix("text_model.").replace(".", "_")
                layers[f"{prefix}_text_model_{tail}"] = _Layer(module, path, is_text=True)
    return layers


def _usual_names(layers: Mapping[str, _Layer], in_file: Mapping[str, Tensors]) -> list[str]:
    """The layers that every LoRA has: all in attention blocks; with convolutions only where the file has any."""
    has_convolutions = any(name in layers and layers[name].is_in_resnet for name in in_file)
    return [
        name for name, layer in layers.items() if layer.is_in_attention or (has_convolutions and layer.is_in_resnet)
    ]


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


def _inputs(base: BaseModel, caption: str, clip_skip: int) -> _Inputs:
    side = LATENT_SIDE * base.structure.vae.factor
    rng = torch.Generator("cpu").manual_seed(0)
    latents = torch.randn(1, *base.family.latent_shape(base.structure, side, side), generator=rng)
    ids = tuple(tokens.to(base.device) for tokens in base.family.tokenize(base, [caption]))
    return _Inputs(latents.to(base.device, base.dtype), base.middle_time, ids, clip_skip)


def _outputs(base: BaseModel, inputs: _Inputs) -> tuple[Tensor, Tensor]:
    """The text states and the denoiser's answer, in float64 on the CPU."""
    text: Conditioning = base.family.encode_text(base, inputs.token_ids, clip_skip=inputs.clip_skip)
    answer = base.family.predict(base, inputs.latents, inputs.times, text)
    return text["states"].to("cpu").double(), answer.to("cpu").double()


def _apart(one: Tensor, other: Tensor) -> float:
    """The length of the difference, relative to `other`."""
    return float((one - other).norm() / other.norm().clamp(min=1e-30))


def _tolerance(saved: torch.dtype, computed: torch.dtype, *, change: float) -> float:
    """Weights are rounded to `saved`, which shows in proportion to what they change; answers to `computed`."""
    return 4 * torch.finfo(saved).eps * change + 64 * torch.finfo(computed).eps
