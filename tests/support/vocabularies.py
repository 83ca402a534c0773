"""Claims that hold for every trainer's words: nothing of ours is forgotten, and what is written is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from templates.exporters import EXPORTERS
from templates.exporting.exporter import Export
from templates.importers import import_config
from templates.vocabulary import Vocabulary
from tests.support.flow_exports import z_image_config
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config

MUSUBI_TUNER = "musubi-tuner"
OTHER_TRAINERS = tuple(name for name, exporter in EXPORTERS.items() if not exporter.is_own_trainer)
OF_STABLE_DIFFUSION = tuple(name for name in OTHER_TRAINERS if name != MUSUBI_TUNER)
"""The exporters that write Stable Diffusion for other trainers."""
NEEDED: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("network.kind", "locon"): {"network": {"conv_rank": 8}},
    ("schedule.name", "constant"): {"schedule": {"warmup_share": 0.0}},
    ("schedule.name", "constant_with_warmup"): {"schedule": {"warmup_share": 0.05}},
    ("schedule.name", "adafactor"): {"optimizer": {"name": "adafactor"}},
    ("schedule.name", "cosine_with_min_lr"): {"schedule": {"min_rate": 0.1}},
}
"""What a value needs beside it to say something, or to be let through."""


def forgotten(vocabulary: Vocabulary, values: Sequence[str]) -> set[str]:
    """Values that are neither written nor known to be lacking, or are both, or are none of ours."""
    assert len(set(vocabulary.written)) == len(vocabulary.written)
    return {*vocabulary.written, *vocabulary.lacks} ^ set(values) | set(vocabulary.written) & set(vocabulary.lacks)


def misread(vocabulary: Vocabulary) -> Iterator[str]:
    """Rows whose words are not read as the table says."""
    for word in vocabulary.words:
        own = [other.ours for other in vocabulary.words if other.theirs == word.theirs and not other.decided_by]
        read = vocabulary.ours(word.theirs)
        is_right = read in own and read != word.ours if word.decided_by or word.is_near else read == word.ours
        if not is_right and not (word.decided_by and not own):
            yield f"{word.theirs} is written for {word.ours} and read as {read}"
        yield from (f"{name} is read as {found}" for name in word.also if (found := vocabulary.ours(name)) != word.ours)


def exported(place: Path, trainer: str, path: str, value: str, **groups: Any) -> Export:
    """What the trainer's exporter writes for `value` at the setting `path`; `groups` are further settings."""
    group, _, name = path.partition(".")
    tree = {key: dict(settings) for key, settings in groups.items()}
    for key, settings in {**NEEDED.get((path, value), {})}.items():
        tree.setdefault(key, {}).update(settings)
    tree.setdefault(group, {})[name] = value
    if not (place / "pictures").exists():
        make_pictures(place / "pictures", 4)
    make = z_image_config if trainer == MUSUBI_TUNER else sample_config
    return EXPORTERS[trainer].write(make(place / "pictures", **tree), run=place / "run", out=None)


def come_back(place: Path, trainer: str, path: str, value: str, **groups: Any) -> Any:
    """The setting at `path` after an export of `value` and an import of what was written."""
    written = exported(place, trainer, path, value, **groups)
    return import_config(written.paths[0]).effective.get(path)
