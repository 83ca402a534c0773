"""For which family a LoRA is, by the names and widths of the layers it adapts; metadata where these leave it open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from advisor.checkpoints.prediction_type import prediction_word
from advisor.families import KNOWN_FAMILIES
from advisor.families.structure import Prediction


@dataclass(frozen=True)
class Adapted:
    """One layer that an adapter changes."""

    inputs: int | None
    outputs: int | None
    axes: int
    """Of the adapter's first tensor: 4 for a convolution, 2 for a linear layer, 0 unknown."""


Layers = Mapping[str, Adapted]
"""By name, with underscores for points."""


@dataclass(frozen=True)
class LoraSignature:
    """Layers that identify a family."""

    family: str
    pattern: str
    inputs: int | None = None
    outputs: int | None = None
    axes: int | None = None
    lacks: str = ""
    """No layer's name has this in it."""
    also: str = ""
    """Some other layer's name has this in it."""

    def fits(self, layers: Layers) -> bool:
        """Whether some layer matches."""
        if (self.lacks and _any(layers, self.lacks)) or (self.also and not _any(layers, self.also)):
            return False
        return any(
            re.search(self.pattern, name)
            and self.inputs in (None, layer.inputs)
            and self.outputs in (None, layer.outputs)
            and self.axes in (None, layer.axes)
            for name, layer in layers.items()
        )


_CONTEXT = r"attn2_(processor_)?to_[kv]$"
_QKV = r"double_blocks_\d+_img_attn_qkv"
_UNET = r"(down|up)_blocks_\d+|mid_block|(input|output)_blocks_\d+|middle_block"

LORA_SIGNATURES = (
    LoraSignature("cascade", r"^lora_prior_"),
    LoraSignature("sd1", _CONTEXT, inputs=768),
    LoraSignature("sd2", _CONTEXT, inputs=1024, also=_UNET),
    LoraSignature("sdxl", _CONTEXT, inputs=2048, also=_UNET),
    LoraSignature("flux2", _QKV, inputs=4096),
    LoraSignature("flux2", _QKV, inputs=6144),
    LoraSignature("flux2", r"double_blocks_\d+_img_mlp_0$", inputs=3072, outputs=18432),
    LoraSignature("hunyuan_image", _QKV, inputs=3584),
    LoraSignature("flux1", r"double_blocks_\d+_(img|txt)_mod_lin$", inputs=3072),
    LoraSignature(
        "chroma", r"^lora_unet_double_blocks_\d+_img_mlp_0$", inputs=3072, outputs=12288, lacks=r"(mod|modulation)_lin$"
    ),
    LoraSignature("flux2", r"single_transformer_blocks_\d+_attn_to_qkv_mlp_proj$"),
    LoraSignature("flux1", r"single_transformer_blocks_\d+_attn", inputs=3072),
    LoraSignature("sd3", r"joint_blocks_\d+_"),
    LoraSignature("lumina2", r"(^|_)layers_\d+_attention", inputs=2304),
    LoraSignature("z_image", r"(^|_)layers_\d+_attention", inputs=3840),
    LoraSignature("z_image", r"(^|_)layers_\d+_attention_to_(q|k|v|out_0)$"),
    LoraSignature("qwen_image", r"transformer_blocks_\d+_attn_", inputs=3072, lacks=r"single_transformer_blocks"),
    LoraSignature("anima", r"llm_adapter_blocks_\d+_|^lora_te_layers_\d+_"),
    LoraSignature("cosmos2", r"(^|_)blocks_\d+_(self|cross)_attn_(q|output)_proj$", inputs=5120, outputs=5120),
    LoraSignature("anima", r"(^|_)(?<!transformer_)blocks_\d+_((self|cross)_attn_(q|k|v|output)_proj|mlp_layer[12])$"),
    LoraSignature("anima", r"^transformer_transformer_blocks_\d+_attn2_to_[kv]$", inputs=1024),
    LoraSignature("wan", r"(^|_)blocks_\d+_self_attn_q$"),
    LoraSignature("sd1", r"attentions_\d+_proj_in$|_1_proj_in$", axes=4, also=_UNET),
    LoraSignature("sdxl", r"^lora_te2_|^text_encoder_2_", also=_UNET),
    LoraSignature("sdxl", r"(input|output)_blocks_\d+_\d+_"),
    LoraSignature("sdxl", r"(down|up)_blocks_\d+_attentions_\d+_transformer_blocks_([2-9]|\d\d)_"),
    LoraSignature("sd2", r"attentions_\d+_proj_in$", axes=2, also=r"^lora_te_|^text_encoder_text_model"),
)
"""The first that fits names the family."""

BASES: tuple[tuple[str, str], ...] = (
    ("sdxl", "sdxl"),
    ("stable-diffusion-xl", "sdxl"),
    ("stable-diffusion-v1", "sd1"),
    ("stable-diffusion-v2", "sd2"),
    ("stable-diffusion-3", "sd3"),
    ("sd_v1", "sd1"),
    ("sd_v2", "sd2"),
    ("sd_1.5", "sd1"),
    ("sd3", "sd3"),
    ("3-medium", "sd3"),
    ("5-large", "sd3"),
    ("5-medium", "sd3"),
    ("chroma", "chroma"),
    ("flux1", "flux1"),
    ("flux-1", "flux1"),
    ("flux.1", "flux1"),
    ("flux2", "flux2"),
    ("flux-2", "flux2"),
    ("lumina", "lumina2"),
    ("hunyuan-image", "hunyuan_image"),
    ("anima", "anima"),
    ("qwen", "qwen_image"),
    ("z-image", "z_image"),
    ("zimage", "z_image"),
    ("z_image", "z_image"),
    ("wan", "wan"),
)
"""How `ss_base_model_version` and `modelspec.architecture` begin, and the family meant."""


def lora_family(
    layers: Mapping[str, Adapted], metadata: Mapping[str, str]
) -> tuple[str | None, Prediction | None, tuple[str, ...]]:
    """(family, what its base predicts, what a user should hear)."""
    named = {name.replace(".", "_"): layer for name, layer in layers.items()}
    by_layers = next((signature.family for signature in LORA_SIGNATURES if signature.fits(named)), None)
    by_metadata = _family_by_metadata(metadata)
    notes: tuple[str, ...] = ()
    if by_layers is None or {by_layers, by_metadata} == {"flux1", "chroma"}:
        family = by_metadata
    else:
        family = by_layers
        if by_metadata not in (None, family):
            notes = (f"its metadata speak of {by_metadata}, its layers are those of {family}: the layers count",)
    return family, _prediction(family, metadata), notes


def _family_by_metadata(metadata: Mapping[str, str]) -> str | None:
    for key in ("ss_base_model_version", "modelspec.architecture"):
        text = metadata.get(key, "").lower()
        for start, family in BASES:
            if text.startswith(start):
                return family
    return "sd2" if metadata.get("ss_v2") == "True" else None


def _prediction(family: str | None, metadata: Mapping[str, str]) -> Prediction | None:
    """What the base predicts; sd-scripts writes `epsilon` for families that predict flow, so a fixed one counts."""
    known = KNOWN_FAMILIES.get(family or "")
    if known is not None and known.fixed_prediction:
        return known.prediction
    if metadata.get("ss_v_parameterization") == "True" or metadata.get("ss_base_model_version", "").endswith("_v"):
        return "v_prediction"
    return prediction_word(metadata.get("modelspec.prediction_type", ""))


def _any(layers: Layers, pattern: str) -> bool:
    return any(re.search(pattern, name) for name in layers)
