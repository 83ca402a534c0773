"""Who is learned: the demo's character and twelve others, whom neither the base model nor the demo has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from benchmarks.demo_model.avatar import Extras
from benchmarks.demo_model.characters import ZUVI, Character
from benchmarks.demo_model.pen import Colour


def _character(trigger: str, *, style: str, hair: Colour, skin: Colour, extras: Extras) -> Character:
    """Somebody whose shirt, expression and background are the demo character's until pictures vary them."""
    return Character(trigger, replace(ZUVI.avatar, style=style, hair=hair, skin=skin, extras=extras))


MIPO = _character(
    "mipo",
    style="pigtails",
    hair=(20, 150, 100),
    skin=(160, 176, 250),
    extras=Extras(
        ears="bunny",
        ear=(250, 250, 255),
        inner_ear=(20, 150, 100),
        scarf=(216, 30, 84),
        mark="heart",
        mark_colour=(255, 236, 60),
        coat=(92, 44, 110),
    ),
)
"""A blue-skinned rabbit: emerald pigtails, white ears, a crimson scarf, a plum coat and a yellow heart."""
KAVO = _character(
    "kavo",
    style="short",
    hair=(30, 52, 140),
    skin=(222, 160, 244),
    extras=Extras(
        ears="cat",
        ear=(30, 52, 140),
        inner_ear=(250, 160, 60),
        mark="drop",
        mark_colour=(30, 170, 220),
        coat=(176, 216, 50),
    ),
)
"""A lilac-skinned cat without a scarf: navy hair and ears, a lime coat and a blue drop."""
WEXU = _character(
    "wexu",
    style="curly",
    hair=(196, 24, 110),
    skin=(236, 240, 120),
    extras=Extras(
        ears="bear",
        ear=(90, 40, 24),
        inner_ear=(250, 200, 150),
        scarf=(40, 190, 200),
        mark="dot",
        mark_colour=(60, 40, 200),
        coat=(110, 120, 40),
    ),
)
"""A lemon-skinned bear: magenta curls, brown ears, a turquoise scarf, an olive coat and an indigo dot."""
JUQO = _character(
    "juqo",
    style="long",
    hair=(36, 196, 214),
    skin=(246, 120, 196),
    extras=Extras(
        horn=(250, 236, 170),
        scarf=(70, 40, 130),
        mark="star",
        mark_colour=(120, 240, 60),
        coat=(196, 60, 20),
    ),
)
"""Pink-skinned, with horns and long turquoise hair, an indigo scarf, a rust coat and a green star."""
FEZO = _character(
    "fezo",
    style="long",
    hair=(150, 16, 70),
    skin=(126, 150, 236),
    extras=Extras(
        ears="cat",
        ear=(150, 16, 70),
        inner_ear=(250, 220, 120),
        scarf=(30, 160, 130),
        mark="heart",
        mark_colour=(255, 250, 110),
        coat=(226, 110, 20),
    ),
)
"""A periwinkle-skinned cat: long crimson hair, crimson ears, a jade scarf, an orange coat and a lemon heart."""
TYVU = _character(
    "tyvu",
    style="bob",
    hair=(0, 140, 150),
    skin=(176, 236, 96),
    extras=Extras(
        ears="bunny",
        ear=(110, 30, 120),
        inner_ear=(250, 180, 220),
        mark="drop",
        mark_colour=(30, 40, 210),
        coat=(120, 24, 60),
    ),
)
"""A lime-skinned rabbit without a scarf: a petrol bob, purple ears, a wine-red coat and a blue drop."""

RILO = _character(
    "rilo",
    style="spiky",
    hair=(110, 236, 190),
    skin=(160, 112, 226),
    extras=Extras(
        horn=(250, 210, 120),
        scarf=(220, 70, 150),
        mark="dot",
        mark_colour=(240, 250, 80),
        coat=(24, 44, 104),
    ),
)
"""Violet-skinned, with horns and mint spikes, a magenta scarf, a navy coat and a lemon dot."""
NAQE = _character(
    "naqe",
    style="pigtails",
    hair=(166, 200, 20),
    skin=(120, 222, 240),
    extras=Extras(
        ears="bear",
        ear=(100, 24, 80),
        inner_ear=(250, 190, 170),
        mark="star",
        mark_colour=(230, 30, 130),
        coat=(150, 60, 24),
    ),
)
"""An aqua-skinned bear without a scarf: lime pigtails, plum ears, a brick-red coat and a pink star."""
DYSO = _character(
    "dyso",
    style="curly",
    hair=(60, 30, 150),
    skin=(170, 226, 150),
    extras=Extras(
        ears="fox",
        ear=(60, 30, 150),
        inner_ear=(250, 236, 210),
        scarf=(250, 120, 20),
        mark="drop",
        mark_colour=(200, 20, 60),
        coat=(20, 120, 130),
    ),
)
"""A mint-skinned fox: indigo curls and ears, an orange scarf, a petrol coat and a crimson drop."""
PEXI = _character(
    "pexi",
    style="bob",
    hair=(230, 80, 230),
    skin=(250, 196, 60),
    extras=Extras(
        horn=(60, 220, 230),
        mark="heart",
        mark_colour=(20, 90, 200),
        coat=(70, 24, 60),
    ),
)
"""Golden-skinned, with cyan horns and a bob of bright magenta, without a scarf: an aubergine coat and a blue heart."""
VYQA = _character(
    "vyqa",
    style="short",
    hair=(24, 120, 64),
    skin=(250, 110, 130),
    extras=Extras(
        ears="bunny",
        ear=(250, 220, 90),
        inner_ear=(24, 120, 64),
        mark="star",
        mark_colour=(30, 200, 230),
        coat=(96, 70, 206),
    ),
)
"""A coral-skinned rabbit without a scarf: forest-green hair, straw-coloured ears, a violet coat and a cyan star."""
JIXO = _character(
    "jixo",
    style="spiky",
    hair=(240, 50, 150),
    skin=(90, 180, 176),
    extras=Extras(
        ears="fox",
        ear=(240, 50, 150),
        inner_ear=(250, 240, 200),
        scarf=(230, 236, 60),
        mark="dot",
        mark_colour=(130, 16, 40),
        coat=(44, 96, 30),
    ),
)
"""A teal-skinned fox: hot-pink spikes and ears, a lemon scarf, a moss coat and a wine-red dot."""

CAST: Mapping[str, Character] = {
    one.trigger: one for one in (ZUVI, MIPO, KAVO, WEXU, JUQO, FEZO, TYVU, RILO, NAQE, DYSO, PEXI, VYQA, JIXO)
}
