"""A family's coefficients of memory and of computing, counted on the real training step by `trainer.simulate`."""

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
class StepMemory:
    """What a step keeps for its way back."""

    moments: tuple[Moment, ...]
    """In order of time."""
    token_bytes: float
    """Kept by the trained text encoders for each of a picture's tokens, in half precision, at the first moment."""


@dataclass(frozen=True)
class MemoryCoefficients:
    """A family's numbers; those of a model with other widths are in proportion to its channels."""

    command: str
    """What counted them."""
    plain: StepMemory
    checkpointed: StepMemory
    plain_quantised: StepMemory
    """On a quantised base, whose convolutions keep nothing of their input where they have no adapter."""
    checkpointed_quantised: StepMemory
    encode_pixel_bytes: float
    """Peak of the VAE in float32 for each pixel of a picture on its way to latents."""
    decode_pixel_bytes: float
    """The same on the way back."""

    def of_step(self, *, checkpointed: bool, quantised: bool, convolutions: bool) -> StepMemory:
        """The numbers of a step; `convolutions`: they have adapters."""
        whole = self.checkpointed if checkpointed else self.plain
        if not quantised:
            return whole
        packed = self.checkpointed_quantised if checkpointed else self.plain_quantised
        return replace(whole, moments=(*whole.moments, *packed.moments[1:])) if convolutions else packed


@dataclass(frozen=True)
class StepFlops:
    """Multiplications and additions of one picture in one step, with or without checkpointing."""

    picture: float
    """Whatever its size: what is made of its text in the denoiser."""
    pixel: float
    """For each latent pixel."""
    pixel_pair: float
    """For each pair of latent pixels: attention within the picture."""
    pixel_rank: float
    """For each latent pixel and each rank of adapters on the denoiser."""
    text: float
    """A trained text encoder's, forwards and backwards, for its one or more chunks of text each."""
    text_rank: float
    """The same for each rank of its adapters."""


@dataclass(frozen=True)
class FlopCoefficients:
    """A family's numbers, of its published model; those of another are in proportion to its weights."""

    command: str
    """What counted them."""
    plain: StepFlops
    checkpointed: StepFlops
    text_forward: float
    """Of text encoders that are not trained but asked in each step, for a chunk of text."""
