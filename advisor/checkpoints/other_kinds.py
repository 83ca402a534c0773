"""Files of tensors that are no base model and no LoRA: VAEs, text encoders, ControlNets, embeddings. A table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.checkpoints.identity import FileKind
from advisor.families.signature import Signature, Tensors, width

FAMILY_OF_CONTEXT: Mapping[int, str] = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""By the width of the text that cross-attention takes."""


@dataclass(frozen=True)
class OtherFile:
    """A kind of file, how it is told and what to call it."""

    kind: FileKind
    title: str
    signature: Signature
    family: str | None = None
    mend: str = "choose a whole checkpoint"
    """What to do where a base model is wanted."""


CONTROLNETS = (
    OtherFile("controlnet", "a ControlNet", Signature(has=("control_model.*",))),
    OtherFile("controlnet", "a ControlNet", Signature(has=("zero_convs.0.0.weight",))),
    OtherFile(
        "controlnet",
        "a ControlNet",
        Signature(has=("controlnet_cond_embedding.conv_in.weight", "add_embedding.*")),
        "sdxl",
    ),
    OtherFile("controlnet", "a ControlNet", Signature(has=("controlnet_cond_embedding.conv_in.weight",))),
    OtherFile("controlnet", "a ControlNet", Signature(has=("controlnet_x_embedder.weight",))),
)
"""These hold a copy of half a U-Net, so they are asked before the families."""

_VAE = "decoder.conv_in.weight"
_TOKENS = "text_model.embeddings.token_embedding.weight"
_LANGUAGE_TOKENS = "model.embed_tokens.weight|embed_tokens.weight"
_QUERY_NORM = "model.layers.0.self_attn.q_norm.weight|layers.0.self_attn.q_norm.weight"
_BESIDE = "choose the file of the model that it belongs to"
OTHERS = (
    OtherFile(
        "vae",
        "the VAE of Qwen-Image, Wan 2.1, Anima and Krea 2",
        Signature(has=("decoder.middle.0.residual.0.gamma",), variant="wan_qwen"),
        mend=_BESIDE,
    ),
    OtherFile("vae", "a VAE", Signature(has=(), shapes={_VAE: (None, 4, 3, 3)}, variant="sd1_sd2_sdxl")),
    OtherFile(
        "vae", "a VAE", Signature(has=(), lacks=("quant_conv.*",), shapes={_VAE: (None, 16, 3, 3)}, variant="sd3_flux1")
    ),
    OtherFile("vae", "a VAE", Signature(has=(), shapes={_VAE: (None, 32, 3, 3)}, variant="flux2"), "flux2"),
    OtherFile("vae", "a VAE", Signature(has=(_VAE, "encoder.conv_in.weight"))),
    OtherFile("text_encoder", "a text encoder", Signature(has=(), shapes={_TOKENS: (None, 768)}, variant="clip_l")),
    OtherFile("text_encoder", "a text encoder", Signature(has=(), shapes={_TOKENS: (None, 1024)}, variant="clip_h")),
    OtherFile("text_encoder", "a text encoder", Signature(has=(), shapes={_TOKENS: (None, 1280)}, variant="clip_g")),
    OtherFile("text_encoder", "a text encoder", Signature(has=(_TOKENS,))),
    OtherFile(
        "text_encoder",
        "a text encoder",
        Signature(has=("encoder.block.0.layer.0.SelfAttention.q.weight",), variant="t5"),
    ),
    OtherFile(
        "text_encoder",
        "Qwen3-0.6B, which Anima reads captions with,",
        Signature(has=(_QUERY_NORM,), shapes={_LANGUAGE_TOKENS: (None, 1024)}, variant="qwen3_06b"),
        "anima",
        _BESIDE,
    ),
    OtherFile(
        "text_encoder",
        "Qwen3-4B, which Z-Image and FLUX.2 klein read captions with,",
        Signature(has=(_QUERY_NORM,), shapes={_LANGUAGE_TOKENS: (None, 2560)}, variant="qwen3_4b"),
        mend=_BESIDE,
    ),
    OtherFile("text_encoder", "a language model", Signature(has=("model.layers.*",), variant="llm")),
    OtherFile("embedding", "an embedding", Signature(has=("clip_l", "clip_g")), "sdxl"),
    OtherFile("embedding", "an embedding", Signature(has=(), shapes={"emb_params": (None, 768)}), "sd1"),
    OtherFile("embedding", "an embedding", Signature(has=(), shapes={"emb_params": (None, 1024)}), "sd2"),
    OtherFile("embedding", "an embedding", Signature(has=("emb_params",))),
)
PREFIXES = ("", "first_stage_model.", "vae.", "cond_stage_model.transformer.")


def controlnet(tensors: Tensors) -> OtherFile | None:
    """The row that says that it is a ControlNet."""
    return next((row for row in CONTROLNETS if row.signature.fits(tensors)), None)


def other_file(tensors: Tensors) -> OtherFile | None:
    """The row that says what it is; None if it is none of these."""
    for prefix in PREFIXES:
        own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        found = next((row for row in OTHERS if own and row.signature.fits(own)), None)
        if found is not None:
            return found
    return None


def family_of_context(tensors: Tensors) -> str | None:
    """The family whose text width a U-Net's (or a copy's) cross-attention takes."""
    context = width(tensors, "*.attn2.to_k.weight", 1)
    return FAMILY_OF_CONTEXT.get(context) if context is not None else None
