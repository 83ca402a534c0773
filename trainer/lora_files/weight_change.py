"""What the adapters in a LoRA file do to weights, for the check after saving: shares nothing with how they are trained.

Each kind of adapter is recognised by its tensors' names, and its change is written out as the kind's definition has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Tensors = Mapping[str, Tensor]
"""One layer's, by what stands after its name and a point."""

LORA = ("lora_down.weight", "lora_up.weight")
ADAPTER_TENSORS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "lora": (LORA,),
    "dora": ((*LORA, "dora_scale"),),
    "loha": (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
    "lokr": (("lokr_w1", "lokr_w2"), ("lokr_w1", "lokr_w2_a", "lokr_w2_b")),
}
"""The tensors of each kind beside `alpha`; LoKr's come in two ways."""
SUFFIXES = frozenset({"alpha", *(suffix for ways in ADAPTER_TENSORS.values() for way in ways for suffix in way)})
"""All that may stand after a layer's name, in kohya's and LyCORIS' words."""
SAME = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}
"""Other words for two of them."""
ZERO = ("lora_up.weight", "hada_w2_a", "lokr_w2", "lokr_w2_b")
"""The tensors, one a layer, that are zero in an adapter that does nothing."""


def by_layer(file: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """A file's tensors, layer by layer."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in file.items():
        name, suffix = _split(key)
        layers.setdefault(name, {})[suffix] = tensor
    return layers


def _split(key: str) -> tuple[str, str]:
    """A layer's name, which may have points in it, and kohya's word for its tensor."""
    suffix = next((one for one in (*SUFFIXES, *SAME) if key.endswith(f".{one}")), None)
    if suffix is None:
        name, _, suffix = key.partition(".")
        return name, suffix
    return key[: -len(suffix) - 1], SAME.get(suffix, suffix)


def num_missing(layers: Mapping[str, Tensors], names: Sequence[str], *, with_alpha: bool) -> int:
    """How many tensors the layers of these names lack, for the kind that most layers in the file are of.

    Args:
        with_alpha: each layer has one.
    """
    ways, every = ADAPTER_TENSORS[_kind(layers)], {"alpha"} if with_alpha else set()
    return sum(min(len({*every, *way} - layers.get(name, {}).keys()) for way in ways) for name in names)


def _kind(layers: Mapping[str, Tensors]) -> str:
    kinds = Counter(kind for tensors in layers.values() if (kind := _kind_of(tensors)) is not None)
    return kinds.most_common(1)[0][0] if kinds else "lora"


def _kind_of(tensors: Tensors) -> str | None:
    found = tensors.keys() - {"alpha"}
    return next((kind for kind, ways in ADAPTER_TENSORS.items() if any(found == set(way) for way in ways)), None)


def is_complete(tensors: Tensors) -> bool:
    """Whether they have the names of one kind's tensors, no more and no less."""
    return _kind_of(tensors) is not None


def fits(tensors: Tensors, weight: Tensor) -> bool:
    """Whether the tensors are those of one adapter and make a change of the weight's shape."""
    if not is_complete(tensors) or tensors.get("alpha", torch.zeros(())).ndim:
        return False
    measures = {suffix: tensor if suffix == "alpha" else tensor.to("meta") for suffix, tensor in tensors.items()}
    if any(tensor.ndim < 2 for suffix, tensor in measures.items() if suffix != "alpha"):
        return False
    try:
        return change(measures, weight.detach().to("meta")).shape == weight.shape
    except RuntimeError:
        return False


def change(tensors: Tensors, weight: Tensor) -> Tensor:
    """What an adapter adds to its layer's weight, in float32."""
    kind = _kind_of(tensors)
    low = {suffix: one.to(weight.device, torch.float32) for suffix, one in tensors.items() if suffix != "alpha"}
    if kind == "loha":
        pairs = [torch.einsum("or,ri->oi", low[f"hada_w{n}_a"], low[f"hada_w{n}_b"]) for n in (1, 2)]
        return (pairs[0] * pairs[1] * _scale(tensors, low["hada_w1_b"].shape[0])).reshape(weight.shape)
    if kind == "lokr":
        return _kronecker(tensors, low).reshape(weight.shape)
    down, up = low["lora_down.weight"], low["lora_up.weight"]
    added: Tensor = torch.tensordot(up.reshape(up.shape[0], -1), down, dims=1) * _scale(tensors, down.shape[0])
    if kind != "dora":
        return added
    both = weight.float() + added
    return low["dora_scale"] / _lengths(both, low["dora_scale"]) * both - weight.float()


def added(tensors: Tensors, layer: nn.Linear | nn.Conv2d, x: Tensor) -> Tensor:
    """What an adapter adds to its layer's answer for `x`, in float32."""
    if _kind_of(tensors) != "lora":
        return applied(layer, x.float(), change(tensors, layer.weight))
    # The change of the weight as a whole is hundreds of times as large as its two factors.
    down, up = (tensors[suffix].to(x.device, torch.float32) for suffix in LORA)
    inner = applied(layer, x.float(), down) * _scale(tensors, down.shape[0])
    up = up.reshape(up.shape[0], -1)
    return functional.conv2d(inner, up[:, :, None, None]) if down.ndim > 2 else functional.linear(inner, up)


def applied(layer: nn.Linear | nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """What the layer would give for `x` with this weight and without a bias."""
    if isinstance(layer, nn.Conv2d):
        padding: Any = layer.padding
        return functional.conv2d(x, weight, None, layer.stride, padding, layer.dilation, layer.groups)
    return functional.linear(x, weight)


def _lengths(weight: Tensor, like: Tensor) -> Tensor:
    """A weight's lengths along the axes that a DoRA's `dora_scale` has one entry for: [O, 1] or [1, I], 1s after it."""
    over = [axis for axis in range(weight.ndim) if axis >= like.ndim or like.shape[axis] == 1]
    return weight.float().square().sum(over).sqrt().reshape(like.shape)


def _kronecker(tensors: Tensors, low: Tensors) -> Tensor:
    small, scale = low["lokr_w1"], 1.0
    large = low.get("lokr_w2")
    if large is None:
        large = torch.einsum("or,ri->oi", low["lokr_w2_a"], low["lokr_w2_b"])
        scale = _scale(tensors, low["lokr_w2_b"].shape[0])
    product: Tensor = torch.einsum("ab,cd->acbd", small, large.reshape(large.shape[0], -1)) * scale
    return product


def _scale(tensors: Tensors, rank: int) -> float:
    return float(tensors["alpha"]) / rank if "alpha" in tensors else 1.0


def zeroed(tensors: Tensors, weight: Tensor) -> dict[str, Tensor]:
    """The same adapter as it would be before training, in float32."""
    made = {suffix: torch.zeros_like(one) if suffix in ZERO else one for suffix, one in tensors.items()}
    if "dora_scale" in made:
        made["dora_scale"] = _lengths(weight, made["dora_scale"])
    return made
