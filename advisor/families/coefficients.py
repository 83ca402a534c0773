"""A family's coefficients of memory and of computing, counted on the real training step by `trainer.simulate`."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Moment:
    """A moment of the backward pass at which memory can peak."""

    gradients: float
    """The share of the denoiser's gradients that is allocated by then; text encoders' come after them."""
    pixel_bytes: float
    """Activation bytes per latent pixel and image still alive, in half precision."""
    pixel_rank_bytes: float = 0.0
    """The same per rank: what adapters keep of their own."""
    unpacked: float = 0.0
    """The share of the largest quantised layer that is dequantised just then; counts only on a quantised base."""
    image_bytes: float = 0.0
    """Activation bytes per image, whatever its size, in half precision: of the text that the denoiser looks at."""


@dataclass(frozen=True)
class StepMemory:
    """Activations that a step saves for its backward pass."""

    moments: tuple[Moment, ...]
    """In order of time."""
    token_bytes: float
    """Activation bytes of the trained text encoders per token, in half precision, at the first moment."""


@dataclass(frozen=True)
class MemoryCoefficients:
    """A family's coefficients; a model of other widths has them in proportion to its channels."""

    command: str
    """The command that counted them."""
    plain: StepMemory
    checkpointed: StepMemory
    plain_quantised: StepMemory
    """On a quantised base, whose convolutions save no input where they have no adapter."""
    checkpointed_quantised: StepMemory
    encode_pixel_bytes: float
    """Peak bytes of the VAE encoder per image pixel, float32."""
    decode_pixel_bytes: float
    """Peak bytes of the VAE decoder per image pixel, float32."""
    saved_by_first: tuple[float, ...] = ()
    """Of the activations that checkpointing all of the denoiser's blocks does not keep as the backward pass begins, the
    share that checkpointing the first one does not, the first two, and so on; empty: all blocks are alike."""
    read_token_bytes: float = 0.0
    """Peak bytes of reading a caption per token, in half precision, where all are read before the denoiser comes."""

    def of_step(self, *, checkpointed: bool, quantised: bool, convolutions: bool) -> StepMemory:
        """The coefficients of a step; `convolutions`: they have adapters."""
        whole = self.checkpointed if checkpointed else self.plain
        if not quantised:
            return whole
        packed = self.checkpointed_quantised if checkpointed else self.plain_quantised
        return replace(whole, moments=(*whole.moments, *packed.moments[1:])) if convolutions else packed


@dataclass(frozen=True)
class StepFlops:
    """FLOPs (multiplications and additions) of one image in one step, with or without gradient checkpointing."""

    image: float
    """Independent of the image's size: the denoiser's work on the text."""
    pixel: float
    """Per latent pixel."""
    pixel_pair: float
    """Per pair of latent pixels: self-attention."""
    pixel_rank: float
    """Per latent pixel and rank of the denoiser's adapters."""
    text: float
    """Of trained text encoders, forward and backward, per chunk of text."""
    text_rank: float
    """Of the same per rank of their adapters."""


@dataclass(frozen=True)
class FlopCoefficients:
    """A family's coefficients, of its published model; another model has them in proportion to its weights."""

    command: str
    """The command that counted them."""
    plain: StepFlops
    checkpointed: StepFlops
    text_forward: float
    """Of text encoders that are not trained but evaluated in each step, per chunk of text."""
    unrepeated_pixel: float
    """Of the denoiser's forward pass, per latent pixel and image: layers outside of its blocks and between them, which
    gradient checkpointing does not repeat (`Simulation.drawing_operations`)."""
    encode_pixel: float = 4.2e6
    """Of the VAE's encoder per image pixel; those of Stable Diffusion's."""
    decode_pixel: float = 9.8e6
    """Of its decoder: 9.6e6 at 512 px, 10.0e6 at 1024 (`Simulation.drawing_operations`)."""
    read_token: float = 0.0
    """Of reading a caption per token, where all are read before the denoiser is loaded."""


@dataclass(frozen=True)
class StepCalls:
    """Operations that torch dispatches in a step from one batch to its gradients, whatever its size.

    The first is a LoRA's on the denoiser with cached text; the others come on top of it.
    """

    denoiser: int
    text_forward: int
    """Text encoders evaluated in each step."""
    text_trained: int
    """Text encoders trained."""
    int8: int
    nf4: int


@dataclass(frozen=True)
class CallCoefficients:
    """A family's counts, of its published model; another model has them in proportion to its layers."""

    command: str
    """The command that counted them."""
    plain: StepCalls
    checkpointed: StepCalls
