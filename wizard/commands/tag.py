"""`loracle tag`: captions for a run's pictures, by a tagger; the user's files stay as they are."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.edits_file import Change, append_change
from advisor.run_folder.pictures.run_dataset import RunDataset, run_dataset
from advisor.run_folder.pictures.tag_request import TagAnswer
from advisor.settings.config import TrainingConfig
from advisor.tagging.choose_tags import TagChoice, TagChooser
from advisor.tagging.tagged import Tagged
from advisor.tagging.tagger_model import TaggerModel, read_tagger
from advisor.units import counted
from wizard.interview.ask import TerminalAsk
from wizard.interview.pictures.tag_options import TagOptions
from wizard.interview.pictures.tagger_choice import given_tagger
from wizard.interview.pictures.tagging import TaggingTools, request_for, tagged_by
from wizard.interview.pictures.tagging_tools import real_tools
from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.trainer_job import planned_job
from wizard.show.notice import announced_end
from wizard.show.tag_view import document, preview

WHAT = "loracle tag"


def tag(target: Path, options: TagOptions, *, yes: bool, as_json: bool) -> None:
    """Tag the pictures that are meant, show what comes of it, and keep it as one change of the run.

    Raises:
        LoraError: an option, the run, its pictures or the tagger is not as it has to be.
        KeyboardInterrupt: Ctrl-C; no caption was changed, and what the tagger told is kept.
    """
    job, config = planned_job(target, device=options.device)
    choice = options.choice(config.run.trigger.strip())
    tools = real_tools(as_json=as_json, agreed=yes, gpu_uuid=job.gpu_uuid)
    tools.refuse()
    file = given_tagger(options.model, tools.sources, TerminalAsk() if is_terminal() and not as_json else None)
    tagging = _Tagging(job.run, config, options, choice, read_tagger(file), tools)
    with nullcontext() if options.dry_run else writing(job.run, WHAT, say) as place:
        answer = tagging.answer(run_dataset(job.run, config), holds_run=not options.dry_run)
        if place is not None:
            place.check()
        dataset = run_dataset(job.run, config)  # tagging takes long: captions may have been written meanwhile
        found = tagging.tagged(dataset, answer)
        change = None if options.dry_run else tagging.kept(dataset, found)
    if found.pictures:
        tools.remember(file)
    if as_json:
        number = None if change is None else change.number
        print_json(document(found, str(tagging.model.path), answer.provider, answer.num_computed, number))
    else:
        _tell(job.run, found, change, options)


@dataclass(frozen=True)
class _Tagging:
    """A run, what is wanted of its pictures, and who tells it."""

    run: RunFolder
    config: TrainingConfig
    options: TagOptions
    choice: TagChoice
    model: TaggerModel
    tools: TaggingTools

    def answer(self, dataset: RunDataset, *, holds_run: bool = False) -> TagAnswer:
        """What the tagger tells of the pictures that are meant."""
        images = self.options.selection.chosen(CaptionSet.of(dataset.report, self.config))
        if not images:
            return TagAnswer(pictures=())
        request = request_for(dataset.report, images, self.model, str(self.run.path) if holds_run else "")
        more = {"device": self.options.device, "batch": self.options.batch or 0}
        with announced_end("the tagging"):
            return self.tools.tag(request.model_copy(update=more))

    def tagged(self, dataset: RunDataset, answer: TagAnswer) -> Tagged:
        """The captions that follow for those of them that are still meant."""
        captions, asked = CaptionSet.of(dataset.report, self.config), {one.path for one in answer.pictures}
        images = self.options.selection.chosen(captions) if asked else ()
        images = tuple(image for image in images if dataset.report.path_of(image) in asked)
        return tagged_by(answer, captions, images, TagChooser(self.model.tags, self.choice), self.options.mode)

    def kept(self, dataset: RunDataset, found: Tagged) -> Change | None:
        """The change in the run's edits; None: nothing changes."""
        if not found.edits:
            return None
        command = self.options.command(str(self.run.path), str(self.model.path))
        return append_change(self.run, command, found.edits, files=dataset.files)


def _tell(run: RunFolder, found: Tagged, change: Change | None, options: TagOptions) -> None:
    if not found.pictures and not found.unreadable:
        show(_nothing_to_do(options))
        return
    show(preview(found))
    if options.dry_run:
        show(f"Not kept: --dry-run. {counted(len(found.changed), 'caption')} would change.")
    elif change is not None:
        show(
            f"{counted(len(found.changed), 'caption')} kept in {run.edits}; your files are as they were. "
            f"This takes it back:\n  {own_command('captions', run.as_given, 'undo')}"
        )


def _nothing_to_do(options: TagOptions) -> str:
    if options.only:
        return (
            "No picture is meant by --only that has no caption yet (--append and --replace take those that have one)."
        )
    return "All pictures have a caption: --append adds tags behind them, --replace puts tags in their place."
