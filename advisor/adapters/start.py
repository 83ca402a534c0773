"""Going on from a LoRA file: which of its tensors become which of the new training's, or why they cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from advisor.adapters.layout import MAGNITUDE, AdapterPlan, Shape, adapter_plans
from advisor.adapters.start_file import FileLayer, StartFile, file_layers
from advisor.checkpoints.dora_axis import magnitude_axis
from advisor.errors import ConfigError
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import AdapterKind, NetworkConfig, TrainingConfig
from advisor.units import counted

DOWN, UP, MID, ALPHA = "lora_down.weight", "lora_up.weight", "lora_mid.weight", "alpha"
ALIKE = {"locon": "lora"}
"""Kinds with the same tensors: one goes on from the other."""
TRAINED_KINDS: tuple[AdapterKind, ...] = ("lora", "locon", "dora", "loha", "lokr")
RESIZED_KINDS = ("lora", "locon", "dora")
"""Whose change is a product of two factors, so that its best approximation of another rank is known."""

NEVER_ADAPTED = re.compile(
    r"conv_in|conv_out|time_embedding|time_embed_|add_embedding|label_emb|input_blocks_0_0|unet_out_|norm"
    r"|token_embedding|position_embedding|text_projection"
    r"|x_embedder|t_embedder|adaln_modulation|final_layer|patch_embed|transformer_proj_out|(adapter|conditioner)_out_proj"
)
"""In the names of layers, with underscores, that some programs' presets adapt and ours never do."""
NO_WEIGHT = frozenset({"diff_b", "w_norm", "b_norm"})
"""Tensors that change a bias or a norm."""


@dataclass(frozen=True)
class StartLayer:
    """One adapter as the file has it."""

    plan: AdapterPlan
    found: FileLayer
    rank: int
    """In the file; the plan's where its tensors have none."""

    @property
    def is_resized(self) -> bool:
        """Whether its rank has to change."""
        return self.rank != self.plan.rank


@dataclass(frozen=True)
class Start:
    """What becomes of a file."""

    layers: Mapping[str, StartLayer]
    """By kohya's names, of the adapters that go on."""
    new: tuple[str, ...]
    """Adapters that the file has nothing of: they begin anew."""
    left_out: tuple[str, ...]
    """What the file has beside, by its own names."""
    faults: tuple[ConfigError, ...]
    """Why one cannot go on from it, at most one for each setting; nothing else counts then."""

    def notes(self) -> Iterator[str]:
        """What the user should hear of it, a sentence each."""
        if self.left_out:
            names = ", ".join(self.left_out[:3]) + (" ..." if len(self.left_out) > 3 else "")
            yield (
                f"{counted(len(self.left_out), 'layer')} of the LoRA to go on from ({names}) get no adapter here and are "
                "left out: the new LoRA begins without what they learned"
            )
        if self.new:
            yield (
                f"the LoRA to go on from has nothing of {counted(len(self.new), 'layer')} ({self.new[0]} ...): they begin "
                "anew"
            )
        resized = [layer for layer in self.layers.values() if layer.is_resized]
        if resized:
            ranks = ", ".join(map(str, sorted({layer.rank for layer in resized})))
            lost = any(layer.rank > layer.plan.rank for layer in resized)
            end = "by SVD, the nearest of that rank" if lost else "nothing of it is lost"
            yield f"the LoRA to go on from has rank {ranks} in {counted(len(resized), 'layer')} and is resized: {end}"


def start_of(file: StartFile, config: TrainingConfig, structure: Structure) -> Start:
    """What becomes of a file in that training."""
    plans = adapter_plans(
        config.model.family, structure, config.network, text_encoder=config.optimizer.trains_text_encoder
    )
    return fitted_start(file, config.model.family, structure, config.network, plans)


def fitted_start(
    file: StartFile, family_name: str, structure: Structure, network: NetworkConfig, plans: Sequence[AdapterPlan]
) -> Start:
    """The same for these adapters."""
    return _Fitting(file, family_name, structure, network, tuple(plans)).start()


@dataclass(frozen=True)
class _Fitting:
    file: StartFile
    family_name: str
    structure: Structure
    network: NetworkConfig
    plans: tuple[AdapterPlan, ...]

    def start(self) -> Start:
        wrong = tuple(self._wrong_file())
        if wrong:
            return Start({}, (), (), wrong)
        ours, others = file_layers(self.file, self._targets)
        plans = {plan.target.name: plan for plan in self.plans}
        layers = {
            name: StartLayer(plans[name], found, self._rank(found, plans[name]))
            for name, found in ours.items()
            if name in plans and not found.tensors.keys() <= NO_WEIGHT
        }
        faults = _first_of_each(
            *self._without_place(ours, others),
            *(fault for layer in layers.values() for fault in self._misfit(layer)),
            *self._wrong_ranks(layers),
        )
        left_out = [*(name for name in others if _is_left_out(name, others[name])), *_biases(ours)]
        new = tuple(name for name in plans if name not in layers)
        return Start(layers, new, tuple(left_out), faults)

    @cached_property
    def _targets(self) -> tuple[LoraTarget, ...]:
        ours = family(self.family_name).all_targets(self.structure)
        known = {target.name for target in ours}
        return ours + tuple(plan.target for plan in self.plans if plan.target.name not in known)

    def _wrong_file(self) -> Iterator[ConfigError]:
        """A file of another family or kind."""
        found, kind = self.file.identity, self.network.kind
        if found.family not in (None, self.family_name):
            mend = f"it is for {found.family}, and the base model is {self.family_name}: choose another LoRA"
            yield self._fault(mend)
        elif found.adapter not in TRAINED_KINDS:
            mend = f"it is of the kind {found.adapter}, which is not trained here: choose another LoRA"
            yield self._fault(mend)
        elif ALIKE.get(found.adapter, found.adapter) != ALIKE.get(kind, kind):
            yield ConfigError("network.kind", kind, f"{self.file.path} is a {found.adapter}: set {found.adapter} here")
        elif kind == "dora" and found.dora_axis not in (None, self.network.dora_axis):
            mend = f"{self.file.path} has lengths by {found.dora_axis}: set {found.dora_axis} here"
            yield ConfigError("network.dora_axis", self.network.dora_axis, mend)

    def _fault(self, mend: str) -> ConfigError:
        return ConfigError("network.start_from", self.file.path, mend)

    def _without_place(self, ours: Mapping[str, FileLayer], others: Mapping[str, FileLayer]) -> Iterator[ConfigError]:
        """Layers that the file adapts and this training does not."""
        planned = {plan.target.name for plan in self.plans}
        missing = [target for target in self._targets if target.name in ours and target.name not in planned]
        if any(target.part != "unet" for target in missing):
            mend = f"{self.file.path} adapts the text encoder too: give it a rate above 0 to go on with all of it"
            yield ConfigError("optimizer.text_encoder_learning_rate", 0.0, mend)
        between = [target for target in missing if target.part == "unet" and target.block is None]
        if between and not self.network.text_adapter:
            mend = (
                f"{self.file.path} adapts the layers between text encoder and denoiser too: true goes on with all of it"
            )
            yield ConfigError("network.text_adapter", False, mend)
        unet = [target for target in missing if target.part == "unet" and target.block is not None]
        if unet and not self.network.conv_rank and family(self.family_name).has_convolutions:
            ranks = [self._down_rank(ours[target.name]) for target in unet if target.kernel == 3]
            rank = next((rank for rank in ranks if rank), self.network.rank)
            mend = f"{self.file.path} adapts 3x3 convolutions too: set {rank} here to go on with all of it"
            yield ConfigError("network.conv_rank", 0, mend)
        elif unet:
            mend = f"{self.file.path} adapts {unet[0].name}, whose block has rank 0 here: give it a rank"
            yield ConfigError("network.block_ranks", list(self.network.block_ranks), mend)
        strange = [name for name, layer in others.items() if not _is_left_out(name, layer)]
        if strange:
            names = ", ".join(strange[:3]) + (" ..." if len(strange) > 3 else "")
            yield self._fault(f"it has {names}, for which this base model has no layer: it was made for another")

    def _misfit(self, layer: StartLayer) -> Iterator[ConfigError]:
        """Tensors that a layer's adapter lacks, or that have another shape than theirs but for the rank."""
        tensors = layer.found.tensors
        if layer.rank < 1 or (ALPHA in tensors and prod(self.file.shapes[tensors[ALPHA]]) != 1):
            yield self._fault(f"{layer.found.name} has no rank, or no alpha that is a number: it is damaged")
            return
        if MID in tensors:
            yield self._fault(f"{tensors[MID]} decomposes a convolution (Tucker), which ours do not: choose another")
            return
        lacking = sorted(layer.plan.shapes.keys() - tensors.keys())
        more = sorted(tensors.keys() - layer.plan.shapes.keys() - {ALPHA} - NO_WEIGHT)
        if lacking and more and layer.plan.shapes.keys() & tensors.keys():  # LoKr with the larger factor whole, or not
            yield self._fault(
                f"{layer.found.name} has {', '.join(more)} where this training has {', '.join(lacking)}: set the rank "
                "and factor (network.rank, network.factor) that it was made with"
            )
        elif lacking or more:
            what = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(more)} beside its factors"
            yield self._fault(f"{layer.found.name} {what}: it is cut short, or was made by a program we do not know")
        for suffix, wanted in layer.plan.shapes.items() if not lacking else ():
            found = layer.found.shape(self.file, suffix)
            if not _fits(suffix, found, _with_rank(wanted, layer, suffix)):
                yield self._fault(
                    f"{tensors[suffix]} is {list(found)}, wanted is {list(wanted)}: it was made for another model, "
                    f"or with other settings"
                )

    def _wrong_ranks(self, layers: Mapping[str, StartLayer]) -> Iterator[ConfigError]:
        """Ranks that differ where they may not be changed."""
        can_resize = self.network.kind in RESIZED_KINDS
        if can_resize and self.network.resize_start:
            return
        for path, is_wide in (("network.rank", False), ("network.conv_rank", True)):
            ranks = Counter(
                layer.rank
                for layer in layers.values()
                if layer.is_resized and layer.rank > 0 and (layer.plan.target.kernel == 3) == is_wide
            )
            if ranks:
                rank = ranks.most_common(1)[0][0]
                other = ", or network.resize_start=true, which resizes it by SVD" if can_resize else ""
                own = self.network.conv_rank if is_wide else self.network.rank
                yield ConfigError(
                    path, own, f"{self.file.path} has rank {rank}: set network.{path[8:]} to {rank}{other}"
                )

    def _rank(self, found: FileLayer, plan: AdapterPlan) -> int:
        rank = file_rank(self.file, found)
        return plan.rank if rank is None else rank

    def _down_rank(self, found: FileLayer) -> int | None:
        key = found.tensors.get(DOWN)
        return None if key is None or not self.file.shapes[key] else self.file.shapes[key][0]


def file_rank(file: StartFile, layer: FileLayer) -> int | None:
    """The inner width of a layer's adapter as the file has it; None where its tensors have none."""
    keys = (layer.tensors.get(suffix) for suffix in (DOWN, "hada_w1_b", "lokr_w2_b"))
    return next((file.shapes[key][0] for key in keys if key is not None and file.shapes[key]), None)


def _first_of_each(*faults: ConfigError) -> tuple[ConfigError, ...]:
    """The first error of each setting."""
    found: dict[str, ConfigError] = {}
    for fault in faults:
        found.setdefault(fault.path, fault)
    return tuple(found.values())


def _is_left_out(name: str, layer: FileLayer) -> bool:
    return bool(NEVER_ADAPTED.search(name.replace(".", "_"))) or layer.tensors.keys() <= NO_WEIGHT


def _biases(ours: Mapping[str, FileLayer]) -> Iterator[str]:
    """Biases that are changed beside a layer's weight."""
    yield from (f"{layer.name} (its bias)" for layer in ours.values() if layer.tensors.keys() & NO_WEIGHT)


def _with_rank(shape: Shape, layer: StartLayer, suffix: str) -> Shape:
    """A tensor's shape with the file's rank in place of the plan's."""
    axis = {DOWN: 0, UP: 1, "hada_w1_a": 1, "hada_w2_a": 1, "hada_w1_b": 0, "hada_w2_b": 0}.get(suffix)
    axis = {"lokr_w2_a": 1, "lokr_w2_b": 0}.get(suffix, axis)
    return shape if axis is None else (*shape[:axis], layer.rank, *shape[axis + 1 :])


def _fits(suffix: str, found: Shape, wanted: Shape) -> bool:
    """Whether a file's tensor is ours but for 1s: linear layers may be written as 1x1 convolutions, or flat."""
    if suffix != MAGNITUDE:
        return without_ones(found) == without_ones(wanted)
    lengths = [side for side in found if side != 1] or [1]
    return lengths == [wanted[1] if magnitude_axis(wanted) == "input" else wanted[0]]


def without_ones(shape: Shape) -> Shape:
    """A shape without the kernel of a 1x1 convolution, which is a linear layer."""
    return shape[:2] if shape[2:] == (1, 1) else shape
