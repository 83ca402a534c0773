"""How much a family's networks keep while they work: numbers counted on the real step (`trainer.measure`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A time in the backward pass that can be the peak."""

    gradients: float
    """The share of all gradients that exist by then."""
    pixel_bytes: float
    """Kept for each latent pixel of each picture by then, in half precision."""


@dataclass(frozen=True)
class StepFootprint:
    """What a step keeps for its way back."""

    moments: tuple[Moment, ...]
    """In order of time."""
    token_bytes: float
    """Kept by the trained text encoders for each of a picture's tokens, in half precision, at the first moment."""


@dataclass(frozen=True)
class Footprint:
    """A family's numbers; those of a model with other widths are in proportion to its channels."""

    command: str
    """What counted them."""
    plain: StepFootprint
    checkpointed: StepFootprint
    encode_pixel_bytes: float
    """Peak of the VAE in float32 for each pixel of a picture on its way to latents."""
    decode_pixel_bytes: float
    """The same on the way back."""
