"""The denoiser: of Anima's class, trained by flow matching on the demo's drawings and their tags.

Letters: B pictures, C latent channels, h x w latent pixels, S tokens of the longest caption, P zeros after them.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad, scaled_dot_product_attention

from advisor.families.anima_structure import AnimaStructure, TextAdapterStructure, TransformerStructure
from advisor.families.language_model import LanguageStructure
from benchmarks.demo_flow.captions import caption
from benchmarks.demo_flow.vae import STRUCTURE as VAE_STRUCTURE
from benchmarks.demo_model.training import Budget, Stage, batches_of, optimizers, update
from trainer.diffusion.flow import Flow
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel

STRUCTURE = AnimaStructure(
    denoiser=TransformerStructure(
        latent_channels=16, width=192, heads=6, layers=6, mlp_width=768, text_width=96, modulation_width=32
    ),
    adapter=TextAdapterStructure(
        source_width=32, width=96, heads=4, layers=2, mlp_width=192, target_width=96, vocab_size=32128
    ),
    text=(
        LanguageStructure(
            width=32, layers=1, heads=2, key_value_heads=1, head_width=16, mlp_width=64, vocab_size=151936
        ),
    ),
    vae=VAE_STRUCTURE,
    native_px=128,
)
BATCH = 32
MUON_RATE, ADAM_RATE = 0.01, 2e-3
WARMUP_STEPS = 40
DECAY_SHARE = 0.4
"""The rates fall linearly over this last share of the training."""
EMA_DECAY = 0.995
APART = ("patch_embed", "proj_out", "embed.weight", "time_embed")
TEXT_SHARPNESS = 2.0
"""What queries and keys of the attention to the text begin with instead of 1: some twenty tokens stand among 490 zeros,
between which a query of 32 numbers can hardly tell them at first."""


class BriefTextAttention:
    """Attention to text whose trailing zeros are counted, not computed: P zeros are one with log P added."""

    def __init__(self, positions: int) -> None:
        self.positions = positions

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,  # noqa: ARG002
        image_rotary_emb: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """What the class's own makes of the same states followed by zeros up to `positions`."""
        query, key, value = (
            layer(states).unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for layer, states in (
                (attn.to_q, hidden_states), (attn.to_k, encoder_hidden_states), (attn.to_v, encoder_hidden_states),
            )
        )  # fmt: skip
        query, key = attn.norm_q(query), attn.norm_k(key)
        tokens = key.shape[2]
        key, value = (pad(one, (0, 0, 0, 1)) for one in (key, value))
        bias = torch.zeros(1, 1, 1, tokens + 1, dtype=query.dtype)
        bias[..., -1] = math.log(self.positions - tokens)
        out: Tensor = scaled_dot_product_attention(query, key.to(query.dtype), value.to(query.dtype), attn_mask=bias)
        return attn.to_out[0](out.transpose(1, 2).flatten(2, 3))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Encoded:
    """The pictures as normalised latents [N, C, h, w], and the tags of each."""

    latents: Tensor
    tags: list[list[str]]


def new_base(seed: int) -> BaseModel:
    """The untrained networks; the text encoder and the VAE are no further trained than that."""
    torch.manual_seed(seed)
    base = Anima().build(STRUCTURE, dtype=torch.float32, vae_dtype=torch.float32, device=torch.device("cpu"))
    transformer = base.denoiser.transformer
    for block in transformer.transformer_blocks:
        for norm in (block.norm1, block.norm2, block.norm3):
            nn.init.zeros_(norm.linear_2.weight)
        for norm in (block.attn2.norm_q, block.attn2.norm_k):
            nn.init.constant_(norm.weight, TEXT_SHARPNESS)
    nn.init.zeros_(transformer.proj_out.weight)
    return base


def read_briefly(denoiser: nn.Module) -> None:
    """Leave out the zeros after a caption's states from now on."""
    conditioner, positions = denoiser.conditioner, STRUCTURE.text_positions
    conditioner.register_to_config(min_sequence_length=0)  # type: ignore[operator, union-attr]
    for block in denoiser.transformer.transformer_blocks:  # type: ignore[union-attr]
        block.attn2.set_processor(BriefTextAttention(positions))


def flow_loss(base: BaseModel, flow: Flow, latents: Tensor, captions: Sequence[str]) -> Tensor:
    """The mean square error of the velocity; each picture's time lies in its own share of 0..1."""
    size = len(latents)
    times = (torch.arange(size) + torch.rand(size)) / size
    noise = torch.randn_like(latents)
    with torch.no_grad():
        text = base.family.encode_text(base, base.family.tokenize(base, captions))
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # the quicker for 64 tokens
        predicted = base.family.predict(base, flow.noisy(latents, noise, times), times, text)
    loss: Tensor = (predicted.float() - flow.target(latents, noise, times)).square().mean()
    return loss


def train(encoded: Encoded, flow: Flow, folder: Path, budget: Budget, seed: int) -> BaseModel:
    """The base model with the running mean (EMA) of its denoiser's weights."""
    base = new_base(seed)
    denoiser = base.denoiser.requires_grad_(True)
    mean = copy.deepcopy(denoiser).requires_grad_(False)
    read_briefly(denoiser)
    pair = optimizers(denoiser, MUON_RATE, ADAM_RATE, APART)
    held = {"denoiser": denoiser, "mean": mean, **{f"optimizer{i}": part for i, part in enumerate(pair)}}
    stage = Stage("denoiser", folder, budget, held)
    batches = batches_of(len(encoded.tags), BATCH, seed, stage.step)
    running = 0.0
    for step in stage.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        dice, chosen = random.Random(seed * 1_000_003 + step), next(batches)
        captions = [caption(encoded.tags[index], dice) for index in chosen.tolist()]
        stage.set_rates(min(1.0, (step + 1) / WARMUP_STEPS, (1 - stage.progress) / DECAY_SHARE))
        loss = flow_loss(base, flow, encoded.latents[chosen], captions)
        update(denoiser, pair, loss)
        share = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.parameters()), list(denoiser.parameters()), 1 - share)
        running = loss.item() if running == 0.0 else 0.97 * running + 0.03 * loss.item()
        if step % 25 == 0:
            stage.log(loss=running)
    base.denoiser.load_state_dict(mean.state_dict())
    return base
