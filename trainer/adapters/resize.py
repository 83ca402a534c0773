"""LoRAs of another rank: the nearest product of two factors with fewer ranks, or the same with more.

Letters: O outputs, I inputs, R rank, k a convolution's side.
"""

from __future__ import annotations

import torch
from torch import Tensor


def resized(down: Tensor, up: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
    """Factors [R, I, ...] and [O, R, ...] with the rank of `fresh` [R', I, ...], in float32.

    With fewer ranks their product is the nearest to that of the old ones (Eckart and Young 1936), its singular values
    shared by both. With more it is the same: the further ranks begin as new ones do, with `fresh` in `down` and zeros
    in `up`, so that they can learn.
    """
    down, up, rank = down.float(), up.float(), fresh.shape[0]
    if rank >= down.shape[0]:
        added = rank - up.shape[1]
        zeros = up.new_zeros(up.shape[0], added, *up.shape[2:])
        return torch.cat((down, fresh[down.shape[0] :].float())), torch.cat((up, zeros), dim=1)
    narrow_down, narrow_up = _nearest(down.flatten(1), up.flatten(1), rank)
    return narrow_down.view(rank, *down.shape[1:]), narrow_up.view(up.shape[0], rank, *up.shape[2:])


def _nearest(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """By the singular values of `up @ down`, found in the R x R core between the factors' orthonormal bases."""
    left, core_left = torch.linalg.qr(up)
    right, core_right = torch.linalg.qr(down.t())
    first, values, second = torch.linalg.svd(core_left @ core_right.t())
    roots = values[:rank].sqrt()
    return (right @ second[:rank].t() * roots).t().contiguous(), left @ first[:, :rank] * roots
