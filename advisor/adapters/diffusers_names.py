"""A LoRA in the names of diffusers and peft: `unet.down_blocks.0....lora_A.weight`.

These names have no alpha; diffusers and peft take it for the rank where nothing is said. So alpha / rank is worked into
the weights, and the description that goes with them, in the header where diffusers looks for it, says alpha = rank.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from advisor.adapters.layout import MAGNITUDE, AdapterPlan, Shape
from advisor.families import family
from advisor.families.structure import LoraTarget

SUFFIXES: Mapping[str, str] = {
    "lora_down.weight": "lora_A.weight",
    "lora_up.weight": "lora_B.weight",
    MAGNITUDE: "lora_magnitude_vector.weight",
}
"""What stands after a layer's name, by kohya's and LyCORIS' words for it."""

DESCRIPTION_KEY = "lora_adapter_metadata"
"""Where diffusers looks in the header; what stands there becomes peft's `LoraConfig`, part by part."""


INPUT_AXIS_NOT_IN_PEFT = "this DoRA has one length for each input, and diffusers and peft hold one for each output only"
"""Why such a DoRA has no copy in these names; none that is equal could be computed."""


def layer_name(target: LoraTarget) -> str:
    """The layer's name: its part of the pipeline, then its path in there."""
    return target.diffusers or f"{target.part}.{target.path}"


def kohya_layers(family_name: str | None) -> dict[str, LoraTarget]:
    """Every layer that a LoRA for the family's published model can have, by its name in kohya's files.

    SDXL's also by their paths in diffusers, which some programs write as well. Empty for families that are not trained.
    """
    standard = None if family_name is None else family(family_name).standard
    if family_name is None or standard is None:
        return {}
    targets = family(family_name).lora_targets(standard, conv=True)
    by_path = {f"lora_unet_{one.path.replace('.', '_')}": one for one in targets if one.part == "unet"}
    return by_path | {one.name: one for one in targets}


def diffusers_shape(suffix: str, shape: Shape) -> Shape:
    """A tensor's shape, of that in a kohya file: peft has a DoRA's lengths flat, or along a convolution's channels."""
    if suffix != MAGNITUDE:
        return shape
    return (1, shape[0], *shape[2:]) if len(shape) > 2 else shape[:1]


def diffusers_tensors(plans: Sequence[AdapterPlan]) -> Iterator[tuple[str, Shape]]:
    """The name and shape of each tensor, in the file's order."""
    for plan in plans:
        for suffix, shape in plan.shapes.items():
            yield f"{layer_name(plan.target)}.{SUFFIXES[suffix]}", diffusers_shape(suffix, shape)


def adapter_description(plans: Sequence[AdapterPlan]) -> str:
    """What diffusers makes peft's configurations of, as JSON: for each part ranks, alphas and layers."""
    parts: dict[str, dict[str, AdapterPlan]] = {}
    for plan in plans:
        part, _, path = layer_name(plan.target).partition(".")
        parts.setdefault(part, {})[path] = plan
    table = {f"{part}.{key}": value for part, of in parts.items() for key, value in _described(part, of).items()}
    return json.dumps(table, separators=(",", ":"))


def _described(part: str, plans: Mapping[str, AdapterPlan]) -> dict[str, object]:
    usual = Counter(plan.rank for plan in plans.values()).most_common(1)[0][0]
    others = {path.removeprefix("text_model."): plan.rank for path, plan in plans.items() if plan.rank != usual}
    # A text encoder's paths have another beginning in some versions of transformers; their last words do not.
    short = part.startswith("text_encoder")
    layers = dict.fromkeys(path.rpartition(".")[2] if short else path for path in plans)
    return {
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": list(layers),
        "use_dora": any(MAGNITUDE in plan.shapes for plan in plans.values()),
    }
