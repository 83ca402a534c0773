"""Who is learned: the demo's character and ten others, whom neither the base model nor the demo has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisor.files import is_there
from benchmarks.demo_model.avatar import BACKGROUND, Avatar, Extras
from benchmarks.demo_model.characters import ZUVI, Character
from benchmarks.demo_model.data import character_sets, others, write_character
from benchmarks.demo_model.score_data import score_data, write_score_data

SEED = 1
"""Of the characters' small shifts, as in the demo."""
OTHERS_SEED = 3_000_000
OTHERS = 24

MIPO = Character(
    "mipo",
    Avatar(
        style="pigtails",
        hair=(20, 150, 100),
        skin=(160, 176, 250),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="bunny",
            ear=(250, 250, 255),
            inner_ear=(20, 150, 100),
            scarf=(216, 30, 84),
            mark="heart",
            mark_colour=(255, 236, 60),
            coat=(92, 44, 110),
        ),
    ),
)
"""A blue-skinned rabbit: emerald pigtails, white ears, a crimson scarf, a plum coat and a yellow heart."""
KAVO = Character(
    "kavo",
    Avatar(
        style="short",
        hair=(30, 52, 140),
        skin=(222, 160, 244),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="cat",
            ear=(30, 52, 140),
            inner_ear=(250, 160, 60),
            mark="drop",
            mark_colour=(30, 170, 220),
            coat=(176, 216, 50),
        ),
    ),
)
"""A lilac-skinned cat without a scarf: navy hair and ears, a lime coat and a blue drop."""
WEXU = Character(
    "wexu",
    Avatar(
        style="curly",
        hair=(196, 24, 110),
        skin=(236, 240, 120),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="bear",
            ear=(90, 40, 24),
            inner_ear=(250, 200, 150),
            scarf=(40, 190, 200),
            mark="dot",
            mark_colour=(60, 40, 200),
            coat=(110, 120, 40),
        ),
    ),
)
"""A lemon-skinned bear: magenta curls, brown ears, a turquoise scarf, an olive coat and an indigo dot."""
JUQO = Character(
    "juqo",
    Avatar(
        style="long",
        hair=(36, 196, 214),
        skin=(246, 120, 196),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            horn=(250, 236, 170),
            scarf=(70, 40, 130),
            mark="star",
            mark_colour=(120, 240, 60),
            coat=(196, 60, 20),
        ),
    ),
)
"""Pink-skinned, with horns and long turquoise hair, an indigo scarf, a rust coat and a green star."""
FEZO = Character(
    "fezo",
    Avatar(
        style="long",
        hair=(150, 16, 70),
        skin=(126, 150, 236),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="cat",
            ear=(150, 16, 70),
            inner_ear=(250, 220, 120),
            scarf=(30, 160, 130),
            mark="heart",
            mark_colour=(255, 250, 110),
            coat=(226, 110, 20),
        ),
    ),
)
"""A periwinkle-skinned cat: long crimson hair, crimson ears, a jade scarf, an orange coat and a lemon heart."""
TYVU = Character(
    "tyvu",
    Avatar(
        style="bob",
        hair=(0, 140, 150),
        skin=(176, 236, 96),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="bunny",
            ear=(110, 30, 120),
            inner_ear=(250, 180, 220),
            mark="drop",
            mark_colour=(30, 40, 210),
            coat=(120, 24, 60),
        ),
    ),
)
"""A lime-skinned rabbit without a scarf: a petrol bob, purple ears, a wine-red coat and a blue drop."""

RILO = Character(
    "rilo",
    Avatar(
        style="spiky",
        hair=(110, 236, 190),
        skin=(160, 112, 226),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            horn=(250, 210, 120),
            scarf=(220, 70, 150),
            mark="dot",
            mark_colour=(240, 250, 80),
            coat=(24, 44, 104),
        ),
    ),
)
"""Violet-skinned, with horns and mint spikes, a magenta scarf, a navy coat and a lemon dot."""
NAQE = Character(
    "naqe",
    Avatar(
        style="pigtails",
        hair=(166, 200, 20),
        skin=(120, 222, 240),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="bear",
            ear=(100, 24, 80),
            inner_ear=(250, 190, 170),
            mark="star",
            mark_colour=(230, 30, 130),
            coat=(150, 60, 24),
        ),
    ),
)
"""An aqua-skinned bear without a scarf: lime pigtails, plum ears, a brick-red coat and a pink star."""
DYSO = Character(
    "dyso",
    Avatar(
        style="curly",
        hair=(60, 30, 150),
        skin=(170, 226, 150),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            ears="fox",
            ear=(60, 30, 150),
            inner_ear=(250, 236, 210),
            scarf=(250, 120, 20),
            mark="drop",
            mark_colour=(200, 20, 60),
            coat=(20, 120, 130),
        ),
    ),
)
"""A mint-skinned fox: indigo curls and ears, an orange scarf, a petrol coat and a crimson drop."""
PEXI = Character(
    "pexi",
    Avatar(
        style="bob",
        hair=(230, 80, 230),
        skin=(250, 196, 60),
        garment="t-shirt",
        cloth=(248, 248, 250),
        expression="smile",
        background=BACKGROUND["yellow"],
        extras=Extras(
            horn=(60, 220, 230),
            mark="heart",
            mark_colour=(20, 90, 200),
            coat=(70, 24, 60),
        ),
    ),
)
"""Golden-skinned, with cyan horns and a bob of bright magenta, without a scarf: an aubergine coat and a blue heart."""

CAST: Mapping[str, Character] = {
    one.trigger: one for one in (ZUVI, MIPO, KAVO, WEXU, JUQO, FEZO, TYVU, RILO, NAQE, DYSO, PEXI)
}


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
