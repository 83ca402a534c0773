"""Interview and menu together, from the first question to what is done with the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import scan
from advisor.errors import RunError, UserErrors
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change, read_changes
from advisor.run_folder.pictures.run_dataset import run_dataset
from advisor.settings.preset_file import read_preset
from tests.support.factories import make_hardware, make_plan_for
from tests.support.menu_actions import Done, make_actions
from tests.support.pictures import make_pictures
from tests.support.scripted import HAPPY, Answer, Interrupt, ScriptedAsk, default, make_probes
from wizard.commands.new import converse
from wizard.commands.plan_actions import real_actions
from wizard.draft_edits import DraftEdits
from wizard.interview.facts import facts_of_state
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.pictures.picture_probes import picture_work
from wizard.interview.pictures.picture_talk import Seen, seen
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.preset_store import PresetStore
from wizard.interview.questions import BACK
from wizard.interview.request import PlanRequest
from wizard.user_data import Session


def run_new(tmp_path: Path, *answers: Answer, **more: Any) -> tuple[ScriptedAsk, Done]:
    ask, done = ScriptedAsk(*answers), Done()
    probes = more.pop("probes", None) or make_probes()

    def actions(options: MachineOptions, session: Session, probes: Any) -> Any:
        facts = partial(facts_of_state, probes=probes, options=options)
        return make_actions(done, facts=facts, delete_answers=session.delete)

    run, request = more.pop("run", None), more.pop("request", None)
    converse(ask, Session(tmp_path), run=run, request=request, probes=probes, actions=actions)
    return ask, done


def test_answers_lead_to_a_plan_that_is_trained(tmp_path: Path) -> None:
    _, done = run_new(tmp_path, *HAPPY, "train")

    config = done.saved[0][1].config
    assert (config.network.rank, config.network.alpha, config.optimizer.text_encoder_learning_rate) == (32, 16, 5e-5)
    assert config.memory.preset == "medium"
    assert done.trained


def test_an_interrupted_interview_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_new(tmp_path, *HAPPY[:4], Interrupt)

    ask, _ = run_new(tmp_path, "yes", *HAPPY[4:], "save", "quit")

    assert ask.keys == ["resume", "name", "trigger", "machine", "menu", "menu"]


def test_an_interrupted_interview_can_be_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_new(tmp_path, *HAPPY[:4], Interrupt)

    ask, _ = run_new(tmp_path, "no", *HAPPY, "save", "quit")

    assert ask.keys[:2] == ["resume", "subject"]


def test_after_saving_nothing_is_taken_up(tmp_path: Path) -> None:
    run_new(tmp_path, *HAPPY, "save", "quit")

    assert not Session(tmp_path).load()


def test_quitting_unsaved_keeps_the_answers(tmp_path: Path) -> None:
    run_new(tmp_path, *HAPPY, "quit")

    assert Session(tmp_path).load().answers["name"] == "mira"


def test_back_from_the_plan_changes_an_answer_and_keeps_settings(tmp_path: Path) -> None:
    _, done = run_new(
        tmp_path, *HAPPY, "change", "network.rank", "64", "yes", BACK, BACK, "fox", "no", "gpu:0", "save", "quit"
    )  # fmt: skip

    config = done.saved[0][1].config
    assert config.run.trigger == "fox"
    assert config.network.rank == 64


def test_options_answer_questions_and_settings(tmp_path: Path) -> None:
    request = PlanRequest(
        images="/pictures", name="mira", subject="style", advice="current", settings=("network.rank=48",),
        machine=MachineOptions(vram="12GiB"),
    )  # fmt: skip
    ask, done = run_new(tmp_path, "/models/base.safetensors", "none", "mira", "save", "quit", request=request)

    config = done.saved[0][1].config
    assert ask.keys == ["model", "lineage", "trigger", "menu", "menu"]
    assert (config.memory.preset, config.network.rank, config.run.advice) == ("high", 48, "current")


def test_a_setting_beyond_its_limit_is_told_and_left_out(tmp_path: Path) -> None:
    request = PlanRequest(settings=("network.alpha=999",))

    ask, done = run_new(tmp_path, *HAPPY, "save", "quit", request=request)

    assert "network.alpha" in ask.heard
    assert done.saved[0][1].config.network.alpha == 16


def test_answers_that_cannot_be_kept_do_not_stop_the_interview(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ask, done = run_new(tmp_path / "file", *HAPPY, "train")

    assert ask.heard.count("not kept") == 1
    assert done.trained


def test_a_processor_is_planned_for_after_a_yes(tmp_path: Path) -> None:
    _, done = run_new(tmp_path, *HAPPY[:6], "cpu", "save", "quit", probes=make_probes(hardware=make_hardware(None)))

    assert done.saved[0][1].config.memory.preset == "cpu"


def preset_probes(folder: Path) -> Probes:
    presets = PresetStore(folder)
    presets.save(presets.file("dolls"), make_plan_for(settings={"network.rank": "48"}))
    files = tuple(map(str, presets.files()))
    return replace(make_probes(), presets=lambda: files, preset=lambda file: read_preset(Path(file)))


def test_a_preset_of_ones_own_is_picked_and_answers_beat_it(tmp_path: Path) -> None:
    probes = preset_probes(tmp_path)
    file = probes.presets()[0]

    changed = ("change", "network.rank", "64", "yes")
    ask, done = run_new(tmp_path, *HAPPY, file, "save", *changed, "save", "quit", probes=probes)

    assert ask.keys[-8:] == ["preset", "menu", "menu", "setting", "network.rank", "accept", "menu", "menu"]
    assert "dolls sets network.rank = 48" in ask.heard
    first, second = (plan for _, plan in done.saved)
    assert (first.config.network.rank, first.by_path["network.rank"].origin) == (48, "preset")
    assert (second.config.network.rank, second.by_path["network.rank"].origin) == (64, "answer")


def test_the_rules_alone_are_taken_where_no_preset_is_wanted(tmp_path: Path) -> None:
    _, done = run_new(tmp_path, *HAPPY, default, "save", "quit", probes=preset_probes(tmp_path))

    assert done.saved[0][1].config.network.rank == 32


def test_a_preset_of_the_command_line_is_not_asked_for(tmp_path: Path) -> None:
    probes = preset_probes(tmp_path)
    request = PlanRequest(preset=Path(probes.presets()[0]))

    ask, done = run_new(tmp_path, *HAPPY, "save", "quit", probes=probes, request=request)

    assert "preset" not in ask.keys
    assert done.saved[0][1].config.network.rank == 48


def test_an_interrupted_interview_keeps_the_preset_of_the_command_line(tmp_path: Path) -> None:
    file = preset_probes(tmp_path).presets()[0]
    probes = replace(make_probes(), preset=lambda given: read_preset(Path(given)))
    with pytest.raises(KeyboardInterrupt):
        run_new(tmp_path, *HAPPY[:4], Interrupt, probes=probes, request=PlanRequest(preset=Path(file)))

    _, done = run_new(tmp_path, "yes", *HAPPY[4:], "quit", probes=probes)
    assert Session(tmp_path).load().answers["preset"] == file
    _, done = run_new(tmp_path, "yes", "save", "quit", probes=probes)
    assert done.saved[0][1].config.network.rank == 48

    with pytest.raises(KeyboardInterrupt):
        run_new(tmp_path, *HAPPY[:4], Interrupt, probes=probes, request=PlanRequest(preset=Path(file)))
    Path(file).unlink()
    ask, done = run_new(tmp_path, "yes", *HAPPY[4:], "save", "quit", probes=probes)
    assert "The plan is made without your preset" in ask.heard
    assert done.saved[0][1].config.network.rank == 32


def test_a_yes_to_one_presets_project_is_none_to_anothers(tmp_path: Path) -> None:
    probes = replace(make_probes(), preset=lambda given: read_preset(Path(given)))
    for name in ("mine", "stranger"):
        value = f'{{ value = "{name}-project", reason = "so" }}'
        text = f'title = "Theirs"\n[settings]\n"run.wandb_project" = {value}\n'
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    run_new(
        tmp_path, *HAPPY, "yes", "quit", probes=probes, request=PlanRequest(preset=tmp_path / "mine.toml")
    )  # fmt: skip

    ask, done = run_new(
        tmp_path, "yes", "no", "save", "quit", probes=probes, request=PlanRequest(preset=tmp_path / "stranger.toml")
    )  # fmt: skip

    assert "stranger-project" in next(one.text for one in ask.asked if one.key == "wandb")
    assert done.saved[0][1].config.run.wandb_project == ""


def test_a_preset_of_the_command_line_that_is_not_there_is_told_before_the_first_question(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        run_new(tmp_path, request=PlanRequest(preset=tmp_path / "none.toml"))


@pytest.mark.parametrize(("answer", "project"), [("no", ""), ("yes", "their-curves")])
def test_a_presets_project_is_asked_about_in_the_interview_and_counts_after_a_yes_alone(
    tmp_path: Path, answer: str, project: str
) -> None:
    file = tmp_path / "theirs.toml"
    file.write_text(
        'title = "Theirs"\n[settings]\n"run.wandb_project" = { value = "their-curves", reason = "so" }\n', "utf-8"
    )
    probes = replace(make_probes(), preset=lambda given: read_preset(Path(given)))

    ask, done = run_new(
        tmp_path, *HAPPY, answer, "save", "quit", probes=probes, request=PlanRequest(preset=file)
    )  # fmt: skip

    assert ask.keys == ["subject", "images", "model", "lineage", "name", "trigger", "machine", "wandb", "menu", "menu"]
    (question,) = [asked for asked in ask.asked if asked.key == "wandb"]
    assert "their-curves" in question.text
    assert question.options[0].value == "no"
    assert done.saved[0][1].config.run.wandb_project == project


def test_all_that_is_wrong_with_the_options_is_told_before_the_first_question(tmp_path: Path) -> None:
    request = PlanRequest(
        settings=("rank", "network.rank=many"), preset=tmp_path / "no.toml", machine=MachineOptions(cpu_threads=0)
    )

    with pytest.raises(UserErrors) as caught:
        run_new(tmp_path, request=request)

    told = [str(error) for error in caught.value.errors]
    assert len(told) == 3
    assert "'rank'" in told[0]
    assert "'many'" in told[0]
    assert "no.toml" in told[1]
    assert "0 threads" in told[2]


def conversation(tmp_path: Path, *answers: Answer, run: Path | None = None) -> ScriptedAsk:
    """A conversation about `tmp_path/pictures`, which keeps what is decided of them and writes `tmp_path/run`."""
    draft, pictures = DraftEdits(tmp_path / "data"), str(tmp_path / "pictures")
    ask = ScriptedAsk(*(pictures if answer == "/pictures" else answer for answer in answers))
    probes = replace(
        make_probes(),
        scan=lambda folder: scan(Path(folder)),
        pictures=lambda state: picture_work(state, draft),
        look=_looked,
    )

    def actions(options: MachineOptions, session: Session, probes: Probes) -> Any:
        real = real_actions(options, session, probes, draft)
        return replace(real, train=lambda run: None, view=lambda *_: "", free_run=lambda name: tmp_path / "run")

    converse(ask, Session(tmp_path / "data"), run=run, request=None, probes=probes, draft=draft, actions=actions)
    return ask


def _looked(state: InterviewState, work: PictureWork) -> Seen:
    def found(report: DatasetReport) -> tuple[FolderFacts, tuple[Finding, ...]]:
        facts = FolderFacts(report, {}, state.answers["trigger"])
        return facts, examine(facts)

    return seen(work, found)


def trained(tmp_path: Path) -> list[str | None]:
    return [image.caption for image in run_dataset(RunFolder(tmp_path / "run")).report.image_files]


def test_a_folder_without_captions_becomes_a_run_with_captions_in_one_conversation(tmp_path: Path) -> None:
    made = make_pictures(tmp_path / "pictures", 9, captions=False)

    ask = conversation(tmp_path, *HAPPY[:6], "one", "1girl, red dress", "go_on", HAPPY[6], "train")

    assert trained(tmp_path) == ["mira, 1girl, red dress"] * 9
    assert "none has a caption" in ask.heard
    assert sorted((tmp_path / "pictures").iterdir()) == made
    assert not list((tmp_path / "data").iterdir())


def test_captions_edited_from_the_menu_come_into_the_run_that_is_saved_already(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 9, captions=["mira, 1girl, hat", "mira, smile, hat"])

    conversation(
        tmp_path, *HAPPY[:6], "go_on", HAPPY[6], "save", "captions", "remove", "hat", "yes", "done", "save",
        "captions", "undo", "rename", "hat", "cap", "yes", "done", "train",
    )  # fmt: skip

    assert trained(tmp_path)[:2] == ["mira, 1girl, cap", "mira, smile, cap"]
    assert [change.what for change in read_changes(RunFolder(tmp_path / "run"))] == ["rename hat cap"]


def test_what_was_decided_of_pictures_outlives_an_interruption(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 9, captions=["1girl, mira, hat", "mira, 1girl"])
    with pytest.raises(KeyboardInterrupt):
        conversation(tmp_path, *HAPPY[:6], "0", Interrupt)

    ask = conversation(tmp_path, "yes", "go_on", HAPPY[6], "save", "quit")

    assert "With 1 change of pictures and captions." in ask.heard
    assert trained(tmp_path)[0] == "mira, 1girl, hat"


def test_a_conversation_begun_anew_begins_without_them(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures", 9, captions=["1girl, mira, hat", "mira, 1girl"])
    with pytest.raises(KeyboardInterrupt):
        conversation(tmp_path, *HAPPY[:6], "0", Interrupt)

    conversation(tmp_path, "no", *HAPPY[:6], "go_on", HAPPY[6], "save", "quit")

    assert trained(tmp_path)[0] == "1girl, mira, hat"


@pytest.mark.parametrize(("answer", "caption"), [("yes", "mira, 1girl, hat"), ("no", "1girl, mira, hat")])
def test_changes_that_lost_their_answers_are_offered_and_never_forgotten_unasked(
    tmp_path: Path, answer: str, caption: str
) -> None:
    make_pictures(tmp_path / "pictures", 9, captions=["1girl, mira, hat", "mira, 1girl"])
    with pytest.raises(KeyboardInterrupt):
        conversation(tmp_path, *HAPPY[:6], "0", Interrupt)
    Session(tmp_path / "data").delete()

    ask = conversation(tmp_path, answer, *HAPPY[:6], "go_on", HAPPY[6], "save", "quit")

    assert "An earlier conversation ended with 1 change of pictures and captions" in ask.asked[0].text
    assert trained(tmp_path)[0] == caption
    assert not list((tmp_path / "data").iterdir())


def edited_run(tmp_path: Path) -> Path:
    """A run folder in which two of four pictures are left out and one has another caption."""
    make_pictures(tmp_path / "pictures", 4, captions=["mira, 1girl, hat", "mira, smile, hat"])
    files, run = scan(tmp_path / "pictures"), tmp_path / "edited"
    first, second, third, _ = (files.path_of(image) for image in files.image_files)
    append_change(
        RunFolder(run), "two", [PictureEdit(path, excluded="blurred") for path in (first, second)], files=files
    )
    append_change(RunFolder(run), "one", [PictureEdit(third, caption="mira, bow, hat")], files=files)
    return run


def planned(run: Path) -> int:
    number: int = json.loads((run / "plan.json").read_text("utf-8"))["dataset"]["num_images"]
    return number


def test_a_run_is_planned_with_the_edits_that_it_has_already(tmp_path: Path) -> None:
    run = edited_run(tmp_path)

    ask = conversation(
        tmp_path, *HAPPY[:6], "go_on", HAPPY[6], "captions", "remove", "hat", "yes", "done", "save", "quit", run=run
    )  # fmt: skip

    assert f"{run} has 2 changes of pictures and captions of its own" in ask.heard
    assert planned(run) == 2
    images = run_dataset(RunFolder(run)).report.image_files
    assert [image.caption for image in images] == ["mira, bow", "mira, smile"]


def test_saving_as_a_run_with_edits_plans_for_these_after_a_question(tmp_path: Path) -> None:
    run = edited_run(tmp_path)

    conversation(
        tmp_path, *HAPPY[:6], "go_on", HAPPY[6], "save_as", str(run), "no", "save", "save_as", str(run), "yes", "quit"
    )

    assert planned(tmp_path / "run") == 4
    assert planned(run) == 2
