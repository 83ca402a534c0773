"""What the interview does in the world about pictures: the look of the doctor at them, and captions by a tagger."""

from __future__ import annotations

from pathlib import Path

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.doctor.caption_sources import caption_sources
from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.edits import PictureEdit
from advisor.dataset.folders import find_files
from advisor.dataset.report import DatasetReport
from advisor.settings.config import DatasetConfig
from wizard.draft_edits import DraftEdits
from wizard.interview.flow import InterviewState
from wizard.interview.picture_work import PictureWork
from wizard.interview.questions import Ask
from wizard.interview.tagging import ask_tagging
from wizard.interview.tagging_tools import real_tools
from wizard.processes.measured_pictures import measured_pictures
from wizard.processes.waiver_store import read_waivers
from wizard.show.counting import counting

LOOKED_AT = 500
"""Of more pictures the interview looks at names, sizes and captions alone; `loracle check` decodes any number."""


def picture_work(state: InterviewState, draft: DraftEdits) -> PictureWork:
    """The pictures of the answers so far, with what was decided of them; a tagger may write captions."""
    assert state.report is not None
    return PictureWork(state.report, draft, state.answers.get("trigger", ""), tag=_tag)


def look_at(state: InterviewState, report: DatasetReport) -> tuple[FolderFacts, tuple[Finding, ...]]:
    """What the doctor knows and finds of the pictures, at the resolution of the answers' base model."""
    dataset = DatasetConfig(images=report.root)
    if state.identity is not None and state.identity.structure is not None:
        dataset = dataset.model_copy(update={"resolution_px": state.identity.structure.native_px})
    is_quick = report.num_images <= LOOKED_AT
    facts = FolderFacts(
        report,
        measured_pictures(report, counting("pictures decoded")) if is_quick else {},
        state.answers.get("trigger", ""),
        dataset,
        caption_sources(report, find_files(Path(report.root))),
    )
    return facts, examine(facts, read_waivers(report.root))


def _tag(ask: Ask, captions: CaptionSet) -> tuple[PictureEdit, ...]:
    return ask_tagging(ask, captions, real_tools())
