"""CLIP's tokenizer, from a vocabulary that lies on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokenizer:
    """Turns captions into token numbers.

    Letters: B captions, K chunks, L tokens in one chunk (start mark, contents, end mark).
    """

    clip: Any
    """transformers' `CLIPTokenizer`."""
    start: int
    end: int
    pad: int
    length: int
    """L: as many as the text encoder has places."""

    def __call__(self, captions: Sequence[str], chunks: int = 1) -> Tensor:
        """Token numbers [B, K, L], int64: cut or filled up to K * (L - 2) tokens, chunks cut without regard to commas."""
        raise NotImplementedError
