"""What can be said of base models before and after one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity, PartFile


def base_models_text() -> str:
    """A sentence for each family that can be trained."""
    from advisor.families import KNOWN_FAMILIES
    from advisor.families.about import ABOUT

    known = [(KNOWN_FAMILIES[name], about) for name, about in ABOUT.items()]
    return "\n".join(f"- {family.title}: {about.sentence}." for family, about in known if family.trainable)


def base_model_notes(identity: Identity) -> str:
    """Where the base model's parts lie, which licence its LoRAs fall under and how its captions go; else empty."""
    from advisor.families.about import ABOUT

    about = ABOUT.get(identity.family or "")
    lines = [f"Its {part.title}: {_place(part, identity)}" for part in identity.part_files]
    if about is not None and about.licence is not None:
        lines.append(f"{about.licence.told}.")
    if about is not None and about.captions:
        lines.append(about.captions)
    return "\n".join(lines)


def _place(part: PartFile, identity: Identity) -> str:
    """Where a part lies, in short where it is the base model itself."""
    if part.path is None:
        return f"not found beside it (usually {part.to_get})"
    if part.path == identity.path:
        return "in it"
    return f"{part.path} (also found: {', '.join(part.others)})" if part.others else part.path
