"""`loracle captions`: a run's captions, seen and edited. What is edited is kept in the run; the user's files stay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from advisor.dataset.caption_edits.caption_set import CaptionChange, CaptionSet
from advisor.dataset.caption_edits.named_edits import NamedEdit
from advisor.dataset.caption_edits.near_tags import tag_not_found
from advisor.dataset.caption_edits.overview import CaptionOverview
from advisor.dataset.caption_edits.pruning import BOTH_SCHOOLS
from advisor.dataset.caption_edits.selection import Selection
from advisor.dataset.report import ImageFile
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.edits_file import append_change, read_changes
from advisor.run_folder.pictures.edits_told import edit_warnings
from advisor.run_folder.pictures.run_dataset import RunDataset, run_dataset
from advisor.settings.config import TrainingConfig
from advisor.shell import shell_words
from advisor.units import counted, named
from wizard.interview.pictures.caption_words import EditOptions, edit_of_words
from wizard.interview.pictures.change_log import take_back, tell_changes
from wizard.output import print_json, say, show
from wizard.own_command import own_command
from wizard.show.captions_view import captions_view, changes_view, edited_images, overview_text, tags_view

SHOWING = ("", "list", "tags", "history")
"""Actions that only look."""


@dataclass(frozen=True)
class CaptionOptions:
    """What the command line says beside the action and its words."""

    selection: Selection = field(default_factory=Selection)
    edit: EditOptions = field(default_factory=EditOptions)
    dry_run: bool = False
    """Show what would change, and write nothing."""
    as_json: bool = False


@dataclass(frozen=True)
class RunCaptions:
    """A run with its captions as they stand."""

    run: RunFolder
    config: TrainingConfig
    dataset: RunDataset
    captions: CaptionSet

    @classmethod
    def read(cls, run: RunFolder) -> RunCaptions:
        """What the run's files say now.

        Raises:
            LoraError: one of them cannot be read.
        """
        config = run.read_config()
        dataset = run_dataset(run, config)
        for _, warning in edit_warnings(dataset):
            say(f"! {warning}")
        return cls(run, config, dataset, CaptionSet.of(dataset.report, config))

    @property
    def edited(self) -> frozenset[str]:
        """Absolute paths of the pictures whose caption was edited."""
        return frozenset(self.dataset.edited_captions)


def captions(run: Path, action: str, words: Sequence[str], options: CaptionOptions | None = None) -> None:
    """Show or edit a run's captions.

    Raises:
        LoraError: there is no such run or action, its words or options are wrong, nothing fits them, or another process
            works on the run.
    """
    options = options or CaptionOptions()
    folder = RunFolder.given(run)
    if action in SHOWING:
        _look(folder, action, options)
        return
    with nullcontext() if options.dry_run else writing(folder, "loracle captions", say):
        if action == "undo":
            take_back(folder, words, dry_run=options.dry_run, as_json=options.as_json)
        else:
            _edit(RunCaptions.read(folder), action, words, options)


def _look(folder: RunFolder, action: str, options: CaptionOptions) -> None:
    if action == "history":
        tell_changes(read_changes(folder), as_json=options.as_json)
        return
    found = RunCaptions.read(folder)
    chosen = found.captions.of_images(options.selection.chosen(found.captions))
    edited = edited_images(chosen.report, found.edited)
    if options.as_json:
        print_json(_list_document(chosen, edited) if action == "list" else _overview_document(chosen, edited))
    elif action == "list":
        show(captions_view(chosen, found.edited))
        if edited:
            say("* edited here")
    else:
        show(overview_text(chosen, found.edited, is_prepended=found.config.dataset.prepend_trigger))
        if chosen.tags and chosen.report.captions_are_tags:
            show(tags_view(chosen) if action == "" else tags_view(chosen, None))
        overview = CaptionOverview.of(chosen)
        if chosen.trigger and overview.num_trigger_first < overview.num_captioned:
            say(f'To put "{chosen.trigger}" in front of all: {own_command("captions", found.run.as_given)} first')


def _edit(found: RunCaptions, action: str, words: Sequence[str], options: CaptionOptions) -> None:
    edit = edit_of_words(action, words, options.edit, found.captions, has_selection=bool(options.selection))
    images = options.selection.chosen(found.captions)
    if not images:
        raise DatasetError("no picture fits --only, --with, --without and --missing together: give fewer of them")
    changes = edit.changes(found.captions, images)
    missing = _not_found(edit, found.captions, images)
    if not changes and missing:
        raise DatasetError("\n".join(missing))
    number = None
    if changes and not options.dry_run:
        what = shell_words((*edit.words, *options.selection.words()))
        edits = found.captions.picture_edits(changes)
        number = append_change(found.run, what, edits, files=found.dataset.files).number
    if options.as_json:
        print_json(_edit_document(edit, changes, number, missing))
        return
    for line in missing:
        say(f"! {line}")
    _tell(found, edit, changes, len(images), is_written=number is not None)


def _tell(
    found: RunCaptions, edit: NamedEdit, changes: Sequence[CaptionChange], num_chosen: int, *, is_written: bool
) -> None:
    if not changes:
        say(f"All {counted(num_chosen, 'caption')} are so already; nothing was changed.")
        return
    show(changes_view(changes))
    emptied = [change.image.path for change in changes if not change.after]
    if emptied:
        say(f"! {counted(len(emptied), 'caption')} empty then ({named(emptied)}): write what they show")
    done = "changed" if is_written else "would be changed; nothing was written"
    say(f"{edit.what}: {counted(len(changes), 'caption')} of {num_chosen:,} {done}.")
    if edit.words[0] == "prune":
        say(BOTH_SCHOOLS)
    if is_written:
        say(f"Take it back with: {own_command('captions', found.run.as_given)} undo")
    if is_written and found.run.has_trained():
        say("This run has trained: its next start trains on the captions as they are now.")


def _not_found(edit: NamedEdit, captions: CaptionSet, images: Sequence[ImageFile]) -> list[str]:
    """A sentence for each tag that there would have to be."""
    found = [form for image in images for form in captions.captions_of(image)]
    missing = [tag for tag in edit.looks_for if not any(form.has(tag) for form in found)]
    elsewhere = len(images) < captions.report.num_images
    sentences = list[str]()
    for tag in missing:
        others = Selection(having=(tag,)).chosen(captions) if elsewhere else ()
        told = f"no caption of the chosen pictures has {tag!r}; {counted(len(others), 'other')}"
        sentences.append(f"{told} {'has' if len(others) == 1 else 'have'}" if others else tag_not_found(tag, captions))
    return sentences


def _overview_document(captions: CaptionSet, edited: Sequence[ImageFile]) -> dict[str, object]:
    numbers = CaptionOverview.of(captions)
    return {
        "root": captions.report.root,
        "num_images": numbers.num_images,
        "num_captioned": numbers.num_captioned,
        "num_empty": numbers.num_empty,
        "num_without": numbers.num_without,
        "num_unread": numbers.num_unread,
        "num_edited": len(edited),
        "num_left_out": len(captions.report.excluded),
        "captions_are_tags": captions.report.captions_are_tags,
        "trigger": captions.trigger,
        "num_with_trigger": numbers.num_with_trigger,
        "num_trigger_first": numbers.num_trigger_first,
        "tags": [{"tag": tag, "num_images": number} for tag, number in captions.tags.items()],
    }


def _list_document(captions: CaptionSet, edited: Sequence[ImageFile]) -> dict[str, object]:
    paths = frozenset(image.path for image in edited)
    return {
        "captions": [
            {"path": image.path, "caption": image.caption, "is_edited": image.path in paths}
            for image in captions.report.image_files
        ]
    }


def _edit_document(
    edit: NamedEdit, changes: Sequence[CaptionChange], number: int | None, missing: Sequence[str]
) -> dict[str, object]:
    return {
        "what": edit.what,
        "number": number,
        "changes": [{"path": change.image.path, "before": change.before, "after": change.after} for change in changes],
        "not_found": list(missing),
    }
