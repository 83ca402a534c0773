"""The adapters of a LoRA file as they are, to draw with it: each layer of the rank that the file has for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from advisor.adapters.layout import AdapterPlan, Shapes, adapter_shapes
from advisor.adapters.start import NO_WEIGHT, TRAINED_KINDS, StartLayer, file_rank, fitted_start, without_ones
from advisor.adapters.start_file import FileLayer, StartFile, file_layers
from advisor.errors import ModelError
from advisor.families import family
from advisor.families.structure import LoraTarget, Structure
from advisor.settings.config import AdapterKind, NetworkConfig
from advisor.units import counted

KRONECKER_FACTORS = ("lokr_w1", "lokr_w2", "lokr_w2_a", "lokr_w2_b")


@dataclass(frozen=True)
class FileAdapters:
    """What of a file is applied to a base model."""

    kind: AdapterKind
    layers: Mapping[str, StartLayer]
    """By kohya's names; each plan has the file's rank and shapes."""
    left_out: tuple[str, ...]
    """What the file changes beside, by its own names."""

    def notes(self) -> tuple[str, ...]:
        """What the user should hear of it."""
        if not self.left_out:
            return ()
        names = ", ".join(self.left_out[:3]) + (" ..." if len(self.left_out) > 3 else "")
        return (
            f"{counted(len(self.left_out), 'layer')} of the LoRA ({names}) cannot be applied here and are left out: "
            "programs that apply them draw other pictures",
        )


def file_adapters(file: StartFile, family_name: str, structure: Structure) -> FileAdapters:
    """The adapters that a file has for a base model.

    Raises:
        ModelError: it is for another family or model, or of a kind that is not known here.
    """
    found = file.identity
    if found.family not in (None, family_name):
        raise ModelError(
            f"{file.path} is for {found.family}, and the base model is {family_name}: name a base model of its family"
        )
    kind = next((kind for kind in TRAINED_KINDS if kind == found.adapter), None)
    if kind is None:
        raise ModelError(
            f"{file.path} is of the kind {found.adapter}, which is not drawn with here: known are "
            f"{', '.join(TRAINED_KINDS)}"
        )
    network = NetworkConfig(kind=kind, dora_axis=found.dora_axis or "output", conv_rank=1)
    targets = {target.name: target for target in family(family_name).known_layers(structure)}
    ours, _ = file_layers(file, targets.values())
    plans = [
        _plan(file, layer, targets[name], network)
        for name, layer in ours.items()
        if not layer.tensors.keys() <= NO_WEIGHT
    ]
    start = fitted_start(file, family_name, structure, network, plans)
    if start.faults:
        raise ModelError(f"{file.path} does not fit the base model: {'; '.join(fault.mend for fault in start.faults)}")
    if not start.layers:
        raise ModelError(f"{file.path} has nothing for any layer of the base model: name the one it was made for")
    return FileAdapters(kind, start.layers, start.left_out)


def _plan(file: StartFile, layer: FileLayer, target: LoraTarget, network: NetworkConfig) -> AdapterPlan:
    rank = file_rank(file, layer) or 1
    shapes = _kronecker(file, layer, target) if network.kind == "lokr" else adapter_shapes(target, network, rank)
    return AdapterPlan(target, rank, float(rank), shapes)


def _kronecker(file: StartFile, layer: FileLayer, target: LoraTarget) -> Shapes:
    """A LoKr's factors as the file has them: how a layer was split stands nowhere else.

    Raises:
        ModelError: their product has another size than the layer.
    """
    found = {
        suffix: without_ones(file.shapes[key]) for suffix, key in layer.tensors.items() if suffix in KRONECKER_FACTORS
    }
    small, large = found.get("lokr_w1", ()), found.get("lokr_w2", ())
    if "lokr_w2_a" in found and "lokr_w2_b" in found:
        large = (*found["lokr_w2_a"][:1], *found["lokr_w2_b"][1:])
    size = target.out_features * target.in_features * max(target.kernel, 1) ** 2
    if prod(small) * prod(large) != size:
        raise ModelError(f"{file.path} does not fit the base model: {layer.name} has factors for another layer")
    return MappingProxyType(found)
