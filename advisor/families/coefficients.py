"""How much a family's networks keep while they work: numbers counted on the real step (`trainer.simulate.step`)."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Moment:
    """A time in the backward pass that can be the peak."""

    gradients: float
    """The share of the denoiser's gradients that exist by then; text encoders' come after them."""
    pixel_bytes: float
    """Kept for each latent pixel of each picture by then, in half precision."""
    unpacked: float = 0.0
    """The share of the largest packed layer that is unpacked just then; counts only on a quantised base."""


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
    plain_quantised: StepFootprint
    """On a quantised base, whose convolutions keep nothing of their input where they have no adapter."""
    checkpointed_quantised: StepFootprint
    encode_pixel_bytes: float
    """Peak of the VAE in float32 for each pixel of a picture on its way to latents."""
    decode_pixel_bytes: float
    """The same on the way back."""

    def of_step(self, *, checkpointed: bool, quantised: bool, convolutions: bool) -> StepFootprint:
        """The numbers of a step; `convolutions`: they have adapters."""
        whole = self.checkpointed if checkpointed else self.plain
        if not quantised:
            return whole
        packed = self.checkpointed_quantised if checkpointed else self.plain_quantised
        return replace(whole, moments=(*whole.moments, *packed.moments[1:])) if convolutions else packed
