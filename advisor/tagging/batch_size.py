"""How many pictures go through a tagger at once."""

from __future__ import annotations

from advisor.units import MIB

MOST_ON_GPU, MOST_ON_CPU = 16, 4
"""More make a graphics card no quicker; a processor is busy with one, and a few spare it the starts."""
MODEL_COPIES = 2
"""onnxruntime holds the weights of the file, and for a moment those that it has rearranged."""
LEAST_PICTURE_BYTES = 64 * MIB
PICTURE_SHARE = 0.5
"""What a picture of 448 px takes, in sizes of the model, on its way through: layers come in the same number as weights.
Reckoned, not measured; where it is too little, fewer are tried."""


def batch_size(model_bytes: int, free_bytes: int, *, on_gpu: bool) -> int:
    """Pictures at once.

    Args:
        model_bytes: of all files of the model.
        free_bytes: of the card or, on a processor, of the machine.
    """
    most = MOST_ON_GPU if on_gpu else MOST_ON_CPU
    each = max(LEAST_PICTURE_BYTES, int(PICTURE_SHARE * model_bytes))
    return max(1, min(most, (free_bytes - MODEL_COPIES * model_bytes) // each))
