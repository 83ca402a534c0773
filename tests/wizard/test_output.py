"""What is said in a terminal and elsewhere."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import wizard
from advisor.checkpoints.identity import Identity
from tests.support.fake_trainer import run_folder
from tests.support.states import write_state_manifest
from wizard.commands.train import train
from wizard.interview.ask import TerminalAsk
from wizard.output import console, is_named, named_output, redraw, say, show, show_plain, wrapped
from wizard.processes.trainer_job import TrainerJob
from wizard.show.identity_view import identity_lines
from wizard.show.live_screen import LiveScreen
from wizard.show.progress import TrainingProgress
from wizard.show.screen import Screen

LONG = "there is no setting network.rnak: did you mean network.rank or network.conv_rank or network.block_ranks?"


@pytest.mark.parametrize(("terminal", "lines"), [(True, 2), (False, 1)])
def test_talk_is_broken_between_words_in_a_terminal_only(
    terminal: bool, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    say(LONG)

    said = capsys.readouterr().err
    assert len(said.splitlines()) == lines
    assert " ".join(said.split()) == LONG


def test_further_lines_of_a_fact_stand_below_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    identity = Identity(path="a.safetensors", kind="lora", prediction="epsilon", why_not="it is a LoRA and so " * 6)

    lines = identity_lines(identity).splitlines()
    assert "predicts    noise" in lines
    assert lines[-1].startswith(" " * 12)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("saved", [True, False])
def test_an_interrupted_training_tells_how_to_go_on(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(job: TrainerJob, _: Screen) -> None:
        if saved:
            write_state_manifest(job.run.state_of_step(1), step=1, epoch=1)
        raise KeyboardInterrupt("Training was interrupted")

    run = run_folder(tmp_path)
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("wizard.commands.train.train_with_retries", interrupted)
    monkeypatch.setattr("wizard.show.run_report.try_run_report", lambda _: None)
    with pytest.raises(KeyboardInterrupt) as told:
        train(run)

    assert (f'Go on with: loracle train "{run}" --resume' in str(told.value)) == saved


HOSTILE = "tok\x1b[2J\x1b]0;x\x07\r\u202egnp\x9b31m\u200b"
SHOWN = r"tok\x1b[2J\x1b]0;x\x07\r\u202egnp\x9b31m\u200b"


def test_what_is_said_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one {HOSTILE}\ntwo")

    assert capsys.readouterr().err == f"one {SHOWN}\ntwo\n"


def test_what_is_shown_cannot_either(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(HOSTILE, box=None)
    table.add_row(Text(HOSTILE))
    show_plain(HOSTILE)
    show(HOSTILE)
    show(Text(HOSTILE))
    show(table)
    TerminalAsk().tell(HOSTILE)

    shown = capsys.readouterr().out
    assert "".join(shown.split()).count(SHOWN) == 4
    assert not [letter for letter in shown if letter != "\n" and not letter.isprintable()]


def test_colours_are_still_rich_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    file = StringIO()
    console(file).print(Text("red \x1b[0m", "red"))

    assert file.getvalue() == "\x1b[31mred \\x1b[0m\x1b[0m\n"


def test_the_bar_s_notes_and_phases_cannot_steer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    file = StringIO()
    screen = LiveScreen(file)
    screen.note(HOSTILE)
    screen.show(TrainingProgress(phase=HOSTILE, done=1, total=2))
    screen.close()

    assert SHOWN in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()
    assert "\x1b]0" not in file.getvalue()
    assert "\u202e" not in file.getvalue()


def test_the_wizard_prints_in_one_place() -> None:
    """There it is that text is made visible."""
    places = set[str]()
    for path in Path(wizard.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = ast.unparse(node.func)
                if called in ("print", "Console", "sys.stdout.write", "sys.stderr.write", "typer.echo", "click.echo"):
                    places.add(path.relative_to(Path(wizard.__file__).parent).as_posix())
    assert places == {"output.py", "app.py"}, "app.py prints the version"


@pytest.mark.parametrize(
    "whole",
    [
        "/home/me/my pictures/summer of 2024/model/mira.safetensors",
        "C:\\Users\\Me\\My Pictures\\loracle copy\\mira\\report.html",
        '"/home/me/my pictures/of last summer/mira"',
        "`loracle train RUN --resume --skip-broken --epochs 12`",
    ],
)
@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_path_with_blanks_is_not_broken(whole: str, width: int) -> None:
    text = f"The training has ended and its report was written, look at it there: {whole} and in a browser, as it is"

    lines = wrapped(text, width).splitlines()

    assert any(whole in line for line in lines)
    assert len(lines) > 1
    assert " ".join(lines) == text


def test_two_paths_in_a_sentence_are_broken_between_them() -> None:
    text = "/home/me/pictures/mira.png is the same picture as /home/me/pictures/mira copy/mira.png"

    assert wrapped(text, 50).splitlines() == [
        "/home/me/pictures/mira.png is the same picture as", "/home/me/pictures/mira copy/mira.png",
    ]  # fmt: skip


def test_lines_of_one_of_several_trainings_begin_with_its_name_and_keep_the_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with named_output("runs/a b\x1b"):
        show(f"{LONG}\n\nShort.")
        say("! said")
        redraw("counting")
        assert is_named()
    say("after")

    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert all(line.startswith("[runs/a b\\x1b] ") for line in lines if line)
    assert lines[-2:] == ["", "[runs/a b\\x1b] Short."]
    assert max(map(len, lines)) <= 60
    assert told.err.splitlines() == ["[runs/a b\\x1b] ! said", "after"]
    assert not is_named()


def test_what_threads_print_at_the_same_time_is_not_mixed_within_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def prints(name: str) -> None:
        with named_output(name):
            for _ in range(200):
                show_plain("a\nb")

    threads = [threading.Thread(target=prints, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1200
    pairs = set(zip(lines[::2], lines[1::2], strict=True))
    assert pairs == {(f"[{name}] a", f"[{name}] b") for name in ("one", "two", "three")}


@pytest.mark.parametrize("told", [say, show, show_plain])
def test_commands_are_those_that_this_user_types(
    told: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LORACLE_COMMAND", "python3 start.py")

    told("none is found: see `loracle doctor`")

    printed = capsys.readouterr()
    assert (printed.out + printed.err).strip() == "none is found: see `python3 start.py doctor`"
