"""Which well-known model a checkpoint descends from, guessed from its metadata and its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from advisor.checkpoints.identity import Lineage


@dataclass(frozen=True)
class Ancestor:
    """Words that speak of a lineage, within the family where it exists."""

    lineage: Lineage
    family: str
    title: str
    pattern: str
    """Searched in lower-case text whose separators are single blanks."""


ANCESTORS = (
    Ancestor("anylora", "sd1", "AnyLoRA", r"any ?lora"),
    Ancestor("nai", "sd1", "the NAI leak", r"\bnai\b|novel ?ai|anime ?full|anime ?sfw"),
    Ancestor(
        "anime",
        "sd1",
        "an anime model",
        r"\banything|counterfeit|abyss ?orange|orange ?mix|\baom ?\d|pastel ?mix|meina|waifu ?diffusion|\bwd ?1|cetus"
        r"|hassaku|7th|eimis|grapefruit|divine ?elegance|dark ?sushi|anime",
    ),
    Ancestor(
        "none",
        "sd1",
        "a model that is no anime model",
        r"\bsd ?v?1 ?[45]|\bv1 ?[45] ?(pruned|ema)|stable ?diffusion v?1|realistic ?vision|deliberate|dream ?shaper"
        r"|epic ?realism|photon|majic ?mix",
    ),
    Ancestor("noobai", "sdxl", "NoobAI", r"\bnoob"),
    Ancestor("animagine", "sdxl", "Animagine", r"animagine"),
    Ancestor("pony", "sdxl", "Pony Diffusion", r"pony|autism ?mix"),
    Ancestor("illustrious", "sdxl", "Illustrious", r"illustrious|\bilxl\b|\billu|\bwai (nsfw|ani)"),
    Ancestor("anime", "sdxl", "an anime model", r"\bcounterfeit|anime|kohaku"),
    Ancestor(
        "none",
        "sdxl",
        "a model that is no anime model",
        r"\bsd ?xl ?(base|1 0|turbo|lightning)|stable ?diffusion ?xl|juggernaut|real ?vis|dream ?shaper",
    ),
)
"""In the order in which they are asked: the more particular name first."""

METADATA_KEYS = ("modelspec.title", "ss_sd_model_name", "modelspec.merged_from", "sd_merge_models", "sd_merge_recipe")
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class LineageGuess:
    """A guess and what it rests on; None: nothing speaks of a known lineage."""

    lineage: Lineage | None
    reason: str
    notes: tuple[str, ...] = ()


def guess_lineage(family: str | None, metadata: Mapping[str, str], name: str | None) -> LineageGuess:
    """The first ancestor that metadata, then the file's name, speak of; `name` None: the name is not to be asked."""
    sources = list(_sources(metadata, name))
    for source, text in sources:
        for ancestor in ANCESTORS:
            if ancestor.family == family and re.search(ancestor.pattern, text):
                return LineageGuess(ancestor.lineage, f"{source} speaks of {ancestor.title}")
    return LineageGuess(
        None, "neither its metadata nor its name speak of a known model", _contradictions(family, sources)
    )


def _sources(metadata: Mapping[str, str], name: str | None) -> Iterator[tuple[str, str]]:
    for key in METADATA_KEYS:
        if metadata.get(key):
            yield f"its metadata ({key})", plain(metadata[key])
    if name is not None:
        yield f"the name {name}", plain(name)


def plain(text: str) -> str:
    """Lower case, a blank for all that is no letter or digit: `AnyLoRA_v1.0` becomes `anylora v1 0`."""
    return _SEPARATORS.sub(" ", text.lower())


def _contradictions(family: str | None, sources: list[tuple[str, str]]) -> tuple[str, ...]:
    """A note where the words are those of another family than the tensors."""
    titles = {"sd1": "SD1.x", "sdxl": "SDXL"}
    if family not in titles:
        return ()
    for source, text in sources:
        for ancestor in ANCESTORS:
            distinct = ancestor.lineage not in ("anime", "none", "nai")
            if distinct and ancestor.family != family and re.search(ancestor.pattern, text):
                other, own = titles[ancestor.family], titles[family]
                return (f"{source} speaks of {ancestor.title}, which is {other}; by its tensors it is {own}",)
    return ()
