"""Attention of U-Nets as diffusers computes it, without the operations that change nothing in Stable Diffusion's."""

from __future__ import annotations

from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor
from torch.nn import functional


class PlainAttention(AttnProcessor2_0):  # type: ignore[misc]  # diffusers has no types
    """Attention of a transformer block: no norms inside, no dropout, and no division by a factor of 1."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *others: Any,
        **named: Any,
    ) -> Tensor:
        """What the layer gives for [B, T, D]; diffusers' own way where a mask is given."""
        if attention_mask is not None:
            masked: Tensor = super().__call__(
                attn, hidden_states, encoder_hidden_states, attention_mask, *others, **named
            )
            return masked
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = _heads(attn.to_q(hidden_states), attn.heads)
        key, value = (_heads(layer(context), attn.heads) for layer in (attn.to_k, attn.to_v))
        found = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = attn.to_out[0](found.transpose(1, 2).flatten(2))
        return out


def use_plain_attention(unet: UNet2DConditionModel) -> None:
    """Compute so wherever that gives what diffusers' own way gives."""
    for module in unet.modules():
        if isinstance(module, Attention) and _is_plain(module):
            module.set_processor(PlainAttention())


def _is_plain(attention: Attention) -> bool:
    """Whether nothing that `PlainAttention` leaves out would change a value."""
    inside = (attention.spatial_norm, attention.group_norm, attention.norm_cross, attention.norm_q, attention.norm_k)
    return (
        type(attention.processor) is AttnProcessor2_0
        and not any(inside)
        and not attention.residual_connection
        and attention.rescale_output_factor == 1
        and attention.to_out[1].p == 0
    )


def _heads(states: Tensor, count: int) -> Tensor:
    """[B, T, D] as [B, heads, T, D / heads]."""
    batch, tokens, width = states.shape
    return states.view(batch, tokens, count, width // count).transpose(1, 2)
