"""What our training of a flow matching base needs, whatever another trainer's file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from advisor.families import KNOWN_FAMILIES
from advisor.rules.batch import TEXT_VARIANTS
from templates.importing.imported import Imported, Line

VARYING: Mapping[str, tuple[Any, ...]] = {
    "dataset.shuffle_captions": (False,), "dataset.wildcards": (False,), "dataset.tag_dropout": (0, 0.0),
    "dataset.caption_lines": ("first", "joined"),
}  # fmt: skip
"""Settings by which captions change, and the values at which they do not."""
WHY: Mapping[str, str] = {
    "optimizer.text_encoder_learning_rate": "text encoders of flow matching bases are not trained with us",
    "memory.cache_text": "all captions are encoded before training with us",
    "memory.text_variants": "captions that change are encoded in so many forms before training",
    "sampling.sampler": "flow matching is drawn with Euler's method",
}


def for_flow(imported: Imported) -> Imported:
    """The same, made fit where the base is a flow matching one that we have layers of; each change has its line."""
    known = KNOWN_FAMILIES.get(str(imported.effective.get("model.family")))
    if known is None or known.prediction != "flow" or known.targets is None:
        return imported
    settings, defaults, lines = dict(imported.settings), dict(imported.defaults), list(imported.lines)
    for path, value in _needed(imported.effective):
        if path in settings:
            lines.append(Line(path, str(settings[path]), "contradictory", path, value, WHY[path]))
            settings[path] = value
        else:
            defaults[path] = value
    return replace(imported, settings=settings, defaults=defaults, lines=tuple(lines))


def _needed(effective: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings that have to be otherwise."""
    varies = any(effective.get(path, usual[0]) not in usual for path, usual in VARYING.items())
    wanted = {
        "optimizer.text_encoder_learning_rate": 0.0,
        "memory.cache_text": True,
        "memory.text_variants": (effective.get("memory.text_variants") or TEXT_VARIANTS) if varies else 0,
        "sampling.sampler": "euler",
    }
    yield from ((path, value) for path, value in wanted.items() if effective.get(path) != value)
