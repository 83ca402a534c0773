"""Editing captions in the conversation: whole sets by tags, single pictures, and taking back. Decides; asks through
`Ask`, and keeps what is decided through `PictureWork`.
"""

from __future__ import annotations

from collections.abc import Callable

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import (
    NamedEdit,
    adding,
    putting_first,
    removing,
    renaming,
    replacing,
)
from advisor.dataset.caption_edits.near_tags import tag_not_found
from advisor.dataset.caption_edits.overview import CaptionOverview
from advisor.dataset.caption_edits.pruning import BOTH_SCHOOLS, prunable_tags
from advisor.dataset.caption_edits.selection import UNCAPTIONED
from advisor.dataset.captions import has_word
from advisor.dataset.report import ImageFile
from advisor.errors import LoraError
from advisor.units import counted, named
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.questions import BACK, Ask, Candidate, Option, Question, choice
from wizard.show.captions_view import change_text, changes_view, overview_text, tags_view

DONE = "done"
SHOWN_LETTERS = 60
"""Of a caption, beside the picture's name."""


class CaptionTalk:
    """A menu of captions, until the user is done."""

    def __init__(self, work: PictureWork, ask: Ask) -> None:
        """Edit these."""
        self._work, self._ask = work, ask

    def run(self) -> bool:
        """Whether anything was changed.

        Raises:
            KeyboardInterrupt: Ctrl-C; what was decided is kept.
        """
        before = self._work.draft.changes()
        captions, edited = self._work.captions(), self._work.dataset().edited_captions
        self._ask.tell(overview_text(captions, frozenset(edited), is_prepended=self._work.is_prepended))
        if captions.report.captions_are_tags:
            self._ask.tell(tags_view(captions))
        picked = ""
        while True:
            captions = self._work.captions()
            options = self._options(captions)
            picked = self._ask(_menu(options, picked))
            if picked in (DONE, BACK):
                return self._work.draft.changes() != before
            try:
                self._actions(captions)[picked]()
            except LoraError as error:
                self._ask.tell(str(error))

    def _actions(self, captions: CaptionSet) -> dict[str, Callable[[], None]]:
        return {
            "tag": self.tag,
            "one": self.one_for_all,
            "first": lambda: self._first(captions),
            "prune": lambda: self._prune(captions),
            "remove": lambda: self._remove(captions),
            "rename": lambda: self._rename(captions),
            "add": lambda: self._add(captions),
            "replace": lambda: self._replace(captions),
            "picture": lambda: self._pictures(captions),
            "tags": lambda: self._ask.tell(tags_view(captions, None)),
            "undo": self._undo,
        }

    def _options(self, captions: CaptionSet) -> list[Option]:
        found = CaptionOverview.of(captions)
        lacking, behind = len(UNCAPTIONED.chosen(captions)), found.num_captioned - found.num_trigger_first
        of_those = f"the {found.lacking}"
        options = list[Option]()
        if lacking and self._work.tag is not None:
            options.append(Option("tag", f"Let a model write captions for {of_those}"))
        if lacking:
            options.append(Option("one", f"Write one caption for {of_those}"))
        if found.num_captioned:
            if captions.trigger and behind:
                where = f"({counted(behind, 'caption')} to change)"
                options.append(Option("first", f'Put "{captions.trigger}" in front of all {where}'))
            if prunable := prunable_tags(captions):
                options.append(Option("prune", f"Remove what is in nearly all captions ({named(prunable)})"))
            options += [
                Option("remove", "Remove a tag"), Option("rename", "Rename a tag"), Option("add", "Add a tag to all"),
                Option("replace", "Replace a text"),
            ]  # fmt: skip
        options.append(Option("picture", "Edit single pictures' captions"))
        if len(captions.tags) > 1:
            options.append(Option("tags", "Show all tags"))
        if (last := self._work.last_change()) is not None:
            options.append(Option("undo", f"Take back: {change_text(last)}"))
        return [*options, Option(DONE, "Done")]

    def _first(self, captions: CaptionSet) -> None:
        self._keep(captions, putting_first("", trigger=captions.trigger), is_shown_first=False)

    def _prune(self, captions: CaptionSet) -> None:
        tags = prunable_tags(captions)
        self._ask.tell(BOTH_SCHOOLS)
        answer = self._line(
            "tags", "Which of them shall be removed?", default=", ".join(tags), hint="commas between them"
        )
        if answer:
            self._keep(captions, removing((answer,), word="prune"))

    def _remove(self, captions: CaptionSet) -> None:
        if answer := self._tag_name("Which tag shall go?", captions):
            self._keep(captions, removing((answer,)))

    def _rename(self, captions: CaptionSet) -> None:
        old = self._tag_name("Which tag?", captions)
        new = self._line("new", f'What does "{old}" become?', default=old) if old else ""
        if new:
            self._keep(captions, renaming(old, new))

    def _add(self, captions: CaptionSet) -> None:
        if answer := self._line("add", "Which tag shall every caption have?", hint="it is put at the end"):
            self._keep(captions, adding((answer,), trigger=captions.trigger))

    def _replace(self, captions: CaptionSet) -> None:
        old = self._line("old", "Which text?", hint="in tags and sentences, whole words")
        if not old:
            return
        question = Question("new", f'What stands in the place of "{old}"?', "text", hint="nothing takes it out")
        new = self._ask(question)
        if new != BACK:
            self._keep(captions, replacing(old, new))

    def one_for_all(self) -> None:
        """Ask for one caption, and write it for all pictures without one.

        Raises:
            LoraError: it cannot be kept.
        """
        captions = self._work.captions()
        images = UNCAPTIONED.chosen(captions)
        word = captions.trigger
        text = f"What do these {counted(len(images), 'picture')} show?"
        behind = f'put behind "{word}"; ' if word else ""
        answer = self._line("one", text, hint=f"{behind}e.g. 1girl, red dress, smile")
        if answer:
            caption = answer if not word or has_word(answer, word) else f"{word}, {answer}"
            self._work.keep_captions(f"one caption for {counted(len(images), 'picture')}: {caption}", captions.written(
                images, caption
            ))  # fmt: skip
            self._ask.tell(f"{counted(len(images), 'picture')}: {caption}")

    def tag(self) -> None:
        """Let a model write captions for the pictures without one.

        Raises:
            LoraError: they cannot be kept.
        """
        assert self._work.tag is not None
        edits = self._work.tag(self._ask, self._work.captions())
        if edits:
            self._work.keep("captions by a model", edits)
            self._ask.tell(f"{counted(len(edits), 'caption')} written.")

    def _pictures(self, captions: CaptionSet) -> None:
        """Edit one picture's caption after the other."""
        while True:
            candidates = tuple(
                Candidate(image.path, _short(image.caption or "(no caption)")) for image in captions.report.image_files
            )
            text = "Which picture? Just Enter: no more"
            path = self._ask(Question("picture", text, "name", candidates=candidates, hint="Tab lists; type any part"))
            if path == BACK or not path.strip():
                return
            image = next((one for one in captions.report.image_files if one.path == path.strip()), None)
            if image is None:
                self._ask.tell(f"There is no picture {path.strip()}: Tab lists them")
            else:
                self._picture(captions, image)
                captions = self._work.captions()

    def _picture(self, captions: CaptionSet, image: ImageFile) -> None:
        forms = captions.captions_of(image)
        before = "\\n".join(form.text for form in forms)
        place = f"{captions.report.path_of(image)}\n{image.width_px} x {image.height_px} pixels"
        question = Question("caption", "Its caption:", "text", default=before, intro=place)
        if len(forms) > 1:
            question = Question(
                "caption", "Its captions:", "text", default=before, intro=place, hint="one is drawn; \\n between them"
            )
        answer = self._ask(question)
        after = "\n".join(line for part in answer.split("\\n") if (line := part.strip()))
        if answer == BACK or answer.strip() == before:
            return
        if not after:
            self._ask.tell("An empty line changes nothing: write what the picture shows")
            return
        self._work.keep_captions(f"caption of {image.path}", captions.written([image], after))

    def _undo(self) -> None:
        change = self._work.take_back()
        if change is not None:
            self._ask.tell(f"Taken back: {change_text(change)}")

    def _keep(self, captions: CaptionSet, edit: NamedEdit, *, is_shown_first: bool = True) -> None:
        """Show what an edit changes, and keep it where the user agrees.

        Raises:
            LoraError: there is no such tag, or it cannot be kept.
        """
        changes = edit.changes(captions, captions.report.image_files)
        if not changes:
            missing = [tag_not_found(tag, captions) for tag in edit.looks_for]
            raise LoraError("\n".join(missing) or "No caption has that, so nothing was changed")
        self._ask.tell(changes_view(changes))
        question = choice(
            "accept", f"Change {counted(len(changes), 'caption')} so?", ("yes", "Yes"), ("no", "No"), default="yes"
        )
        if is_shown_first and self._ask(question) != "yes":
            return
        self._work.keep_captions(edit.what, changes)
        self._ask.tell(f"{counted(len(changes), 'caption')} changed.")

    def _tag_name(self, text: str, captions: CaptionSet) -> str:
        """The tag that the user picks or types; empty: none."""
        candidates = tuple(Candidate(tag, f"in {number:,}") for tag, number in captions.tags.items())
        question = Question("tag", text, "name", candidates=candidates, hint="Tab lists; * stands for any text")
        answer = self._ask(question).strip()
        return "" if answer == BACK else answer

    def _line(self, key: str, text: str, *, default: str = "", hint: str = "") -> str:
        """What the user types; empty: nothing, or they go back."""
        answer = self._ask(Question(key, text, "text", default=default, hint=hint)).strip()
        return "" if answer == BACK else answer


def _menu(options: list[Option], picked: str) -> Question:
    """The menu; what was picked last stays marked, since it is often wanted again."""
    values = [option.value for option in options]
    default = picked if picked in values and picked not in ("first", "one", "tag") else DONE
    return Question("captions", "Captions:", "choice", tuple(options), default=default, back=False)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_LETTERS else f"{line[:SHOWN_LETTERS]}..."
