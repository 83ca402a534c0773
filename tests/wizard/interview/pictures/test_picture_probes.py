"""The look at pictures in the conversation: by what was chosen of them, and only where something is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import scan
from advisor.planning.planner import make_plan
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from tests.support.pictures import make_pictures
from tests.support.scripted import make_probes
from trainer.demo.assets import MODEL_FOLDER
from wizard.draft_edits import DraftEdits
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState
from wizard.interview.machine_options import MachineOptions
from wizard.interview.pictures import picture_probes
from wizard.interview.pictures.picture_probes import LastSeen, looked_for, picture_work
from wizard.processes.folder_look import LookedFor


def state_of(tmp_path: Path, *captions: str, **settings: str) -> InterviewState:
    """After the question of the trigger; settings of the data set by name."""
    make_pictures(tmp_path / "pictures", len(captions), sizes=((64, 64),), captions=captions)
    chosen = {f"dataset.{name}": value for name, value in settings.items()}
    return InterviewState({"trigger": "mira"}, chosen, scan(tmp_path / "pictures"))


def captions_after(tmp_path: Path, state: InterviewState, title: str) -> list[str | None]:
    work = picture_work(state, DraftEdits(tmp_path / "data"))
    (mend,) = (one for one in LastSeen()(state, work).mends if one.title.startswith(title))
    work.keep(mend.what, mend.edits)
    return [image.caption for image in work.report().image_files]


def test_a_mend_leaves_lines_of_which_one_is_drawn_as_they_are(tmp_path: Path) -> None:
    state = state_of(tmp_path, "smile, hat\nrain, bow", caption_lines="random")

    assert captions_after(tmp_path, state, 'Put "mira" in front') == ["mira, smile, hat\nmira, rain, bow"]


def test_the_mark_and_the_trigger_that_were_chosen_are_heeded(tmp_path: Path) -> None:
    state = state_of(tmp_path, "smile", keep_tokens_separator="|||", prepend_trigger="true", wildcards="true")
    state = InterviewState(state.answers, {**state.settings, "run.trigger": " mia "}, state.report)

    work = picture_work(state, DraftEdits(tmp_path / "data"))

    assert (work.trigger, work.mark, work.lines, work.is_prepended) == ("mia", "|||", "random", True)
    assert not any("trigger" in finding.code for finding in LastSeen()(state, work).findings)


def test_a_preset_counts_where_nothing_was_chosen(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    values = {"caption_lines": '"first"', "resolution_px": "768"}
    rows = "".join(f'"dataset.{name}" = {{ value = {value}, reason = "so" }}\n' for name, value in values.items())
    file.write_text(f'title = "Mine"\n[settings]\n{rows}', encoding="utf-8")
    state = state_of(tmp_path, "smile", resolution_px="640").with_answer("preset", str(file))

    known = looked_for(state)

    assert (known.dataset.caption_lines, known.dataset.resolution_px) == ("first", 640)


def test_pictures_are_looked_at_for_the_chosen_resolution(tmp_path: Path) -> None:
    def codes(**settings: str) -> set[str]:
        state = state_of(tmp_path, "mira, smile", **settings)
        found = LastSeen()(state, picture_work(state, DraftEdits(tmp_path / "data")))
        return {finding.code for finding in found.findings}

    assert "small" in " ".join(codes())
    assert "small" not in " ".join(codes(resolution_px="64", min_bucket_px="64", max_bucket_px="128"))


def test_nothing_is_looked_at_twice_while_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, real = list[DatasetReport](), picture_probes.look_at

    def counted_look(known: LookedFor, report: DatasetReport) -> tuple[FolderFacts, tuple[Finding, ...]]:
        looked.append(report)
        return real(known, report)

    monkeypatch.setattr(picture_probes, "look_at", counted_look)
    state, draft, look = state_of(tmp_path, "mira, smile", "mira, hat"), DraftEdits(tmp_path / "data"), LastSeen()
    work = picture_work(state, draft)

    first = look(state, work)
    assert look(state, picture_work(state, draft)) is first
    work.keep("set", [PictureEdit(work.report().path_of(work.report().image_files[0]), caption="mira")])
    look(state, work)
    look(InterviewState(state.answers, {"dataset.resolution_px": "640"}, state.report), work)

    assert len(looked) == 3


def test_pictures_with_edits_are_made_anew_only_where_something_is_another(tmp_path: Path) -> None:
    state, draft = state_of(tmp_path, "mira, smile", "mira, hat"), DraftEdits(tmp_path / "data")
    run = RunFolder(tmp_path / "run")
    state = InterviewState(state.answers, state.settings, state.report, run=run.path)
    work = picture_work(state, draft)
    first, second = (work.files.path_of(image) for image in work.files.image_files)

    before = work.report()
    assert work.report() is before
    append_change(run, "by a command", [PictureEdit(first, caption="mira, bow")], files=work.files)
    assert [image.caption for image in work.report().image_files] == ["mira, bow", "mira, hat"]
    work.keep("here", [PictureEdit(second, excluded="blurred")])
    assert [image.caption for image in work.report().image_files] == ["mira, bow"]


def test_buckets_are_those_that_the_plan_will_have(tmp_path: Path) -> None:
    state = replace(state_of(tmp_path, "mira, smile"), identity=identify(MODEL_FOLDER))
    given = {"name": "mira", "trigger": "mira", "subject": "character"}
    facts = facts_of_state(replace(state, answers=given), make_probes(), MachineOptions())

    assert looked_for(state).dataset.bucket_step_px == make_plan(facts).config.dataset.bucket_step_px == 16
