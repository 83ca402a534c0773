"""The files of who is learned (`benchmarks.choice.members`): pictures, captions, and what the truth compares with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.files import is_there
from benchmarks.choice.members import CAST
from benchmarks.demo_model.data import character_sets, others, write_character
from benchmarks.demo_model.score_data import score_data, write_score_data

SEED = 1
"""Of the characters' small shifts, as in the demo."""
OTHERS_SEED = 3_000_000
OTHERS = 24


@dataclass(frozen=True)
class CharacterFolder:
    """A character's files."""

    path: Path

    @property
    def images(self) -> Path:
        """To train on, with captions."""
        return self.path / "images"

    @property
    def uncalled_images(self) -> Path:
        """The same without the trigger in the captions."""
        return self.path / "images_without_trigger"

    @property
    def held_out(self) -> Path:
        """Further pictures; only the truth looks at them."""
        return self.path / "held_out"

    @property
    def score_data(self) -> Path:
        """Regions and colours; only the truth looks at them."""
        return self.path / "score.json"


def write_cast_member(work: Path, name: str) -> CharacterFolder:
    """The files of the character of that name below `work`, written unless they are there."""
    folder, character = CharacterFolder(work / "characters" / name), CAST[name]
    if is_there(folder.score_data):
        return folder
    training, held_out = character_sets(SEED, character)
    write_character(folder.images, training)
    write_character(folder.held_out, held_out)
    write_character(folder.uncalled_images, training)
    for caption in folder.uncalled_images.glob("*.txt"):
        caption.write_text(caption.read_text("utf-8").removeprefix(f"{character.trigger}, "), encoding="utf-8")
    write_score_data(folder.score_data, score_data(training, character))
    return folder


def write_others(work: Path, *, brief: bool) -> Path:
    """A folder of other people with captions below `work`, written unless it is there.

    Args:
        work: Where.
        brief: Half of the captions are (`benchmarks.demo_model.data.brief`).
    """
    folder = work / "characters" / ("others_half_of_them_brief" if brief else "others")
    if not is_there(folder / f"{OTHERS:02}.txt"):
        write_character(folder, others(OTHERS, OTHERS_SEED, brief_every=2 if brief else 0))
    return folder
