"""What families are good at, need and permit, a sentence each; and how their captions are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence that a LoRA made with the base model falls under."""

    name: str
    of_loras: str
    """What it means for the LoRA and for pictures, as a sentence."""
    source: str
    """Its address."""

    @property
    def told(self) -> str:
        """All of it in a line or two."""
        return f"{self.of_loras} ({self.name}: {self.source})"


@dataclass(frozen=True)
class About:
    """What to know of a family before one chooses it."""

    sentence: str
    """What its models are good at, need and permit, after the family's name."""
    licence: Licence | None = None
    """Where the LoRA's own licence follows from it, and is narrower than the user may think."""
    captions: str = ""
    """How captions are written that such models were taught on, where the order of tags counts."""


CIRCLESTONE = Licence(
    name="CircleStone non-commercial licence",
    of_loras="A LoRA for Anima counts as made from its weights: not for commercial use; pictures drawn are free",
    source="https://huggingface.co/circlestone-labs/Anima",
)
"""Of Anima's weights."""
ABOUT: Mapping[str, About] = {
    "sd1": About(
        "for weak cards and short trainings, at 512 px, with the most LoRAs and tools around it; from 4 GB of card; "
        "OpenRAIL-M, mixes as their pages say"
    ),
    "sd2": About("hardly used any more, at 512 or 768 px; from 4 GB of card; OpenRAIL++-M"),
    "sdxl": About(
        "drawings by tags (Illustrious, NoobAI, Pony) or photos, at 1024 px; from 6 GB of card; OpenRAIL++-M, "
        "Illustrious and Pony as their pages say"
    ),
    "anima": About(
        "drawings by tags and sentences, which it follows more closely, at 1024 px; from 6 GB of card, and beside the "
        "model its text encoder and VAE; it and LoRAs for it are not for commercial use",
        licence=CIRCLESTONE,
        captions="Anima was taught on tags in this order: quality and rating (safe), 1girl or 1boy, character, series, "
        "artist with @ in front, then all else; lower case, blanks for underscores but in score_N. A sentence or two "
        "behind the tags help with places and poses.",
    ),
    "z_image": About(
        "photos and people, by sentences, at 1024 px; from 8 GB of card, and beside the model its text encoder "
        "(8 GB) and VAE; Apache-2.0",
        captions="Z-Image was taught on sentences: what a picture shows in a sentence or two, scene, pose and clothes; "
        "the trigger stands for what makes the character.",
    ),
    "krea2": About("photos and drawings, by sentences, at 1024 px; from 12 GB of card; under Krea's community licence"),
}
"""By family."""


def licence_of(family: str | None) -> Licence | None:
    """The licence that a LoRA for this family falls under, where it is to be told."""
    known = ABOUT.get(family or "")
    return known.licence if known else None
