"""`loracle pictures`: which pictures of a run are trained and what of each; the user's files stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.selection import Selection, is_named
from advisor.dataset.edits import PictureEdit
from advisor.dataset.picture_choice import WHOLE, crop, leave_out, take_in
from advisor.dataset.report import Box, ImageFile
from advisor.errors import ConfigError, DatasetError, LoraError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.edits_file import append_change
from advisor.run_folder.pictures.edits_told import file_names, told_of_edits
from advisor.run_folder.pictures.run_dataset import RunDataset, edits_in
from advisor.run_folder.pictures.run_files import run_files
from advisor.shell import shell_words
from advisor.shown_text import short_text
from advisor.units import counted
from wizard.interview.pictures.change_log import take_back
from wizard.output import print_json, say, show
from wizard.own_command import own_command

ACTIONS = ("leave-out", "take-in", "crop")
UNDO = "undo"
"""Takes back what was changed last, as that of `loracle captions` does."""
OFF = "off"
"""In place of a crop's sides: the whole picture."""
NO_PICTURE = (
    "unreadable_picture", "empty_picture", "too_small", "huge_picture", "unsupported_picture", "name_encoding",
)  # fmt: skip
"""Codes of files that are no usable pictures."""
USUAL_REASON = "left out by you"


@dataclass(frozen=True)
class PictureOptions:
    """What the command line says."""

    reason: str = USUAL_REASON
    box: str = ""
    """Of a crop, `LEFT,TOP,RIGHT,BOTTOM` in pixels, or `off`."""
    dry_run: bool = False
    as_json: bool = False


def pictures(run: Path, action: str, patterns: Sequence[str], options: PictureOptions | None = None) -> None:
    """Show which pictures of a run are left out or cropped, or change that.

    Args:
        action: one of `ACTIONS`; empty: they are shown.
        patterns: paths or names of pictures, `*` for any text.

    Raises:
        LoraError: there is no such run or action, a pattern names no picture, a crop is wrong, no picture would be
            left, or another process works on the run.
    """
    options, folder = options or PictureOptions(), RunFolder.given(run)
    if action == "crop" and not options.box and (boxes := [one for one in patterns if _is_box(one)]):
        raise ConfigError("--box", "", f"the part that is trained stands behind --box: --box {boxes[0]}")
    if not action:
        _show(folder, _data_of(folder), options)
        return
    if action == UNDO:
        with nullcontext() if options.dry_run else writing(folder, "loracle pictures", say):
            take_back(folder, patterns, dry_run=options.dry_run, as_json=options.as_json)
        return
    if action not in ACTIONS:
        raise ConfigError("ACTION", action, f"take {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}")
    if not patterns:
        raise LoraError(f"{action} what? Name pictures: {own_command('pictures', folder.as_given)} {action} 'a*.png'")
    with nullcontext() if options.dry_run else writing(folder, "loracle pictures", say):
        data = _data_of(folder)
        images = _named(data, patterns)
        edits = _edits(action, data, images, options)
        again = _broken_before(folder, data, images) if action == "take-in" else ()
        number = None
        if edits and not options.dry_run:
            number = append_change(folder, _what(action, patterns, options), edits, files=data.files).number
        if again and not options.dry_run:
            folder.write_left_out(folder.read_left_out().without(again))
    _tell(folder, dict.fromkeys((*(edit.path for edit in edits), *again)), number, options)


def _data_of(folder: RunFolder) -> RunDataset:
    """The run's data set, also one of which nothing is left."""
    return RunDataset.of(run_files(folder), edits_in(folder))


def _edits(
    action: str, data: RunDataset, images: Sequence[ImageFile], options: PictureOptions
) -> tuple[PictureEdit, ...]:  # fmt: skip
    if action == "leave-out":
        return leave_out(data.files, data.edits, images, options.reason.strip() or USUAL_REASON)
    if action == "take-in":
        return take_in(data.files, data.edits, images)
    return crop(data.files, data.edits, images, _box(options.box))


def _broken_before(folder: RunFolder, data: RunDataset, images: Sequence[ImageFile]) -> tuple[str, ...]:
    """Paths of those that a training left out since they could not be decoded."""
    known = {Path(path).as_posix(): path for path in folder.read_left_out().paths}
    paths = (data.files.path_of(image) for image in images)
    return tuple(known[path] for path in paths if path in known)


def _named(data: RunDataset, patterns: Sequence[str]) -> tuple[ImageFile, ...]:
    """The pictures that patterns name.

    Raises:
        DatasetError: one of them names none; of a file that is no usable picture it says so.
    """
    try:
        return Selection(only=tuple(patterns)).chosen(CaptionSet(data.files))
    except DatasetError:
        for pattern in patterns:
            for problem in data.files.problems:
                if problem.code in NO_PICTURE and is_named(problem.path, pattern):
                    what = problem.message.partition(": ")[0]
                    raise DatasetError(f"{problem.path} is not trained, so there is nothing to do: {what}") from None
        raise


def _is_box(text: str) -> bool:
    return text.count(",") == 3 and not text.replace(",", "").strip("0123456789 ")


def _box(text: str) -> Box:
    if text == OFF:
        return WHOLE
    sides = [part.strip() for part in text.split(",")]
    if len(sides) == 4 and all(side.isascii() and side.isdecimal() and len(side) <= 9 for side in sides):
        left, top, right, bottom = map(int, sides)
        if left < right and top < bottom:
            return left, top, right, bottom
    if not text:
        raise ConfigError(
            "--box", text, "say which part is trained, as --box LEFT,TOP,RIGHT,BOTTOM: --box 280,0,1000,720"
        )
    raise ConfigError("--box", text, f"write it as LEFT,TOP,RIGHT,BOTTOM in pixels, e.g. 0,0,768,1024, or {OFF}")


def _what(action: str, patterns: Sequence[str], options: PictureOptions) -> str:
    more = {"leave-out": ("--reason", options.reason), "crop": ("--box", options.box)}.get(action, ())
    return shell_words(("pictures", action, *patterns, *more))


def _tell(folder: RunFolder, paths: Iterable[str], number: int | None, options: PictureOptions) -> None:
    paths = list(paths)
    if options.as_json:
        print_json({"number": number, "paths": paths})
        return
    if not paths:
        say("They are so already; nothing was changed.")
        return
    done = "would be changed; nothing was written" if options.dry_run else "changed"
    show(f"{counted(len(paths), 'picture')} {done}: {file_names(paths)}")
    if number is not None:
        say(f"Take it back with: {own_command('pictures', folder.as_given)} undo")
    if number is not None and folder.has_trained():
        say("This run has trained: its next start trains on the pictures as they are now.")


def _show(folder: RunFolder, data: RunDataset, options: PictureOptions) -> None:
    left_out = [{"path": one.image.path, "reason": one.reason} for one in data.report.excluded]
    known = {Path(image.path).as_posix(): image.why for image in folder.read_left_out().images}
    broken = ((image, known.get(data.report.path_of(image))) for image in data.report.image_files)
    gone = [{"path": image.path, "reason": f"it was broken ({why})"} for image, why in broken if why]
    left_out, num_images = left_out + gone, data.report.num_images - len(gone)
    cropped = [(image, image.crop) for image in data.report.image_files if image.crop is not None]
    if options.as_json:
        crops = [{"path": image.path, "crop": crop.box, "whole": crop.whole} for image, crop in cropped]
        document = {"root": data.report.root, "num_images": num_images}
        print_json(document | {"excluded": left_out, "cropped": crops})
        return
    show(f"{data.report.root}: {counted(num_images, 'picture')} to train")
    for one in left_out:
        show(f"left out  {short_text(one['path'])}: {short_text(one['reason'])}")
    for image, found in cropped:
        box, whole = ",".join(map(str, found.box)), " x ".join(map(str, found.whole))
        show(f"cropped   {short_text(image.path)}: {box} of {whole}")
    for told in told_of_edits(data):
        say(told)
