"""Stable Diffusion XL: two CLIPs, the text as a whole besides its states, and the image's sizes.

SDXL, Podell et al. 2023, sections 2.2 and 2.3: arxiv.org/abs/2307.01952.
Letters as in `trainer.models.families.unet_family`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.families.structure import LoraTarget
from trainer.models.build import build_unet
from trainer.models.clip_text import penultimate_and_pooled, penultimate_states
from trainer.models.families.family import BaseModel, Conditioning
from trainer.models.families.unet_family import POOLED, STATES, TextPart, UNetFamily, layer_number
from trainer.models.ldm_keys import unet_key
from trainer.models.prompt_weights import weighted_states
from trainer.models.single_file import SingleFileLayout

FIRST, SECOND = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
LAYOUT = SingleFileLayout(
    unet="model.diffusion_model.",
    vae="first_stage_model.",
    text=((f"{FIRST}text_model.", FIRST), (SECOND,)),
    open_clip=(False, True),
    unused=lambda _: (f"{SECOND}logit_scale",),
)
NUM_SIZES = 6
"""Values of the size conditioning: three pairs of height and width or top and left."""


class Sdxl(UNetFamily):
    """How SDXL is loaded and called. Clip skip does not apply: both encoders are read before their last layer."""

    def __init__(self) -> None:
        parts = (TextPart(), TextPart("text_encoder_2", "tokenizer_2", pad="!", projected=True))
        super().__init__("sdxl", LAYOUT, parts)

    def encode_text(
        self,
        base: BaseModel,
        token_ids: Sequence[Tensor],
        *,
        clip_skip: int = 1,  # noqa: ARG002
        weights: Tensor | None = None,
    ) -> Conditioning:
        """The states of both text encoders side by side, and the second's pooled text."""
        first_ids, second_ids = token_ids
        first = penultimate_states(base.text_encoders[0], first_ids)
        end = base.tokenizers[1].end
        second, pooled = penultimate_and_pooled(base.text_encoders[1], second_ids, end=end)
        states = weighted_states(torch.cat([first, second], dim=-1), weights)
        return Conditioning({STATES: states, POOLED: pooled})

    def name_in_lora(self, base: BaseModel, path: str) -> str:
        """What LoRA files call the denoiser's layer at `path`: what single files call it."""
        return unet_key(f"{path}.weight", base.structure.unet).removesuffix(".weight")

    def is_skipped(self, base: BaseModel, target: LoraTarget, clip_skip: int) -> bool:  # noqa: ARG002
        """Whether a layer is never reached: the first encoder's last; the second's is, for the pooled text."""
        return target.part == "text_encoder" and layer_number(target) == base.structure.text[0].layers - 1

    def _added(
        self, base: BaseModel, noisy: Tensor, text: Conditioning, sizes: Tensor | None
    ) -> dict[str, Tensor] | None:
        """The pooled text and the sizes; without any, those of a whole image."""
        if sizes is None:
            factor = base.structure.vae.factor
            height, width = noisy.shape[2] * factor, noisy.shape[3] * factor
            whole = [height, width, 0, 0, height, width]
            sizes = torch.tensor(whole, dtype=torch.float32, device=noisy.device).expand(noisy.shape[0], -1)
        return {"text_embeds": text[POOLED], "time_ids": sizes}

    def _unet(self, structure: StableDiffusionStructure, config: Mapping[str, Any]) -> nn.Module:
        pooled = structure.text[1].projection or structure.text[1].width
        added = pooled + NUM_SIZES * config["addition_time_embed_dim"]
        return build_unet(structure.unet, {**config, "projection_class_embeddings_input_dim": added})
