"""Hypothesis strategies for facts: machines, data sets and base models of all kinds."""

from __future__ import annotations

from hypothesis import strategies as st

from advisor.facts import Facts
from tests.support.factories import make_facts

LINEAGES = {
    "sd1": (None, "nai", "anylora", "anime", "none"),
    "sd2": (None, "none"),
    "sdxl": (None, "illustrious", "noobai", "animagine", "pony", "none"),
    "anima": (None, "none"),
    "z_image": (None, "none"),
}
"""Lineages that a family has."""

PICTURE_SIZES = st.tuples(st.integers(200, 3000), st.integers(200, 3000))
"""Width and height."""


@st.composite
def facts(draw: st.DrawFn, /, **fixed: object) -> Facts:
    """Facts of any kind; what is named in `fixed` is the same in all."""
    family = draw(st.sampled_from(tuple(LINEAGES)))
    drawn: dict[str, object] = {
        "num_images": draw(st.integers(1, 300)),
        "vram_gib": draw(st.none() | st.floats(2, 48)),
        "family": family,
        "lineage": draw(st.sampled_from(LINEAGES[family])),
        "prediction": draw(st.sampled_from(("epsilon", "v_prediction"))),
        "subject": draw(st.sampled_from(("character", "style"))),
        "advice": draw(st.sampled_from(("tutorial", "current"))),
        "compute_capability": draw(st.sampled_from(((6, 1), (7, 5), (8, 6), (9, 0)))),
        "has_bitsandbytes": draw(st.booleans()),
        "sizes": draw(st.lists(PICTURE_SIZES, min_size=1, max_size=4)),
        "captions": draw(st.sampled_from((None, "mira, red hair, smile", "a girl who smiles at the sea."))),
    }
    return make_facts(**(drawn | fixed))  # type: ignore[arg-type]
