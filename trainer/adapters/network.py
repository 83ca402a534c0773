"""The LoRA: an adapter for every layer that the family's table names, under kohya's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from advisor.adapters.layout import MAGNITUDE, AdapterPlan, adapter_plans
from advisor.adapters.start import ALPHA, DOWN, UP, StartLayer, fitted_start
from advisor.adapters.start_file import FileLayer, read_start
from advisor.errors import ConfigErrors, ModelError
from advisor.estimate.adapter_copies import are_copied
from advisor.families import family
from advisor.settings.config import MemoryConfig, NetworkConfig
from trainer.adapters import ADAPTERS, Adapter, Dropouts, Rows
from trainer.adapters.compute_copies import ComputeCopies
from trainer.adapters.resize import resized
from trainer.device.choose import COMPUTE_DTYPES
from trainer.models.families.family import BaseModel
from trainer.models.weight_files import Source, Weights, open_weights
from trainer.optim.optimizer import TrainedPart


class Network(nn.Module):
    """The adapters of a base model, in the order of the family's table. `state_dict` is ours; files: `lora_state`."""

    def __init__(
        self, adapters: Mapping[str, Adapter], plans: Mapping[str, AdapterPlan], unused: frozenset[str]
    ) -> None:
        """Hold adapters by kohya's names; those in `unused` are kept in files but not trained."""
        super().__init__()
        self.adapters = nn.ModuleDict(adapters)
        self._plans = dict(plans)
        self._multiplier = 1.0
        self._unused = unused
        self.left_out: frozenset[str] = frozenset()
        """Layers whose block has rank 0: the file has nothing of them."""
        self.start_notes: tuple[str, ...] = ()
        """What of the LoRA that was gone on from did not arrive as it was; sentences for the user."""
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
            ConfigError: `block_ranks` does not fit the model's blocks.
            ModelError: the LoRA to go on from cannot be read or does not fit.
        """
        generator = generator or torch.Generator().manual_seed(0)
        adapters: dict[str, Adapter] = {}
        plans: dict[str, AdapterPlan] = {}
        unused = set()
        dropouts = Dropouts(config.dropout, config.rank_dropout, config.module_dropout)
        for plan in adapter_plans(base.family.name, base.structure, config, text_encoder=text_encoder):
            target, layer = plan.target, base.layer(plan.target)
            assert isinstance(layer, nn.Linear | nn.Conv2d), target
            adapters[target.name] = ADAPTERS[config.kind](layer, plan, dropouts, generator)
            plans[target.name] = plan
            if target.part != "unet" and base.family.is_skipped(base, target, clip_skip):
                unused.add(target.name)
        network = cls(adapters, plans, frozenset(unused))
        network.left_out = _left_out(base, config, plans)
        if config.start_from is not None:
            network.start_from(Path(config.start_from), base, config)
        for adapter in adapters.values():
            adapter.attach()
        return network.train()

    def detach(self) -> None:
        """Leave the base model as it was before `attach`."""
        for adapter in self.layers.values():
            adapter.detach()

    @contextmanager
    def detached(self) -> Iterator[None]:
        """Within, the base model is as it was before `attach`."""
        self.detach()
        try:
            yield
        finally:
            for adapter in self.layers.values():
                adapter.attach()

    @property
    def names(self) -> tuple[str, ...]:
        """The adapters' names in a kohya file, in its order."""
        return tuple(self.layers)

    @property
    def has_text_encoder(self) -> bool:
        """Whether a text encoder is trained."""
        return any(plan.target.part != "unet" for plan in self._plans.values())

    @property
    def multiplier(self) -> float:
        """How strongly the adapters count; 0 is the base model alone."""
        return self._multiplier

    @multiplier.setter
    def multiplier(self, value: float) -> None:
        self._multiplier = value
        for adapter in self.layers.values():
            adapter.multiplier = value

    def parameters_of(self, part: TrainedPart) -> list[nn.Parameter]:
        """What is trained of one part, float32; empty where the part has no adapters."""
        return [
            parameter
            for name, adapter in self.layers.items()
            if (self._plans[name].target.part == "unet") == (part == "unet") and name not in self._unused
            for parameter in adapter.parameters()
        ]

    def parameters_by_block(self) -> dict[int, list[nn.Parameter]]:
        """What is trained of the denoiser, by kohya's number of the block (`LoraTarget.block`), in the file's order.

        Layers before the first block, as a text adapter's are, count to it.
        """
        blocks: dict[int, list[nn.Parameter]] = {}
        for name, adapter in self.layers.items():
            target = self._plans[name].target
            if target.part == "unet":
                blocks.setdefault(target.block or 0, []).extend(adapter.parameters())
        return blocks

    def copies(self, memory: MemoryConfig) -> ComputeCopies:
        """Copies in the compute dtype of what the adapters compute with, to be cast for each step, if there are any."""
        adapters = self.layers.values() if are_copied(memory) else ()
        return ComputeCopies.of(adapters, COMPUTE_DTYPES[memory.compute_dtype])

    def cap_norms(self, most: float) -> None:
        """Scale down every adapter whose weight delta has a Frobenius norm above `most`; kohya's scale_weight_norms."""
        for adapter in self.layers.values():
            if any(factor.requires_grad for factor in adapter.factors()):
                adapter.cap_norm(most)

    def seed_dropout(self, seed: int) -> None:
        """Seed every adapter's dropout for the next step; does nothing without dropout."""
        for index, adapter in enumerate(self.layers.values()):
            if adapter.dropouts.any:
                # Adapters get far-apart seeds; two for each, because `Adapter.rng` also uses the next one.
                adapter.seed_dropout((seed * 1_000_003 + index * 7_919) % 2**62)

    def draw_dropout_of(self, rows: Rows | None) -> None:
        """What the next forward passes have of the batch that dropout is drawn for; None: all of it."""
        for adapter in self.layers.values():
            adapter.rows = rows

    def lora_state(self, dtype: torch.dtype, *, scaled: bool = False) -> dict[str, Tensor]:
        """The adapters under the names that kohya, LyCORIS and ComfyUI know, as copies on the CPU.

        Args:
            scaled: alpha / rank is worked into the weights, before they are rounded, and alpha is the rank.
        """
        state = {}
        for name, adapter in self.layers.items():
            state[f"{name}.alpha"] = torch.tensor(float(adapter.rank) if scaled else adapter.file_alpha, dtype=dtype)
            for suffix, tensor in (adapter.scaled_tensors if scaled else adapter.tensors).items():
                kept_as = torch.float32 if suffix == MAGNITUDE else dtype
                state[f"{name}.{suffix}"] = tensor.detach().to("cpu", kept_as, copy=True)
        return state

    def load_lora_state(self, state: Mapping[str, Tensor], where: str = "the LoRA") -> None:
        """Take over weights under those names. An alpha other than ours is worked into the weights.

        Raises:
            ModelError: a name is missing or unexpected, or a rank or width differs; nothing is changed then.
        """
        state = self._in_our_shapes(state)
        self._check_state(state, where)
        for name, adapter in self.layers.items():
            alpha = state.get(f"{name}.alpha")
            tensors = {suffix: state[f"{name}.{suffix}"] for suffix in adapter.tensors}
            adapter.load(tensors, None if alpha is None else float(alpha))

    def start_from(self, path: Path, base: BaseModel, config: NetworkConfig) -> None:
        """Go on from a LoRA file; `start_notes` say what of it does not arrive as it was.

        Raises:
            ModelError: the file cannot be read, or is no LoRA.
            ConfigErrors: it does not fit this network.
        """
        start = fitted_start(read_start(path), base.family.name, base.structure, config, tuple(self._plans.values()))
        if start.faults:
            raise ConfigErrors(start.faults)
        self.start_notes = tuple(start.notes())
        with open_weights([path], path) as weights:
            for name, layer in start.layers.items():
                take_over(self.layers[name], layer, weights)

    def _in_our_shapes(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Linear layers as matrices: sd-scripts takes some of SD2's for 1x1 convolutions, which are the same."""
        wanted = {
            f"{name}.{suffix}": one for name, layer in self.layers.items() for suffix, one in layer.tensors.items()
        }
        return {
            key: found[:, :, 0, 0] if found.shape[2:] == (1, 1) and key in wanted and wanted[key].ndim == 2 else found
            for key, found in state.items()
        }

    def _check_state(self, state: Mapping[str, Tensor], where: str) -> None:
        wanted = {
            f"{name}.{suffix}": (parameter.shape, adapter.rank)
            for name, adapter in self.layers.items()
            for suffix, parameter in adapter.tensors.items()
        }
        optional = {f"{name}.alpha" for name in self.layers}
        _refuse(where, "lacks", sorted(wanted.keys() - state.keys()))
        _refuse(where, "has weights that this LoRA has no place for", sorted(state.keys() - wanted.keys() - optional))
        for key, (shape, rank) in wanted.items():
            found = state[key].shape
            if found != shape:
                other = _other_rank(found, shape, rank)
                mend = f"set network.rank to {other}" if other else "it is for another model"
                raise ModelError(f"{where} does not fit: {key} is {list(found)}, wanted is {list(shape)}: {mend}")

    @property
    def layers(self) -> dict[str, Adapter]:
        """Every adapter by its name in a kohya file."""
        return dict(self.adapters.items())  # type: ignore[arg-type]


def rows_of(weights: Weights, layer: FileLayer, suffix: str) -> Tensor:
    """One of a layer's tensors in a file, by kohya's word: its own rows where it is for several layers at once."""
    key, share = layer.tensors[suffix], layer.share
    return Source(key, share.number, share.of if share.cuts(suffix) else 1).of(weights.tensor(key))


def take_over(adapter: Adapter, layer: StartLayer, weights: Weights) -> None:
    """Give an adapter the tensors that a file has for it, in its own shapes and of its own rank.

    Raises:
        ModelError: one of them is damaged.
    """
    keys = dict(layer.found.tensors)
    alpha_key = keys.get(ALPHA)
    alpha = layer.found.described_alpha if alpha_key is None else float(weights.tensor(alpha_key))
    tensors = {suffix: rows_of(weights, layer.found, suffix) for suffix in adapter.tensors}
    if layer.is_resized:
        tensors[DOWN], tensors[UP] = resized(tensors[DOWN], tensors[UP], adapter.tensors[DOWN].detach().cpu())
    shaped = {suffix: tensors[suffix].reshape(own.shape) for suffix, own in adapter.tensors.items()}
    adapter.load(shaped, None if alpha is None else alpha * adapter.rank / layer.rank)
    if not all(bool(one.isfinite().all()) for one in adapter.tensors.values()):
        name = layer.plan.target.name
        raise ModelError(f"{weights.where} is damaged: {name} holds NaN or infinity; take another LoRA")


def _left_out(base: BaseModel, config: NetworkConfig, plans: Mapping[str, AdapterPlan]) -> frozenset[str]:
    targets = family(base.family.name).lora_targets(
        base.structure, conv=config.conv_rank > 0, text_adapter=config.text_adapter
    )
    return frozenset(target.name for target in targets if target.part == "unet" and target.name not in plans)


def _other_rank(found: torch.Size, wanted: torch.Size, rank: int) -> int | None:
    """The rank of a tensor that differs from what is wanted in its rank alone."""
    if len(found) != len(wanted):
        return None
    differing = [axis for axis in range(len(found)) if found[axis] != wanted[axis]]
    return found[differing[0]] if len(differing) == 1 and wanted[differing[0]] == rank else None


def _refuse(where: str, verb: str, keys: Sequence[str]) -> None:
    if keys:
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        raise ModelError(
            f"{where} {verb} {', '.join(keys[:4])}{more}: it was made for another model or kind of adapter"
        )
