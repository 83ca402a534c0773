"""How many operations a family's step is made of: numbers counted on the real step (`trainer.simulate.live_bytes`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepOperations:
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
class Operations:
    """A family's numbers, of its published model; those of another are in proportion to its weights."""

    command: str
    """What counted them."""
    plain: StepOperations
    checkpointed: StepOperations
    text_forward: float
    """Of text encoders that are not trained but asked in each step, for a chunk of text."""
