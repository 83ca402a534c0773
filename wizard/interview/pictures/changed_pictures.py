"""Whether to train where pictures or captions changed since the run was planned or trained. Decides; asks through
`Ask`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.errors import LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.changes_since import ChangesSince
from advisor.run_folder.pictures.edits_told import file_names
from advisor.run_folder.pictures.run_dataset import edits_in
from advisor.units import counted
from wizard.interview.questions import Ask, Question, choice


def changes_text(changes: ChangesSince, run: RunFolder) -> str:
    """What changed, as a sentence; it ends without a point.

    Raises:
        RunError: the run's edits cannot be read.
    """
    since = "Since the training began" if run.has_state() else "Since the plan was made"
    return f"{since}: {'; '.join(_parts(changes, run))}"


def edited_text(edited: Sequence[str], run: RunFolder) -> str:
    """What is said of pictures that were edited since a training began."""
    pictures = f"{counted(len(edited), 'picture')} ({file_names(edited)})"
    return f"Since the training began you edited {pictures}: {used_text(run)}"


def ask_to_use(changes: ChangesSince, run: RunFolder, ask: Ask) -> None:
    """Ask whether to train with the pictures and captions as they are now.

    Raises:
        LoraError: the user does not want to.
    """
    if ask(_question(changes, run)) != "yes":
        raise LoraError("Nothing was trained.")


def used_text(run: RunFolder) -> str:
    """What happens with them where nobody is asked."""
    if run.has_state():
        return "the training goes on with them as they are now; what it learned before stays"
    return "they are trained as they are now; repeats and steps stay as planned"


def _question(changes: ChangesSince, run: RunFolder) -> Question:
    text = f"{changes_text(changes, run)}. Train with them as they are now?"
    yes, no = ("yes", f"Yes: {used_text(run)}"), ("no", "No, stop here")
    return choice("changed_pictures", text, yes, no, default="yes", back=False)


def _parts(changes: ChangesSince, run: RunFolder) -> Iterator[str]:
    if changes.appeared:
        yield f"{counted(len(changes.appeared), 'new picture')} ({file_names(changes.appeared)})"
    if changes.vanished:
        yield f"{counted(len(changes.vanished), 'picture')} gone ({file_names(changes.vanished)})"
    if changes.renamed:
        yield f"{counted(len(changes.renamed), 'picture')} renamed ({file_names([now for _, now in changes.renamed])})"
    if changes.pictures:
        yield f"{counted(len(changes.pictures), 'picture')} changed ({file_names(changes.pictures)})"
    if changes.captions:
        beaten = _beaten(changes.captions, run)
        yield f"{counted(len(changes.captions), 'caption file')} changed, of {file_names(changes.captions)}{beaten}"


def _beaten(captions: Sequence[str], run: RunFolder) -> str:
    edits = edits_in(run)
    number = sum(1 for path in captions if edits.get(path).caption is not None)
    used = "the edit is used" if number == 1 else "the edits are used"
    return f" ({number} of them edited in this run: {used})" if number else ""
