"""What a LoRA file is: the kind of adapter, its rank and alpha, who wrote it and for which family."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

from advisor.checkpoints.dora_axis import DoraAxis, magnitude_axis
from advisor.checkpoints.lora_family import Adapted, lora_family
from advisor.families.structure import Prediction
from advisor.json_text import Malformed, parse_json
from advisor.tensor_files.header import TensorInfo

ReadScalar = Callable[[str], float | None]
"""The value of a tensor of one number, by name."""

_SUFFIX = re.compile(
    r"(?P<module>.+?)(?:"
    r"[._](?P<old>lora)\.(?P<old_side>down|up)\.weight"
    r"|\.lora_linear_layer\.(?P<linear_side>down|up)\.weight"
    r"|\.lora_(?P<side>down|up|mid)(?:\.weight)?"
    r"|\.lora_(?P<peft>A|B)(?:\.(?!weight)\w+)?(?:\.weight)?"
    r"|\.(?P<other>alpha|hada_\w+|lokr_\w+|oft_\w+(?:\.weight)?|boft_\w+|dora_scale|[ab][12]\.weight|bm\.weight"
    r"|on_input|rescale|lora_magnitude_vector(?:\.\w+)*|diff(?:_b)?|[wb]_norm)"
    r")$"
)
_TELLING = ("hada_", "lokr_", "oft_", "boft_", "on_input", "a1.weight", "diff")
_KINDS = (
    ("hada_", "loha"),
    ("lokr_", "lokr"),
    ("boft_", "boft"),
    ("on_input", "ia3"),
    ("a1.weight", "glora"),
)
_KOHYAS_OFT = ("oft_unet_", "oft_te")
"""How the layers of kohya's own OFT are named; LyCORIS' are `lora_...` as with its other kinds."""


@dataclass
class _Module:
    """The tensors of one adapted layer, by the part they play: `down`, `up`, `alpha`, `hada_w1_b` ..."""

    tensors: dict[str, TensorInfo]
    alpha_key: str | None = None

    @property
    def rank(self) -> int | None:
        """The inner width, where the adapter has one."""
        for role, axis in (("down", 0), ("hada_w1_b", 0), ("lokr_w2_b", 0), ("lokr_w1_b", 0)):
            if role in self.tensors and self.tensors[role].shape:
                return self.tensors[role].shape[axis]
        # GLoRA's is [R, I] or, from newer versions, [I, R].
        return min(self.tensors["a1.weight"].shape[:2], default=None) if "a1.weight" in self.tensors else None

    @property
    def is_larger_convolution(self) -> bool:
        down = self.tensors.get("down")
        return "mid" in self.tensors or (down is not None and len(down.shape) == 4 and down.shape[2] > 1)

    def adapted(self) -> Adapted:
        """The layer's widths, as far as the adapter's shapes tell."""
        return Adapted(self._inputs(), self._outputs(), self._axes())

    def _inputs(self) -> int | None:
        if "a1.weight" in self.tensors:
            return max(self.tensors["a1.weight"].shape[:2], default=None)
        for role in ("down", "hada_w1_b", "diff"):
            shape = self.tensors[role].shape if role in self.tensors else ()
            if len(shape) > 1:
                return shape[1]
        first, second = self._kron("w1", 1), self._kron("w2", 1)
        return first * second if first and second else None

    def _outputs(self) -> int | None:
        for role in ("up", "hada_w1_a", "diff"):
            if role in self.tensors and self.tensors[role].shape:
                return self.tensors[role].shape[0]
        first, second = self._kron("w1", 0), self._kron("w2", 0)
        return first * second if first and second else None

    def _kron(self, factor: str, axis: int) -> int | None:
        """One side of one factor of a LoKr, which is whole or itself a product a @ b."""
        whole = self.tensors.get(f"lokr_{factor}") or self.tensors.get(f"lokr_{factor}_{'ab'[axis]}")
        return whole.shape[axis] if whole is not None and len(whole.shape) > axis else None

    def _axes(self) -> int:
        first = self.tensors.get("down") or self.tensors.get("diff")
        return len(first.shape) if first is not None else 0

    def dora_axis(self) -> DoraAxis | None:
        """The side of the layer that a DoRA has lengths for; peft's are by output in whatever shape."""
        if any(role.startswith("lora_magnitude_vector") for role in self.tensors):
            return "output"
        lengths = self.tensors.get("dora_scale")
        return None if lengths is None else magnitude_axis(lengths.shape)


@dataclass(frozen=True)
class LoraFound:
    """What a file of adapters is; None where it cannot tell."""

    adapter: str
    rank: int | None
    alpha: float | None
    dora_axis: DoraAxis | None
    trainer: str | None
    family: str | None
    prediction: Prediction | None
    notes: tuple[str, ...]


def is_lora(tensors: Mapping[str, TensorInfo]) -> bool:
    """Some tensor of it is a part of an adapter."""
    return any(module.rank is not None or _telling(module) for module in _modules(tensors).values())


def find_lora(tensors: Mapping[str, TensorInfo], metadata: Mapping[str, str], read_scalar: ReadScalar) -> LoraFound:
    """What the adapters in these tensors are; `read_scalar` reads an alpha."""
    modules = _modules(tensors)
    rank, notes = _rank(modules)
    family, prediction, more = lora_family({name: one.adapted() for name, one in modules.items()}, metadata)
    return LoraFound(
        adapter=_kind(modules),
        rank=rank,
        alpha=_alpha(modules, rank, metadata, read_scalar),
        dora_axis=next((axis for module in modules.values() if (axis := module.dora_axis()) is not None), None),
        trainer=_trainer(modules, metadata),
        family=family,
        prediction=prediction,
        notes=notes + more,
    )


def _modules(tensors: Mapping[str, TensorInfo]) -> dict[str, _Module]:
    modules: dict[str, _Module] = {}
    for name, tensor in tensors.items():
        if (found := layer_and_role(name)) is None:
            continue
        layer, role = found
        module = modules.setdefault(layer, _Module({}))
        module.tensors[role] = tensor
        if role == "alpha":
            module.alpha_key = name
    return modules


def layer_and_role(name: str) -> tuple[str, str] | None:
    """(layer, part in its adapter) of a tensor by its name, whoever gave it; None: it is no adapter's.

    The parts of a LoRA are `down`, `up`, `mid`; all others are as the name has them: `alpha`, `dora_scale` ...
    """
    found = _SUFFIX.match(name)
    if not found:
        return None
    role = found["side"] or found["old_side"] or found["linear_side"] or found["other"]
    return found["module"], role or {"A": "down", "B": "up"}[found["peft"]]


def _telling(module: _Module) -> bool:
    return any(role.startswith(_TELLING) for role in module.tensors)


def _kind(modules: Mapping[str, _Module]) -> str:
    roles = {role for module in modules.values() for role in module.tensors}
    for start, kind in _KINDS:
        if any(role.startswith(start) for role in roles):
            return kind
    blocks = [module.tensors["oft_blocks"] for module in modules.values() if "oft_blocks" in module.tensors]
    if any(len(one.shape) == 4 for one in blocks):
        return "boft"
    if any(role.startswith("oft_") for role in roles):
        return "diag-oft" if blocks and not any(name.startswith(_KOHYAS_OFT) for name in modules) else "oft"
    if any(role == "dora_scale" or role.startswith("lora_magnitude_vector") for role in roles):
        return "dora"
    if "diff" in roles and not roles & {"down", "up"}:
        return "full"
    return "locon" if any(module.is_larger_convolution for module in modules.values()) else "lora"


def _rank(modules: Mapping[str, _Module]) -> tuple[int | None, tuple[str, ...]]:
    """The rank most layers have, those with larger convolutions apart."""
    plain = [m.rank for m in modules.values() if m.rank is not None and not m.is_larger_convolution]
    ranks = Counter(plain or [m.rank for m in modules.values() if m.rank is not None])
    if not ranks:
        return None, ()
    if len(ranks) > 1:
        return ranks.most_common(1)[0][0], (f"its layers have ranks from {min(ranks)} to {max(ranks)}",)
    return next(iter(ranks)), ()


def _alpha(
    modules: Mapping[str, _Module], rank: int | None, metadata: Mapping[str, str], read_scalar: ReadScalar
) -> float | None:
    """The alpha of a layer of that rank, read from the file, else from the metadata."""
    for module in modules.values():
        if module.alpha_key is not None and module.rank == rank:
            return _finite(read_scalar(module.alpha_key))
    # The other way round, the alpha trained with would be told of a file whose weights have it in them already.
    for text in (_peft_alpha(metadata), metadata.get("ss_network_alpha", "")):
        try:
            return _finite(float(text))
        except ValueError:
            continue
    return None


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


def _peft_alpha(metadata: Mapping[str, str]) -> str:
    try:
        table = parse_json(metadata.get("lora_adapter_metadata", "{}"))
    except Malformed:
        return ""
    pairs = table.items() if isinstance(table, dict) else ()
    return next((str(value) for key, value in pairs if key.rpartition(".")[2] == "lora_alpha"), "")


_TRAINERS = (
    ("ss_training_comment", "trained with Loracle", "Loracle"),
    ("ot_revision", "", "OneTrainer"),
    ("software", "ai-toolkit", "ai-toolkit"),
    ("ss_network_module", "lycoris", "sd-scripts with LyCORIS"),
    ("ss_network_module", "networks.", "sd-scripts"),
    ("ss_network_module", "", "sd-scripts"),
    ("lora_adapter_metadata", "", "diffusers"),
)
"""(metadata key, a part of its value, program); the first that fits."""


def _trainer(modules: Mapping[str, _Module], metadata: Mapping[str, str]) -> str | None:
    if any(key.startswith("loracle") for key in metadata):
        return "Loracle"
    for key, part, program in _TRAINERS:
        if key in metadata and part in metadata[key]:
            return program
    for start, program in (("bundle_emb.", "OneTrainer"), ("lycoris_", "SimpleTuner"), ("base_model.model.", "peft")):
        if any(name.startswith(start) for name in modules):
            return program
    return None
