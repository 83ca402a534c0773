"""What the interview does in the world about pictures: the look of the doctor at them, and captions by a tagger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from advisor.answers import Answers
from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport
from advisor.errors import LoraError
from advisor.facts import Facts
from advisor.families import KNOWN_FAMILIES
from advisor.machine.hardware import Hardware
from advisor.rules.bucket_sizes import with_bucket_limits
from advisor.rules.card_class import own_native_px, start_resolution
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TOKEN_LIMITS, DatasetConfig, blank_config, changed
from advisor.settings.parse_value import WrongValue, parse_settings
from advisor.settings.preset_file import read_preset
from wizard.draft_edits import DraftEdits
from wizard.interview.flow import InterviewState
from wizard.interview.pictures.picture_talk import Seen, seen
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.pictures.tagging import ask_tagging
from wizard.interview.pictures.tagging_tools import real_tools
from wizard.interview.preset_questions import RULES_ALONE, interviewed_preset
from wizard.interview.questions import PREPEND_TRIGGER, Ask
from wizard.processes.folder_look import RESOLUTION_PX, LookedFor, folder_facts
from wizard.processes.waiver_store import read_waivers
from wizard.show.counting import counting

NO_MACHINE = Hardware("", "", "", 1, 1, 0, 0, 0)
"""Buckets are the same on every machine."""
LOOKED_AT = 500
"""Of more pictures the interview looks at names, sizes and captions alone; `loracle check` decodes any number."""


def picture_work(state: InterviewState, draft: DraftEdits) -> PictureWork:
    """The pictures of the answers so far, with what was decided of them; a tagger may write captions."""
    assert state.report is not None
    known = looked_for(state)
    return PictureWork(
        state.report,
        draft,
        known.trigger,
        known.dataset.caption_lines,
        known.dataset.keep_tokens_separator,
        is_prepended=known.dataset.prepend_trigger,
        run=None if state.run is None else RunFolder(state.run.absolute()),
        tag=_tag,
    )


def looked_for(state: InterviewState) -> LookedFor:
    """How the pictures will be trained, by the answers so far and the settings chosen by name or by a preset."""
    assert state.report is not None
    structure = None if state.identity is None else state.identity.structure
    chosen = dict(_chosen(state))
    usual = _with_usual_buckets(
        state,
        chosen,
        DatasetConfig(
            images=state.report.root,
            resolution_px=RESOLUTION_PX if structure is None else structure.native_px,
            caption_lines="random" if chosen.get("dataset.wildcards") else "joined",
            max_tokens=TOKEN_LIMITS[-1],
            prepend_trigger=state.answers.get(PREPEND_TRIGGER.key) == "yes",
        ),
    )
    of_pictures = {
        path.removeprefix("dataset."): value for path, value in chosen.items() if path.startswith("dataset.")
    }
    trigger = str(chosen.get("run.trigger", state.answers.get("trigger", "")))
    known = None if state.identity is None else KNOWN_FAMILIES.get(state.identity.family or "")
    return LookedFor(
        usual.model_copy(update={**of_pictures, "images": usual.images}),
        trigger.strip(),
        caption_tokens=known.caption_tokens if known else None,
    )


def _with_usual_buckets(state: InterviewState, chosen: dict[str, Any], dataset: DatasetConfig) -> DatasetConfig:
    """The limits of buckets that the plan will have, which follow from the base, the pictures and the resolution."""
    if state.report is None or state.identity is None:
        return dataset
    blank = blank_config(model=state.identity.path, family=state.identity.family or "", images=dataset.images)
    config = blank.model_copy(update={"dataset": dataset})
    resolution = chosen.get("dataset.resolution_px")
    facts = Facts(NO_MACHINE, state.report, state.identity, Answers(name="lora", settings=chosen))
    with suppress(LoraError):  # of a base without rules the plan tells
        if resolution is not None:
            config = changed(config, "dataset.resolution_px", resolution)
        elif own_native_px(facts, config) is not None:
            config = changed(config, "dataset.resolution_px", start_resolution(facts, config, config.memory.preset))
        config = with_bucket_limits(facts, config)
    return config.dataset


def _chosen(state: InterviewState) -> Iterator[tuple[str, Any]]:
    """Path and value of what a preset says, then of what was chosen by name; what is wrong is told with the plan."""
    file = state.answers.get("preset", RULES_ALONE)
    if file != RULES_ALONE:
        with suppress(LoraError):
            preset = interviewed_preset(read_preset(Path(file)), state.answers, state.settings)
            yield from ((one.path, one.value) for one in preset.settings if not isinstance(one.value, WrongValue))
    parsed = parse_settings(state.settings)
    yield from ((path, value) for path, value in parsed.items() if not isinstance(value, WrongValue))


class LastSeen:
    """What the doctor says of pictures; he looks again where they, or how they are trained, are not as they were."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._last: tuple[tuple[DatasetReport, LookedFor], Seen] | None = None

    def __call__(self, state: InterviewState, work: PictureWork) -> Seen:
        """Of the pictures as they stand."""
        key = work.report(), looked_for(state)
        if self._last is None or self._last[0] != key:
            self._last = key, seen(work, partial(look_at, key[1]))
        return self._last[1]


def look_at(known: LookedFor, report: DatasetReport) -> tuple[FolderFacts, tuple[Finding, ...]]:
    """What the doctor knows and finds of the pictures."""
    decodes = report.num_images <= LOOKED_AT
    facts = folder_facts(report, known, counting("pictures decoded"), decodes=decodes)
    return facts, examine(facts, read_waivers(report.root))


def _tag(ask: Ask, captions: CaptionSet) -> tuple[PictureEdit, ...]:
    return ask_tagging(ask, captions, real_tools())
