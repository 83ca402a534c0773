"""The colours of a picture by place, in a space where distances are as large as they look.

CIE L*a*b* under D65, from sRGB: IEC 61966-2-1 and CIE 15.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

CELLS = 16
"""Cells along the shorter side of a picture."""
AROUND = 3
"""A cell is told by its own colour and by the mean of so many by so many cells around it: a yellow scarf over a teal
coat is another thing than yellow and teal spots everywhere."""
SAME_COLOUR = 10.0
"""The width of likeness in L*a*b*, over both colours of a cell; what is 2 apart is just told apart side by side."""
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""sRGB's primaries."""
WHITE = (0.95047, 1.0, 1.08883)
"""D65, in XYZ."""


def lab(pixels: Tensor) -> Tensor:
    """L*a*b* [3, h, w] in float32 of pixels [3, h, w] in 0..255: L* 0..100, a* and b* about -110..110."""
    srgb = pixels.to(torch.float32) / 255
    linear = torch.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    xyz = torch.einsum("cd,dhw->chw", torch.tensor(TO_XYZ), linear) / torch.tensor(WHITE)[:, None, None]
    bent = torch.where(xyz > 216 / 24389, xyz.clamp_min(1e-9) ** (1 / 3), (24389 / 27 * xyz + 16) / 116)
    x, y, z = bent
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def colour_parts(pixels: Tensor) -> Tensor:
    """What a picture [3, h, w] in 0..255 shows where: [P, 6], each cell's L*a*b* and that of its surroundings."""
    cells = adaptive_avg_pool2d(lab(pixels)[None], grid_of(pixels.shape[-2], pixels.shape[-1], CELLS))
    around = avg_pool2d(cells, AROUND, 1, AROUND // 2, count_include_pad=False)
    return torch.cat([cells, around], 1)[0].flatten(1).T.contiguous()


def grid_of(height: int, width: int, along_shorter: int) -> tuple[int, int]:
    """Rows and columns of about square cells, this many along the shorter side."""
    shorter = min(height, width)
    return max(1, round(along_shorter * height / shorter)), max(1, round(along_shorter * width / shorter))
