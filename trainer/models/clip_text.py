"""CLIP's text encoder, called layer by layer: layers that clip skip makes useless are not computed, and nothing in it
looks at data, so that it also runs on fake tensors.

Letters: B captions, K chunks, L tokens in one chunk, T all chunks' tokens joined, D width, P width of the pooled text.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def text_root(text_encoder: Any) -> Any:
    """The module that holds embeddings, layers and last norm: transformers puts it one deeper in some versions."""
    return getattr(text_encoder, "text_model", text_encoder)


def text_states(text_encoder: Any, token_ids: Tensor, *, clip_skip: int) -> Tensor:
    """States [B, T, D] of token numbers [B, K, L]: after the last layer but `clip_skip - 1`, then the last norm.

    T is L for one chunk; more are joined as start, the contents of each chunk, end.
    """
    num_layers = len(text_root(text_encoder).encoder.layers)
    hidden = _hidden(text_encoder, token_ids, num_used_layers(num_layers, clip_skip))
    normed = text_root(text_encoder).final_layer_norm(hidden)
    return joined_chunks(normed.view(*token_ids.shape, -1))


def penultimate_states(text_encoder: Any, token_ids: Tensor) -> Tensor:
    """States [B, T, D] of token numbers [B, K, L] after the last layer but one, without a norm."""
    hidden = _hidden(text_encoder, token_ids, len(text_root(text_encoder).encoder.layers) - 1)
    return joined_chunks(hidden.view(*token_ids.shape, -1))


def penultimate_and_pooled(text_encoder: Any, token_ids: Tensor, *, end: int) -> tuple[Tensor, Tensor]:
    """The same and each caption as a whole, [B, P]: its first chunk's first end mark, through all layers.

    Args:
        end: the end mark's token number.
    """
    root = text_root(text_encoder)
    last = len(root.encoder.layers) - 1
    hidden = _hidden(text_encoder, token_ids, last).view(*token_ids.shape, -1)
    first = _through(root.encoder.layers[last], hidden[:, 0], checkpointed=_is_checkpointed(text_encoder))
    place = (token_ids[:, 0] == end).int().argmax(dim=-1)
    whole = root.final_layer_norm(first)[torch.arange(len(place), device=place.device), place]
    return joined_chunks(hidden), text_encoder.text_projection(whole)


def num_used_layers(num_layers: int, clip_skip: int) -> int:
    """How many layers are gone through; at least one."""
    return max(1, num_layers - clip_skip + 1)


def joined_chunks(states: Tensor) -> Tensor:
    """[B, K, L, D] as [B, T, D]: the start mark's state of the first chunk, all contents, the last chunk's end."""
    if states.shape[1] == 1:
        return states[:, 0]
    contents = states[:, :, 1:-1].flatten(1, 2)
    return torch.cat([states[:, 0, :1], contents, states[:, -1, -1:]], dim=1)


def _hidden(text_encoder: Any, token_ids: Tensor, num_layers: int) -> Tensor:
    """[B * K, L, D]: token numbers [B, K, L] after so many layers."""
    root = text_root(text_encoder)
    hidden: Tensor = root.embeddings(input_ids=token_ids.flatten(0, 1))
    for layer in root.encoder.layers[:num_layers]:
        hidden = _through(layer, hidden, checkpointed=_is_checkpointed(text_encoder))
    return hidden


def _is_checkpointed(text_encoder: Any) -> bool:
    return bool(getattr(text_encoder, "is_checkpointed", False))


def _through(layer: nn.Module, hidden: Tensor, *, checkpointed: bool) -> Tensor:
    if checkpointed and torch.is_grad_enabled():
        out = checkpoint(layer, hidden, attention_mask=None, is_causal=True, use_reentrant=False)
    else:
        out = layer(hidden, attention_mask=None, is_causal=True)
    # transformers before 5 gave a tuple.
    return out[0] if isinstance(out, tuple) else out  # type: ignore[no-any-return]
