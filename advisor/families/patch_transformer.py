"""What all denoisers have in common that are transformers over patches of latents."""

from __future__ import annotations

from typing import Protocol

from advisor.families.language_model import LanguageStructure

PATCH = 4
"""Latent pixels in a patch of 2 x 2, which is one token of the transformer."""
MOST_TOKENS = 512
"""Of a caption; what is longer is cut."""


class _Vae(Protocol):
    @property
    def factor(self) -> int:
        """Pixels of a picture along one side for one of the latents."""


class PatchTransformerStructure:
    """Part of the structure of such a family, whose text encoder and VAE are files of their own."""

    text: tuple[LanguageStructure, ...]
    vae: _Vae

    @property
    def side_unit_px(self) -> int:
        """Pictures' sides have to be multiples of this: a patch of 2 x 2 latents."""
        return 2 * self.vae.factor

    @property
    def halvings(self) -> int:
        """None: a transformer has one size."""
        return 0

    @property
    def halving_unit_px(self) -> int:
        """The same as for sides."""
        return self.side_unit_px

    @property
    def text_parameters(self) -> int:
        """Weights of the text encoder, as far as it is computed."""
        return sum(text.parameters for text in self.text)

    @property
    def text_positions(self) -> int:
        """Most tokens of a caption."""
        return MOST_TOKENS
