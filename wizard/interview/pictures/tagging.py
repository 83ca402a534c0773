"""Tagging pictures in a conversation: which model, how sure it has to be, and whether its captions are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.selection import UNCAPTIONED
from advisor.dataset.caption_files import read_caption
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import CAPTION_EXTENSIONS, DatasetReport, ImageFile
from advisor.errors import LoraError
from advisor.files import is_file
from advisor.run_folder.pictures.tag_request import PictureToTag, TagAnswer, TagRequest
from advisor.tagging.choose_tags import THRESHOLD, TagChoice, TagChooser
from advisor.tagging.tagged import Mode, Tagged, tagged
from advisor.tagging.tagger_model import TaggerModel, read_tagger
from advisor.units import counted
from wizard.interview.pictures.tagger_choice import TaggerSources, asked_tagger
from wizard.interview.questions import Ask, choice
from wizard.show.tag_view import preview

THRESHOLDS = ((0.5, "fewer, surer ones"), (THRESHOLD, "as most do"), (0.25, "more, and more wrong ones"))


@dataclass(frozen=True)
class TaggingTools:
    """What tagging does in the world."""

    sources: TaggerSources
    tag: Callable[[TagRequest], TagAnswer]
    """Raises a LoraError, or KeyboardInterrupt where the user breaks it off."""
    remember: Callable[[Path], None]
    """Keeps which tagger was used."""
    refuse: Callable[[], None]
    """Raises a LoraError where tagging is not possible here at all."""
    add_runtime: Callable[[], None]
    """Installs what `refuse` misses; raises a LoraError where that fails."""


def ask_tagging(ask: Ask, captions: CaptionSet, tools: TaggingTools) -> tuple[PictureEdit, ...]:
    """Captions for the pictures that have none, made by a tagger that the user picks and looked at by the user.

    The caller has asked whether to tag at all.

    Args:
        captions: with earlier edits laid over them.

    Returns:
        The edits that the user takes; none: none are taken, or the tagging failed or was broken off, which is told.
    """
    images = UNCAPTIONED.chosen(captions)
    before = _with_caption_file(captions.report, images)
    if not _can_tag(ask, tools):
        return ()
    file = asked_tagger(ask, tools.sources, tools.sources.found()) if images else None
    if file is None:
        return ()
    try:
        model = read_tagger(file)
        answer = tools.tag(request_for(captions.report, images, model))
        tools.remember(file)
    except (LoraError, KeyboardInterrupt) as ended:
        ask.tell(str(ended))
        return ()
    if written := _with_caption_file(captions.report, images) - before:  # tagging takes long
        ask.tell(f"{counted(len(written), 'picture')} got a caption of yours meanwhile, which stays.")
        images = tuple(image for image in images if captions.report.path_of(image) not in written)
    return _taken(
        ask,
        lambda choice: tagged_by(answer, captions, images, TagChooser(model.tags, choice), "missing"),
        captions.trigger,
    )


def _with_caption_file(report: DatasetReport, images: Sequence[ImageFile]) -> frozenset[str]:
    """The paths of those beside which there is a caption file now that says something."""
    paths = (report.path_of(image) for image in images)
    return frozenset(path for path in paths if any(_texts(Path(path))))


def _texts(image: Path) -> Iterator[str | None]:
    for extension in CAPTION_EXTENSIONS:
        caption = image.with_suffix(extension)
        if is_file(caption):
            yield read_caption(caption, image).text


def _can_tag(ask: Ask, tools: TaggingTools) -> bool:
    """Whether tagging is possible here; where a package is missing, after it was installed with the user's consent."""
    try:
        tools.refuse()
    except LoraError as missing:
        ask.tell(str(missing))
        if ask(choice("install", "Run that command now?", ("yes", "Yes"), ("no", "No"), back=False)) != "yes":
            return False
        try:
            tools.add_runtime()
        except (LoraError, KeyboardInterrupt) as failed:
            ask.tell(str(failed) or "Nothing was installed.")
            return False
    return True


def request_for(report: DatasetReport, images: Sequence[ImageFile], model: TaggerModel, run: str = "") -> TagRequest:
    """What a tagger is asked about these pictures."""
    pictures = (
        PictureToTag(path=report.path_of(image), crop=None if image.crop is None else image.crop.box)
        for image in images
    )  # fmt: skip
    return TagRequest(model=str(model.path), pictures=tuple(pictures), run=run)


def tagged_by(
    answer: TagAnswer, captions: CaptionSet, images: Sequence[ImageFile], chooser: TagChooser, mode: Mode
) -> Tagged:  # fmt: skip
    """The captions that follow from a tagger's answer."""
    told = {one.path: one.confidences for one in answer.pictures if not one.why_not}
    unreadable = {one.path: one.why_not for one in answer.pictures if one.why_not}
    return tagged(captions, images, told, chooser, mode, unreadable=unreadable)


def _taken(ask: Ask, chosen: Callable[[TagChoice], Tagged], trigger: str) -> tuple[PictureEdit, ...]:
    """Show the captions, with another threshold as often as the user likes."""
    threshold = THRESHOLD
    while True:
        found = chosen(TagChoice(threshold=threshold, trigger=trigger))
        ask.tell(preview(found))
        others = [(f"{one:g}", f"With the threshold {one:g}: {what}") for one, what in THRESHOLDS if one != threshold]
        question = choice(
            "take_tags",
            f"Take these captions for {counted(len(found.changed), 'picture')}? Your files stay as they are.",
            ("yes", "Yes"),
            *others,
            ("no", "No"),
            back=False,
        )
        decision = ask(question)
        if decision == "yes":
            return found.edits
        if decision not in {value for value, _ in others}:
            return ()
        threshold = float(decision)
