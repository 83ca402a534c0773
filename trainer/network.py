"""The LoRA: an adapter for every layer that the family's table names, under kohya's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from advisor.config import NetworkConfig
from advisor.errors import ConfigError, ModelError
from advisor.families import family
from advisor.families.structure import LoraTarget
from trainer.families.family import BaseModel
from trainer.lora_layer import Dropouts, LoraLayer
from trainer.weights import open_weights

Part = Literal["unet", "text_encoder"]
"""What has a learning rate of its own; `text_encoder` stands for all text encoders."""

TRAINED_KINDS = ("lora", "locon")
"""The kinds of adapters that this network has."""


class Network(nn.Module):
    """The adapters of a base model, in the order of the family's table. `state_dict` is ours; files: `lora_state`."""

    def __init__(self, adapters: Mapping[str, LoraLayer], parts: Mapping[str, Part], unused: frozenset[str]) -> None:
        """Hold adapters by kohya's names; those in `unused` are kept in files but not trained."""
        super().__init__()
        self.adapters = nn.ModuleDict(adapters)
        self._parts = dict(parts)
        self._multiplier = 1.0
        self._unused = unused
        for name in unused:
            adapters[name].requires_grad_(False)

    @classmethod
    def attach(
        cls,
        base: BaseModel,
        config: NetworkConfig,
        *,
        text_encoder: bool,
        clip_skip: int = 1,
        generator: torch.Generator | None = None,
    ) -> Network:
        """A network on `base`, which changes nothing yet or goes on from the LoRA at `config.start_from`.

        `detach` leaves the base model as it was.

        Args:
            text_encoder: whether the text encoders get adapters.
            clip_skip: layers of the text encoder that are never reached keep adapters of zero.
            generator: on the CPU, for the first weights; left out, seed 0.

        Raises:
            ConfigError: this trainer has no such adapters.
            ModelError: the LoRA to go on from cannot be read or does not fit.
        """
        _check(config)
        generator = generator or torch.Generator().manual_seed(0)
        targets = family(base.family.name).lora_targets(base.structure, conv=config.conv_rank > 0)
        adapters: dict[str, LoraLayer] = {}
        parts: dict[str, Part] = {}
        unused = set()
        for target in targets:
            if target.part != "unet" and not text_encoder:
                continue
            adapters[target.name] = _adapter(base.layer(target), target, config, generator)
            parts[target.name] = "unet" if target.part == "unet" else "text_encoder"
            if target.part != "unet" and base.family.is_skipped(base, target, clip_skip):
                unused.add(target.name)
        network = cls(adapters, parts, frozenset(unused))
        if config.start_from is not None:
            network.start_from(Path(config.start_from))
        for adapter in adapters.values():
            adapter.attach()
        return network.train()

    def detach(self) -> None:
        """Leave the base model as it was before `attach`."""
        for adapter in self.layers.values():
            adapter.detach()

    @property
    def names(self) -> tuple[str, ...]:
        """The adapters' names in a kohya file, in its order."""
        return tuple(self.layers)

    @property
    def has_text_encoder(self) -> bool:
        """Whether a text encoder is trained."""
        return "text_encoder" in self._parts.values()

    @property
    def multiplier(self) -> float:
        """How strongly the adapters count; 0 is the base model alone."""
        return self._multiplier

    @multiplier.setter
    def multiplier(self, value: float) -> None:
        self._multiplier = value
        for adapter in self.layers.values():
            adapter.multiplier = value

    def parameters_of(self, part: Part) -> list[nn.Parameter]:
        """What is trained of one part, float32; empty where the part has no adapters."""
        return [
            parameter
            for name, adapter in self.layers.items()
            if self._parts[name] == part and name not in self._unused
            for parameter in (adapter.down, adapter.up)
        ]

    def seed_dropout(self, seed: int) -> None:
        """Choose what is left out in the next step; does nothing where nothing ever is."""
        for index, adapter in enumerate(self.layers.values()):
            if adapter.dropouts.any:
                # Adapters get far-apart seeds; two for each, because `LoraLayer` also uses the next one.
                adapter.seed_dropout((seed * 1_000_003 + index * 7_919) % 2**62)

    def lora_state(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The adapters under kohya's names, as copies on the CPU."""
        state = {}
        for name, adapter in self.layers.items():
            state[f"{name}.alpha"] = torch.tensor(adapter.alpha, dtype=dtype)
            state[f"{name}.lora_down.weight"] = adapter.down.detach().to("cpu", dtype, copy=True)
            state[f"{name}.lora_up.weight"] = adapter.up.detach().to("cpu", dtype, copy=True)
        return state

    def load_lora_state(self, state: Mapping[str, Tensor], where: str = "the LoRA") -> None:
        """Take over weights under kohya's names. An alpha other than ours is worked into `up`.

        Raises:
            ModelError: a name is missing or unexpected, or a rank or width differs; nothing is changed then.
        """
        self._check_state(state, where)
        with torch.no_grad():
            for name, adapter in self.layers.items():
                alpha = state.get(f"{name}.alpha")
                factor = 1.0 if alpha is None else float(alpha) / adapter.alpha
                if alpha is None:
                    factor = adapter.rank / adapter.alpha
                adapter.down.copy_(state[f"{name}.lora_down.weight"])
                adapter.up.copy_(state[f"{name}.lora_up.weight"].float() * factor)

    def start_from(self, path: Path) -> None:
        """Go on from a LoRA file.

        Raises:
            ModelError: the file cannot be read or does not fit this network.
        """
        with open_weights([path], path) as weights:
            state = {name: weights.tensor(name) for name in weights.names}
        self.load_lora_state(state, str(path))

    def _check_state(self, state: Mapping[str, Tensor], where: str) -> None:
        wanted = {
            f"{name}.{key}": parameter.shape
            for name, adapter in self.layers.items()
            for key, parameter in (("lora_down.weight", adapter.down), ("lora_up.weight", adapter.up))
        }
        optional = {f"{name}.alpha" for name in self.layers}
        _refuse(where, "lacks", sorted(wanted.keys() - state.keys()))
        _refuse(where, "has weights that this LoRA has no place for", sorted(state.keys() - wanted.keys() - optional))
        for key, shape in wanted.items():
            found = state[key].shape
            if found != shape:
                down = key.endswith("lora_down.weight")
                mend = (
                    f"set network.rank to {found[0]}" if down and found[1:] == shape[1:] else "it is for another model"
                )
                raise ModelError(f"{where} does not fit: {key} is {list(found)}, wanted is {list(shape)}: {mend}")

    @property
    def layers(self) -> dict[str, LoraLayer]:
        """Every adapter by its name in a kohya file."""
        return dict(self.adapters.items())  # type: ignore[arg-type]


def _adapter(layer: nn.Module, target: LoraTarget, config: NetworkConfig, generator: torch.Generator) -> LoraLayer:
    assert isinstance(layer, nn.Linear | nn.Conv2d), target
    is_wide = target.kernel > 1
    rank = config.conv_rank if is_wide else config.rank
    alpha = config.alpha
    if is_wide:
        alpha = config.conv_alpha or config.alpha / config.rank * config.conv_rank
    dropouts = Dropouts(config.dropout, config.rank_dropout, config.module_dropout)
    return LoraLayer(layer, rank, alpha, dropouts, generator)


def _check(config: NetworkConfig) -> None:
    if config.kind not in TRAINED_KINDS:
        raise ConfigError("network.kind", config.kind, f"this trainer has {' and '.join(TRAINED_KINDS)}")
    if config.block_ranks:
        raise ConfigError("network.block_ranks", list(config.block_ranks), "this trainer has one rank for all blocks")


def _refuse(where: str, verb: str, keys: Sequence[str]) -> None:
    if keys:
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        raise ModelError(
            f"{where} {verb} {', '.join(keys[:4])}{more}: it was made for another model or kind of adapter"
        )
