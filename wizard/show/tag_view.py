"""What a tagger made of pictures, in words and as JSON."""

from __future__ import annotations

from typing import Any

from advisor.tagging.tagged import Tagged, TaggedPicture
from advisor.units import counted, named

MOST_SHOWN = 5
"""Pictures whose captions are shown."""


def preview(found: Tagged) -> str:
    """The first captions, and what is to be known of all."""
    lines = [line for picture in found.changed[:MOST_SHOWN] for line in _change(picture)]
    more = len(found.changed) - MOST_SHOWN
    lines += [f"... and {counted(more, 'more picture')}"] if more > 0 else []
    if found.without_tags:
        paths = named(picture.image.path for picture in found.without_tags)
        lines.append(
            f"! {counted(len(found.without_tags), 'picture')} of which the tagger is sure of nothing ({paths}): a "
            "caption there is as it was"
        )
    if found.unreadable:
        lines.append(f"! {counted(len(found.unreadable), 'picture')} cannot be read: {_first_reason(found)}")
    if found.carried:
        lines.append(
            f"In nearly all: {named(found.carried, most=8)}. What belongs to the character (hair, eyes) the trigger "
            "alone brings once it is pruned from the captions; what stays can be changed by a prompt."
        )
    return "\n".join(lines) or "No caption changes."


def document(found: Tagged, model: str, provider: str, num_computed: int, change: int | None) -> dict[str, Any]:
    """The document of `tag --json`."""
    return {
        "model": model,
        "provider": provider or None,
        "num_computed": num_computed,
        "pictures": [
            {
                "path": picture.image.path,
                "before": picture.image.caption,
                "caption": picture.caption,
                "tags": [
                    {"tag": tag.text, "kind": tag.kind, "confidence": round(tag.confidence, 4)} for tag in picture.tags
                ],
            }
            for picture in found.pictures
        ],
        "unreadable": [{"path": path, "message": why} for path, why in found.unreadable.items()],
        "in_nearly_all": list(found.carried),
        "change": change,
    }


def _change(picture: TaggedPicture) -> list[str]:
    before = (picture.image.caption or "").strip()
    head = f"{picture.image.path}:"
    if not before:
        return [f"{head} {picture.caption}"]
    return [head, f"  - {' / '.join(before.splitlines())}", f"  + {picture.caption}"]


def _first_reason(found: Tagged) -> str:
    return next(iter(found.unreadable.values()))
