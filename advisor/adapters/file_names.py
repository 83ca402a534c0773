"""What the tensors of a LoRA file are called: by kohya's names of layers, each with an alpha, or by the names that the
layers have in the base model's own file.

The second kind is `diffusion_model.blocks.0.self_attn.q_proj.lora_A.weight`: ComfyUI, Forge and diffusers read it alike
where there is no alpha, so that alpha / rank is worked into the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.adapters.layout import AdapterPlan, Shape
from advisor.families import KNOWN_FAMILIES
from advisor.families.family import LayerNames
from advisor.families.structure import LoraTarget
from advisor.settings.config import TrainingConfig

ORIGINAL_START = "diffusion_model."
"""What stands before the layers' names in the base model's file."""
ORIGINAL_SUFFIXES = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}
"""What stands after them, by kohya's words; all other words are kohya's and LyCORIS' own."""


def layer_names(config: TrainingConfig) -> LayerNames:
    """The names in the LoRA files of a training."""
    known = KNOWN_FAMILIES.get(config.model.family)
    return "kohya" if known is None or config.saving.layer_names == "kohya" else known.layer_names


def original_layer(target: LoraTarget) -> str:
    """The layer's name in a LoRA file, of that in the base model's."""
    return ORIGINAL_START + target.original


def original_suffix(suffix: str) -> str:
    """What stands after that name and a point, of kohya's word for the tensor."""
    return ORIGINAL_SUFFIXES.get(suffix, suffix)


def file_tensors(plans: Sequence[AdapterPlan], names: LayerNames) -> Iterator[tuple[str, Shape]]:
    """The name and shape of each tensor in a LoRA file."""
    for plan in plans:
        if names == "kohya":
            yield f"{plan.target.name}.alpha", ()
        for suffix, shape in plan.shapes.items():
            if names == "kohya":
                yield f"{plan.target.name}.{suffix}", shape
            else:
                yield f"{original_layer(plan.target)}.{original_suffix(suffix)}", shape
