"""plan.json read again: what the user chose, and what the ladder made of the plan later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.run_folder.ladder_file import Taken

LOCKED_ORIGINS = ("answer", "preset")
"""A setting with such an origin is the user's own."""

PLACES = ("model.path", "model.vae_path", "dataset.images", "dataset.regularization_images", "network.start_from")
"""Settings that may be written in another way in a run folder, which is nobody's choice."""


def chosen_paths(document: Mapping[str, Any] | None, now: Mapping[str, Any]) -> frozenset[str]:
    """Settings that the user chose: in the plan, or later by changing `loracle.toml`.

    Args:
        document: plan.json; None: the run has no record, so nobody knows.
        now: the settings of loracle.toml by path.
    """
    if document is None:
        return frozenset()
    found = set[str]()
    for decision in document.get("decisions") or ():
        if not isinstance(decision, Mapping):
            continue
        path, value = decision.get("path"), decision.get("value")
        if not isinstance(path, str) or path not in now:
            continue
        planned = decision.get("planned", value)
        by_hand = path not in PLACES and _differs(now[path], value) and _differs(now[path], planned)
        if decision.get("planned_origin", decision.get("origin")) in LOCKED_ORIGINS or by_hand:
            found.add(path)
    return frozenset(found)


def record_with_rung(document: Mapping[str, Any], taken: Taken, *, why: str = "memory ran out") -> dict[str, Any]:
    """plan.json with a rung in it: the decision tells the new value and keeps the plan's as `planned`.

    Args:
        why: what the reason begins with.
    """
    decisions = []
    for decision in document.get("decisions") or ():
        path = decision.get("path") if isinstance(decision, Mapping) else None
        if path not in taken.after:
            decisions.append(decision)
            continue
        planned = decision.get("planned", decision.get("value"))
        origin = decision.get("planned_origin", decision.get("origin"))
        decisions.append(
            {
                **decision,
                "value": taken.after[path],
                "reason": f"{why}: {taken.message}",
                "origin": "ladder",
                "planned": planned,
                "planned_origin": origin,
            }
        )
    ladder = [*(document.get("ladder") or ()), taken.model_dump()]
    return {**document, "decisions": decisions, "ladder": ladder}


def _differs(now: Any, planned: Any) -> bool:
    """Numbers, texts and lists of them."""
    plain = list(now) if isinstance(now, tuple) else now
    if isinstance(plain, list) and isinstance(planned, list):
        return all(isinstance(one, bool | int | float | str) for one in plain) and plain != planned
    if isinstance(plain, str) or isinstance(planned, str):
        return isinstance(plain, str) and isinstance(planned, str) and plain != planned
    return isinstance(plain, bool | int | float) and isinstance(planned, bool | int | float) and plain != planned
