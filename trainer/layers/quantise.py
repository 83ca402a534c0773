"""Weights in 8 or 4 bits, in plain torch: the same numbers on every device.

int8 has one scale for each output channel. nf4 has 16 levels, which cut a normal distribution into equally likely
parts, and one scale for each block of 64 weights, its largest magnitude: QLoRA, Dettmers et al. 2023, section 3 and
appendix E: arxiv.org/abs/2305.14314; the scales themselves are not quantised a second time.

Letters: O outputs, I inputs, k a convolution's side, N weights, F how many blocks they fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from advisor.estimate.quantised_base import NF4_BLOCK
from advisor.settings.config import QuantisedDtype
from trainer.layers.frozen_weight import FrozenWeight

INT8_MOST = 127
"""The largest code; -128 stays unused, so that codes are symmetric."""
AT_ONCE = 2**20
"""Weights that are packed at once. What is made on the way is small then: of whole layers it would leave holes between
the packed ones where a process keeps what it has freed, several times their size."""
PIECE = 2**20
"""Bytes of nf4 that are unpacked at once."""
NF4_LEVELS = (
    -1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0,
)  # fmt: skip
"""What the codes 0 to 15 stand for, in shares of a block's largest magnitude."""


def quantised(weight: Tensor, kind: QuantisedDtype, dtype: torch.dtype) -> FrozenWeight:
    """A weight [O, I] or [O, I, k, k] in fewer bits, where it lies.

    Args:
        dtype: what it is unpacked to.
    """
    return _QUANTISERS[kind](weight, dtype)


@torch.no_grad()
def _int8(weight: Tensor, dtype: torch.dtype) -> FrozenWeight:
    rows = weight.flatten(1)
    codes = torch.empty(rows.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(len(rows), 1, device=weight.device)
    step = max(1, AT_ONCE // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        place, some = slice(start, start + step), rows[start : start + step].float()
        scales[place] = (some.abs().amax(1, keepdim=True) / INT8_MOST).clamp_(min=torch.finfo(torch.float32).tiny)
        codes[place] = some.div(scales[place]).round_()
    scales = scales.view(-1, *[1] * (weight.ndim - 1))
    return FrozenWeight(weight.shape, (codes.view(weight.shape), scales), partial(_unpacked_int8, dtype=dtype))


def _unpacked_int8(codes: Tensor, scales: Tensor, *, dtype: torch.dtype) -> Tensor:
    """The weight, of codes [O, ...] and scales [O, 1, ...] in float32, without anything else as large."""
    return torch.mul(codes, scales, out=torch.empty(codes.shape, dtype=dtype, device=codes.device))


@torch.no_grad()
def _nf4(weight: Tensor, dtype: torch.dtype) -> FrozenWeight:
    levels = torch.tensor(NF4_LEVELS, device=weight.device)
    whole, number = weight.flatten(), -(-weight.numel() // NF4_BLOCK)
    packed = torch.empty(number * NF4_BLOCK // 2, dtype=torch.uint8, device=weight.device)
    scales = torch.empty(number, 1, dtype=torch.bfloat16, device=weight.device)
    step = AT_ONCE // NF4_BLOCK
    for start in range(0, number, step):
        place, some = slice(start, start + step), whole[start * NF4_BLOCK : (start + step) * NF4_BLOCK].float()
        blocks = torch.nn.functional.pad(some, (0, -some.numel() % NF4_BLOCK)).view(-1, NF4_BLOCK)
        # Rounded before the codes are chosen, so that these make up for the rounding.
        scales[place] = blocks.abs().amax(1, keepdim=True)
        shares = blocks / scales[place].float().clamp(min=torch.finfo(torch.float32).tiny)
        codes = torch.bucketize(shares, (levels[1:] + levels[:-1]) / 2, out_int32=True).to(torch.uint8).view(-1, 2)
        packed[start * NF4_BLOCK // 2 : (start + step) * NF4_BLOCK // 2] = codes[:, 0] * 16 + codes[:, 1]
    pairs = torch.stack([levels.repeat_interleave(16), levels.repeat(16)], dim=1).to(dtype)
    return FrozenWeight(weight.shape, (packed, scales, pairs), partial(_unpacked_nf4, shape=weight.shape))


def _unpacked_nf4(packed: Tensor, scales: Tensor, pairs: Tensor, *, shape: torch.Size) -> Tensor:
    """The weight, of bytes [F 32], the first of two weights in the upper half, scales [F, 1], and meanings [256, 2]."""
    values = torch.empty(packed.shape[0], 2, dtype=pairs.dtype, device=packed.device)
    # Indices take four bytes each: a piece at a time, there are never many of them.
    for start in range(0, len(packed), PIECE):
        torch.index_select(pairs, 0, packed[start : start + PIECE].int(), out=values[start : start + PIECE])
    return values.view(-1, NF4_BLOCK).mul_(scales).view(-1)[: shape.numel()].view(shape)


_QUANTISERS: Mapping[QuantisedDtype, Callable[[Tensor, torch.dtype], FrozenWeight]] = {"int8": _int8, "nf4": _nf4}
