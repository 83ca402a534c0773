from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import OutOfMemory, RunError
from advisor.facts import Facts
from advisor.plan import Plan
from advisor.run_folder.write_over import UsersFiles
from tests.support.menu_actions import Done, make_actions
from tests.support.scripted import HAPPY, Answer, ScriptedAsk, default, run_interview
from wizard.interview.change_setting import fixed_values, typed
from wizard.interview.flow import InterviewState
from wizard.interview.menu import Menu
from wizard.interview.questions import BACK, Ask

STATE = run_interview(ScriptedAsk(*HAPPY))


def go(*answers: Answer, run: Path | None = None, **changes: Any) -> tuple[str, Done, ScriptedAsk, Menu]:
    done, ask = Done(), ScriptedAsk(*answers)
    menu = Menu(STATE, ask, make_actions(done, **changes), run)
    return menu.run(), done, ask, menu


def test_train_now_saves_first() -> None:
    ending, done, _, _ = go("train")

    assert ending == "done"
    assert done.trained == [Path("/runs/mira")]
    assert [run for run, _ in done.saved] == [Path("/runs/mira")]
    assert done.forgotten == 1


def test_a_named_run_is_where_it_is_saved() -> None:
    _, done, _, _ = go("save", "quit", run=Path("/elsewhere"))

    assert done.saved[0][0] == Path("/elsewhere")


def test_save_as_asks_for_the_folder() -> None:
    _, done, _, _ = go("save_as", "'/my runs/x'", "train")

    assert [run for run, _ in done.saved] == [Path("/my runs/x")]
    assert done.trained == [Path("/my runs/x")]


def test_a_run_that_has_trained_is_not_overwritten() -> None:
    _, done, _, _ = go("train", run=Path("/old"), has_trained=lambda run: run == Path("/old"))

    assert done.trained == [Path("/runs/mira")]


def test_a_failed_save_is_told_and_asked_again() -> None:
    def full(run: Path, facts: Facts, plan: Plan, overwrite: bool) -> tuple[Path, ...]:
        raise RunError("the disk is full: free some space")

    ending, _, ask, _ = go("save", "quit", save=full)

    assert ending == "done"
    assert "the disk is full" in ask.heard


def over_an_edited_run(answer: str) -> tuple[ScriptedAsk, list[bool]]:
    """The menu's save where loracle.toml was edited; also whether each attempt might overwrite it."""
    attempts: list[bool] = []

    def save(run: Path, facts: Facts, plan: Plan, overwrite: bool) -> tuple[Path, ...]:
        attempts.append(overwrite)
        if not overwrite:
            raise UsersFiles([run / "loracle.toml"])
        return (run / "loracle.toml.bak",)

    _, _, ask, _ = go("save", answer, "quit", save=save)
    return ask, attempts


def test_over_an_edited_run_the_wizard_asks_and_keeps_the_edit() -> None:
    ask, attempts = over_an_edited_run("yes")

    assert attempts == [False, True]
    assert "loracle.toml.bak" in ask.heard


def test_a_no_leaves_an_edited_run_as_it_is() -> None:
    ask, attempts = over_an_edited_run("no")

    assert attempts == [False]
    assert "Nothing was written" in ask.heard


def test_a_training_that_stopped_itself_leads_back_to_the_plan() -> None:
    def train(run: Path) -> None:
        raise OutOfMemory("no memory left: lower the batch size")

    _, _, ask, _ = go("train", "quit", train=train)

    assert "lower the batch size" in ask.heard


def test_a_changed_setting_stands_and_its_dependants_follow() -> None:
    _, done, _, menu = go("change", "network.rank", "64", "yes", "save", "quit")

    plan = done.saved[0][1]
    assert (plan.config.network.rank, plan.config.network.alpha) == (64, 32)
    assert menu.state.settings == {"network.rank": "64"}
    assert done.kept[-1].settings == {"network.rank": "64"}


def test_the_value_now_and_its_reason_are_told_before_it_is_changed() -> None:
    _, _, ask, _ = go("change", "network.rank", BACK, "quit")

    value = ask.asked[2]
    assert value.default == "32"
    assert "Now 32: 30 pictures" in value.intro


def test_what_a_change_brings_with_it_is_told_and_it_may_be_refused() -> None:
    _, done, ask, menu = go("change", "network.rank", "48", "no", "save", "quit")

    assert ask.keys == ["menu", "setting", "network.rank", "accept", "menu", "menu"]
    assert "network.rank 32 -> 48\nnetwork.alpha 16.0 -> 24.0" in ask.heard
    assert menu.state.settings == {}
    assert done.saved[0][1].config.network.rank == 32


def test_both_profiles_are_compared() -> None:
    _, _, ask, menu = go("compare", "quit")

    assert "network.rank 32 -> 16" in ask.heard
    assert menu.state.answers.get("advice", "tutorial") == "tutorial"


def test_a_wrong_value_is_told_and_changes_nothing() -> None:
    _, done, ask, menu = go("change", "network.rank", "a lot", BACK, "save", "quit")

    assert "network.rank is 'a lot'" in ask.heard
    assert done.saved[0][1].config.network.rank == 32
    assert menu.state.settings == {}


def test_an_unknown_setting_is_told_with_what_may_be_meant() -> None:
    _, _, ask, _ = go("change", "network.ranks", BACK, "quit")

    assert "did you mean network.rank" in ask.heard


def test_a_wrong_value_is_asked_for_again_in_place() -> None:
    _, _, ask, menu = go("change", "network.rank", "a lot", "48", "yes", "quit")

    assert ask.keys == ["menu", "setting", "network.rank", "network.rank", "accept", "menu"]
    assert ask.asked[3].default == "a lot"
    assert menu.state.settings == {"network.rank": "48"}


def test_a_value_that_no_plan_can_be_made_with_is_asked_for_again_in_place() -> None:
    _, _, ask, menu = go("change", "network.alpha", "640", "32", "yes", "quit")

    assert "network.alpha" in ask.heard
    assert ask.asked[3].default == "640"
    assert menu.state.settings == {"network.alpha": "32"}


def test_a_wrong_name_is_asked_for_again_in_place() -> None:
    _, _, ask, menu = go("change", "network.ranks", "network.rank", "48", "yes", "quit")

    assert ask.keys == ["menu", "setting", "setting", "network.rank", "accept", "menu"]
    assert ask.asked[2].default == "network.ranks"
    assert menu.state.settings == {"network.rank": "48"}


def failing(*_: object) -> Any:
    raise RunError("the disk is full: free some space")


@pytest.mark.parametrize(
    ("picked", "action", "marked"),
    [("train", "train", "change"), ("train", "save", "change"), ("save", "save", "save"),
     ("compare", "profiles", "compare")],
)  # fmt: skip
def test_after_an_error_the_menu_never_stands_on_train_now(picked: str, action: str, marked: str) -> None:
    changes: dict[str, Any] = {action: failing}
    _, _, ask, _ = go(picked, default, BACK, "quit", **changes)

    assert ask.asked[1].default == marked


def test_after_what_went_well_the_menu_stands_where_it_did() -> None:
    _, _, ask, _ = go("compare", "all", "quit", profiles=failing)

    assert [question.default for question in ask.asked] == ["train", "compare", "train"]


def test_a_choice_can_be_taken_back() -> None:
    _, _, _, menu = go("change", "network.rank", "64", "yes", "change", "network.rank", "as advised", "yes", "quit")

    assert menu.state.settings == {}


def test_settings_with_fixed_values_are_chosen_from_them() -> None:
    _, _, ask, _ = go("change", "optimizer.name", "lion", "yes", "change", "dataset.flip", "true", "yes", "quit")

    assert ask.asked[2].kind == "choice"
    assert ask.asked[2].default == "adamw"
    assert [option.value for option in ask.asked[6].options] == ["true", "false"]


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [("run.trigger", "fox", "trigger"), ("saving.name", "fox", "name"), ("run.subject", "style", "subject"),
     ("run.advice", "current", "advice")],
)  # fmt: skip
def test_answers_of_the_conversation_can_be_changed_by_name(path: str, value: str, key: str) -> None:
    _, _, _, menu = go("change", path, value, "yes", "quit")

    assert menu.state.answers[key] == value
    assert menu.state.settings == {}


def test_advice_switches_there_and_back() -> None:
    _, done, ask, menu = go("advice", "save", "advice", "quit")

    assert done.saved[0][1].config.run.advice == "current"
    assert menu.state.answers["advice"] == "tutorial"
    assert "what others advise" in ask.asked[0].options[7].title


def test_edited_captions_make_the_plan_anew_and_unsaved() -> None:
    _, done, _, _ = go("save", "captions", "save", "quit", edit_captions=lambda state, ask: True)

    assert [run for run, _ in done.saved] == [Path("/runs/mira")] * 2
    assert done.kept
    assert done.views == [False, False]


def test_captions_that_were_only_looked_at_change_nothing() -> None:
    _, done, _, _ = go("save", "captions", "save", "quit", edit_captions=lambda state, ask: False)

    assert len(done.saved) == 1
    assert done.views == [False]


def test_edits_of_captions_are_kept_where_ctrl_c_ends_them_after_the_run_was_saved() -> None:
    kept = list[InterviewState]()

    def interrupted(state: InterviewState, ask: Ask) -> bool:
        assert kept, "answers without which the next conversation would forget the edits"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go("save", "captions", save_answers=kept.append, edit_captions=interrupted)


@pytest.mark.parametrize("then", [("train",), ("export", "kohya-gui"), ("change", "network.rank", "48", "yes", "save")])
def test_a_run_that_was_put_where_the_plan_was_saved_is_neither_trained_nor_written(
    tmp_path: Path, then: tuple[str, ...]
) -> None:
    run, other = tmp_path / "mira", tmp_path / "other"
    other.mkdir()

    def save(at: Path, *_: object) -> tuple[Path, ...]:
        assert not at.exists()
        at.mkdir()
        return ()

    def exchanged(state: InterviewState, ask: Ask) -> bool:
        run.rename(tmp_path / "before")
        other.rename(run)
        return False

    _, done, ask, _ = go("save", "captions", *then, "quit", run=run, save=save, edit_captions=exchanged)

    assert "no longer the folder that this began in" in ask.heard
    assert (done.trained, done.exported) == ([], [])


def test_all_settings_are_shown_when_asked_for() -> None:
    _, done, _, _ = go("all", "quit")

    assert done.views == [False, True]


def test_export_saves_and_tells_how_to_start() -> None:
    _, done, ask, _ = go("export", "kohya-gui", "quit")

    assert done.exported == [("kohya-gui", Path("/runs/mira"))]
    assert "No place for flip." in ask.heard
    assert "Open it there." in ask.heard


def test_choices_are_kept_as_a_preset_by_the_name_that_is_asked_for() -> None:
    _, done, ask, _ = go("change", "network.rank", "48", "yes", "preset", "small dolls", "quit")

    assert done.presets == [Path("/presets/small dolls.toml")]
    assert "1 setting (network.rank)" in ask.heard
    assert f'--preset "{Path("/presets/small dolls.toml")}"' in ask.heard


def test_without_a_choice_there_is_no_preset_and_no_name_is_asked_for() -> None:
    _, done, ask, _ = go("preset", "quit")

    assert done.presets == []
    assert ask.keys == ["menu", "menu"]
    assert "there is no preset to save" in ask.heard


def test_back_leads_to_the_questions() -> None:
    ending, done, _, _ = go(BACK)

    assert ending == "back"
    assert done.forgotten == 0


def test_quitting_without_saving_keeps_the_answers() -> None:
    _, done, ask, _ = go("quit")

    assert done.forgotten == 0
    assert "kept" in ask.asked[0].options[-1].title


def test_saved_is_marked_by_quit_standing_first() -> None:
    _, _, ask, _ = go("save", default)

    assert ask.asked[1].default == "quit"


def test_values_are_typed_as_they_are_read() -> None:
    assert [typed(value) for value in (None, True, 5e-05, 16.0, ("a", "b"), "x")] == [
        "",
        "true",
        "5e-5",
        "16",
        "a, b",
        "x",
    ]


def test_only_settings_of_a_fixed_choice_have_fixed_values() -> None:
    assert fixed_values(bool) == ("true", "false")
    assert fixed_values(int) == ()


def test_a_plan_for_another_machine_is_saved_rather_than_trained_here() -> None:
    ask = ScriptedAsk(default, default)
    done = Done()

    Menu(STATE.with_answer("machine", "other").with_answer("vram", "12GiB"), ask, make_actions(done)).run()

    assert [question.default for question in ask.asked] == ["save", "quit"]
    assert not done.trained
