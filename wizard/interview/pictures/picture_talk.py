"""What the data-set doctor found, in the conversation: the worst of it, mends by a key, captions. Decides; asks through
`Ask`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisor.dataset.caption_edits.overview import CaptionOverview
from advisor.dataset.caption_edits.selection import UNCAPTIONED
from advisor.dataset.captions import CaptionReader
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.mends import Mend
from advisor.dataset.edits import PictureEdit
from advisor.dataset.picture_mends import mends
from advisor.dataset.report import DatasetReport
from advisor.errors import LoraError
from advisor.units import counted, named
from wizard.interview.pictures.caption_talk import CaptionTalk
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.questions import BACK, Ask, Candidate, Option, Question
from wizard.output import columns
from wizard.own_command import own_command
from wizard.show.captions_view import change_text
from wizard.show.check_view import findings_text

WORST_SHOWN = 3
SHOWN_LETTERS = 60
"""Of a finding, beside the name of a picture."""
INDENTED = 2
"""Columns that the terminal's questions put before what is told."""
LEFT_OUT = "left out by you"
DECIDED = ("caption", "excluded", "crop")
"""What an edit may decide of a picture."""
GO_ON = "go_on"
NOT_DECODED = "Of so many pictures only names, sizes and captions were looked at"
Look = Callable[[DatasetReport], tuple[FolderFacts, Sequence[Finding]]]
"""What the doctor knows and finds of pictures."""


@dataclass(frozen=True)
class Seen:
    """What the doctor says of the pictures as they stand."""

    findings: tuple[Finding, ...]
    """Without waived ones; the worst first."""
    mends: tuple[Mend, ...]
    is_whole: bool = True
    """The pictures were decoded, too."""

    @property
    def is_worth_asking(self) -> bool:
        """Whether anything is wrong, or can be mended here."""
        return bool(self.mends) or any(finding.severity != "note" for finding in self.findings)


def seen(work: PictureWork, look: Look) -> Seen:
    """What the doctor says now."""
    captions = work.captions()
    report = captions.report
    if work.is_prepended:
        report = report.read_by(CaptionReader(work.lines, work.trigger))
    facts, findings = look(report)
    told = tuple(finding for finding in findings if not finding.waived)
    return Seen(told, mends(facts, told, captions), is_whole=bool(facts.pixels))


class PictureTalk:
    """A menu of what was found, until the user goes on."""

    def __init__(self, work: PictureWork, look: Callable[[], Seen], ask: Ask) -> None:
        """Look at these pictures.

        Args:
            look: what the doctor says now.
        """
        self._work, self._look, self._ask = work, look, ask
        self._may_tag = work.tag is not None  # until the user has been there

    def run(self) -> str:
        """GO_ON or BACK.

        Raises:
            KeyboardInterrupt: Ctrl-C; what was decided is kept.
        """
        found = self._look()
        self._ask.tell(worst_text(found.findings, self._work.files.num_images))
        if not found.is_whole:
            self._ask.tell(f'{NOT_DECODED}: {own_command("check")} "{self._work.files.root}" decodes them')
        while True:
            picked = self._ask(self._question(found))
            if picked in (GO_ON, BACK):
                return picked
            try:
                self._do(picked, found)
            except LoraError as error:
                self._ask.tell(str(error))
                continue
            found = self._look()

    def _do(self, picked: str, found: Seen) -> None:
        if picked == "all":
            self._ask.tell(findings_text(found.findings, columns() - INDENTED, is_asked=True))
        elif picked == "captions":
            CaptionTalk(self._work, self._ask).run()
        elif picked == "tag":
            self._may_tag = False
            CaptionTalk(self._work, self._ask).tag()
        elif picked == "one":
            CaptionTalk(self._work, self._ask).one_for_all()
        elif picked == "leave_out":
            self._leave_out(found)
        elif picked == "every":
            self._mend_all(found)
        elif picked == "undo":
            taken = self._work.take_back()
            self._ask.tell(f"Taken back: {change_text(taken)}" if taken else "There is nothing to take back")
        else:
            self._mend(found.mends[int(picked)])

    def _mend(self, mend: Mend) -> None:
        self._work.keep(mend.what, mend.edits)
        self._ask.tell(f"Done: {mend.title}")

    def _mend_all(self, found: Seen) -> None:
        """Mend all as one change. Those that touch the same thing of a picture wait for a look at what came of the
        others.
        """
        done, num_before = list[Mend](), len(self._work.draft.changes())
        try:
            for _ in found.mends:
                if not (chosen := together(found.mends)):
                    break
                self._work.keep("mends", [edit for mend in chosen for edit in mend.edits])
                done += chosen
                found = self._look()
        finally:
            if done:
                self._work.join(f"{counted(len(done), 'mend')} at once", num_before)
                self._ask.tell("\n".join(["Done:", *(f"- {mend.title}" for mend in done)]))

    def _leave_out(self, found: Seen) -> None:
        """Leave single pictures out, those of findings named first."""
        while True:
            said = {path: finding.message for finding in reversed(found.findings) for path in finding.files}
            images = self._work.report().image_files
            paths = sorted((image.path for image in images), key=lambda path: path not in said)
            candidates = tuple(Candidate(path, shortened(said.get(path, ""))) for path in paths)
            text = "Which picture shall be left out? Just Enter: no more"
            hint = "Tab lists, those of findings first"
            path = self._ask(Question("leave_out", text, "name", candidates=candidates, hint=hint)).strip()
            if path in ("", BACK):
                return
            if path not in paths:
                self._ask.tell(f"There is no picture {path}: Tab lists them")
                continue
            full = next(self._work.files.path_of(image) for image in images if image.path == path)
            self._work.keep(f"leave out {path}", [PictureEdit(full, excluded=LEFT_OUT)])
            self._ask.tell(f"Left out: {path}")

    def _question(self, found: Seen) -> Question:
        captions = self._work.captions()
        options = list[Option]()
        if lacking := len(UNCAPTIONED.chosen(captions)):
            whose = "them" if lacking == captions.report.num_images else f"the {CaptionOverview.of(captions).lacking}"
            if self._work.tag is not None:
                options.append(Option("tag", f"Let a model write captions for {whose}"))
            options.append(Option("one", f"Write one caption for {whose}"))
        if len(found.mends) > 1:
            options.append(Option("every", f"Do the {len(found.mends)} things below that mend something"))
        options += [Option(str(number), mend.title) for number, mend in enumerate(found.mends)]
        if captions.report.num_captioned:
            options.append(Option("captions", "Edit captions: remove, rename, single pictures ..."))
        if captions.report.num_images > 1:
            options.append(Option("leave_out", "Leave out single pictures"))
        if len(found.findings) > WORST_SHOWN:
            options.append(Option("all", f"Show all {len(found.findings)} findings, each with its mend"))
        if (last := self._work.last_change()) is not None:
            options.append(Option("undo", f"Take back: {change_text(last)}"))
        alone = f': each is trained on "{self._work.trigger}" alone' if not captions.report.num_captioned else ""
        options.append(Option(GO_ON, f"Go on{alone}"))
        default = "0" if len(found.mends) == 1 else "every" if found.mends else GO_ON
        if not captions.report.num_captioned and self._may_tag:
            default = "tag"
        return Question("pictures", "What about the pictures?", "choice", tuple(options), default=default)


def together(mends: Sequence[Mend]) -> tuple[Mend, ...]:
    """The first of the mends and those behind it that decide nothing of what one before them decides."""
    decided, chosen = set[tuple[str, str]](), list[Mend]()
    for mend in mends:
        fields = {(edit.path, name) for edit in mend.edits for name in DECIDED if getattr(edit, name) is not None}
        if not decided & fields:
            chosen.append(mend)
        decided |= fields
    return tuple(chosen)


def shortened(text: str) -> str:
    """The beginning of a line."""
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS].rstrip()}..."


def worst_text(findings: Sequence[Finding], num_images: int) -> str:
    """The worst of what was found, a line each, and how many more there are."""
    bad = [finding for finding in findings if finding.severity != "note"]
    shown = (bad or list(findings))[:WORST_SHOWN]
    if len(findings) == len(shown) + 1:  # whose line takes no more room than `and 1 more`
        shown = list(findings)
    lines = [f"The look at the pictures found {counted(len(findings), 'thing')}:"]
    lines += [f"- {finding.severity}: {_with_files(finding, num_images)}" for finding in shown]
    rest = len(findings) - len(shown)
    lines += [f"and {rest} more"] if rest > 0 else []
    return "\n".join([*lines, "What you decide here is kept with the run; your files stay as they are."])


def _with_files(finding: Finding, num_images: int) -> str:
    """What was found; with the files, where they are some and the message names none of them."""
    is_told = any(path in finding.message for path in finding.files)
    is_of_all = len(finding.files) in (0, num_images)
    return finding.message if is_told or is_of_all else f"{finding.message} ({named(finding.files)})"
