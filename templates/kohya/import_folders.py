"""kohya's folders of pictures, `N_name` each: repeats and trigger from their names, where they are on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping

from templates.importing.ledger import Ledger
from templates.importing.local_files import NUMBERED

FROM_NAMES = "from the names of its folders"


def settle_folders(ledger: Ledger, key: str, folder: str, folders: Mapping[str, int] | None) -> int | None:
    """The pictures, and what their folders' names say; how many exposures an epoch has, None where nobody knows."""
    ledger.settle(key, "dataset.images", folder)
    named = {name: (int(found[1]), found[2]) for name in folders or () if (found := NUMBERED.match(name))}
    used = {name: (repeats, concept) for name, (repeats, concept) in named.items() if repeats}
    if folders is None or not used:
        return None
    repeats = {repeats for repeats, _ in used.values()}
    if len(repeats) == 1:
        ledger.settle(key, "dataset.repeats", repeats.pop(), FROM_NAMES)
    else:
        listed = [{"path": name, "repeats": number} for name, (number, _) in used.items()]
        ledger.settle(key, "dataset.folders", listed, FROM_NAMES)
    concepts = {concept for _, concept in used.values()}
    if len(concepts) == 1 and (concept := concepts.pop().strip()):
        ledger.settle(key, "run.trigger", concept, FROM_NAMES)
    return sum(folders[name] * number for name, (number, _) in used.items()) or None


def epochs_needed(steps: int, exposures: int | None, *, batch: int, accumulation: int) -> int:
    """Epochs that hold so many steps; where the pictures are not here, as many as there are steps always do."""
    if not exposures:
        return max(1, steps)
    return max(1, math.ceil(steps * batch * accumulation / exposures))
