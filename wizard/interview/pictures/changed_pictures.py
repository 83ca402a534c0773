"""Whether to train where pictures or captions changed since the run was planned or trained. Decides; asks through
`Ask`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from advisor.errors import LoraError
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.changes_since import ChangesSince, changes_since, edited_since
from advisor.run_folder.pictures.edits_told import edits_summary, file_names
from advisor.run_folder.pictures.run_dataset import edits_in, run_dataset
from advisor.settings.config import TrainingConfig
from advisor.units import counted
from wizard.interview.questions import Ask, Question, choice
from wizard.output import say


def tell_pictures(run: RunFolder, config: TrainingConfig, ask: Callable[[], Ask] | None) -> None:
    """Tell what the user's edits do to the pictures, and what changed of these since the run was planned or trained; of
    the latter, ask whether to train so where the user may be asked.

    Args:
        ask: makes what asks, once there is something to be asked; None: nobody may be asked.

    Raises:
        LoraError: they do not want to, or the run's edits cannot be read.
    """
    changes = changes_since(run, config)
    if is_file(run.edits):
        data = run_dataset(run, config)
        if told := edits_summary(data):
            say(told)
        if run.has_state() and (edited := edited_since(run, config, data, changes.renamed)):
            say(edited_text(edited, run))
    if not changes:
        return
    if ask is None:
        say(f"! {changes_text(changes, run)}: {used_text(run)}")
    else:
        ask_to_use(changes, run, ask())


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
    return "they are trained as they are now; repeats and epochs stay as planned"


def _question(changes: ChangesSince, run: RunFolder) -> Question:
    text = f"{changes_text(changes, run)}. Train with them as they are now?"
    yes, no = ("yes", f"Yes: {used_text(run)}"), ("no", "No, stop here")
    return choice("changed_pictures", text, yes, no, default="yes", back=False)


def _parts(changes: ChangesSince, run: RunFolder) -> Iterator[str]:
    def names(paths: Sequence[str]) -> str:
        return file_names(paths, changes.root)

    if changes.appeared:
        yield f"{counted(len(changes.appeared), 'new picture')} ({names(changes.appeared)})"
    if changes.vanished:
        yield f"{counted(len(changes.vanished), 'picture')} gone ({names(changes.vanished)})"
    if changes.renamed:
        yield f"{counted(len(changes.renamed), 'picture')} renamed ({names([now for _, now in changes.renamed])})"
    if changes.pictures:
        yield f"{counted(len(changes.pictures), 'picture')} changed ({names(changes.pictures)})"
    if changes.captions:
        beaten = _beaten(changes.captions, run)
        yield f"{counted(len(changes.captions), 'caption file')} changed, of {names(changes.captions)}{beaten}"


def _beaten(captions: Sequence[str], run: RunFolder) -> str:
    edits = edits_in(run)
    number = sum(1 for path in captions if edits.get(path).caption is not None)
    used = "the edit is used" if number == 1 else "the edits are used"
    return f" ({number} of them edited in this run: {used})" if number else ""
