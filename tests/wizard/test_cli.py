"""The command line as a user meets it: exit codes, what is on stdout, and how soon it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import ldm_layout
from tests.support.fake_trainer import SCRIPT_HEAD
from tests.support.headers import write_model
from tests.support.hostile_pictures import clean_folder
from tests.support.paths import REPOSITORY
from tests.support.pictures import make_pictures
from tests.support.special_files import on_posix
from wizard.cli import main

HEAVY = ("torch", "diffusers", "transformers", "accelerate", "typer", "rich", "pydantic", "questionary", "PIL")

Loracle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def loracle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loracle:
    """Runs a command line here: exit code, stdout, stderr."""
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Thirty pictures with captions, and a full-size SD1.5 file that is a hole; names with all that names can have."""
    folder = tmp_path_factory.mktemp("Füchse 🦊 (2)")
    make_pictures(folder / "my pictures", 30, captions="mira, 1girl, red hair, smile")
    model = write_model(folder / "my modèl.safetensors", ldm_layout.sd1())
    return {"images": folder / "my pictures", "model": model}


def plan(inputs: dict[str, Path], *more: object) -> tuple[object, ...]:
    return ("plan", "--images", inputs["images"], "--model", inputs["model"], "--name", "mira", *more)


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    told = fresh(f"import sys, wizard.cli; print([name for name in {HEAVY!r} if name in sys.modules])")

    assert told.stdout.strip() == "[]", told.stderr


def test_the_first_question_needs_questionary_and_nothing_else_heavy() -> None:
    code = f"""
import sys
import wizard.output, wizard.commands.new as new, wizard.interview.ask as ask
new.is_terminal = lambda: True
def first(self, question):
    print(question.key, [name for name in {HEAVY!r} if name in sys.modules])
    raise KeyboardInterrupt
ask.TerminalAsk.__call__ = first
from wizard.cli import main
main([])
"""
    told = fresh(code, LORACLE_DATA=os.devnull)

    assert "subject ['questionary']" in told.stdout, told.stderr
    assert told.returncode == 130


def test_no_command_imports_torch(inputs: dict[str, Path], tmp_path: Path) -> None:
    arguments = [str(part) for part in plan(inputs, "--json", "--vram", "8GiB")]
    code = f"""
import sys
from wizard.cli import main
try:
    main({arguments!r})
except SystemExit as ended:
    assert not ended.code, ended.code
assert not {{"torch", "diffusers", "transformers", "accelerate"}} & set(sys.modules)
"""
    told = fresh(code)

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["preset"] == "medium"


def test_without_a_terminal_the_wizard_names_plan(loracle: Loracle) -> None:
    code, out, err = loracle()

    assert (code, out) == (2, "")
    assert "loracle plan --images DIR" in err


def test_the_version_is_told(loracle: Loracle) -> None:
    code, out, _ = loracle("--version")

    assert code == 0
    assert out.startswith("loracle ")


def test_help_fits_80_columns_and_lists_the_commands(loracle: Loracle) -> None:
    code, out, _ = loracle("--help")

    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80
    for command in ("new", "plan", "train", "export", "identify", "check", "doctor", "demo"):
        assert f"\n  {command} " in out


@pytest.mark.parametrize("arguments", [("plan", "--nonsense"), ("nonsense",), ("train",), ("plan", "--gpu", "x")])
def test_wrong_usage_ends_with_2(loracle: Loracle, arguments: tuple[str, ...]) -> None:
    code, out, err = loracle(*arguments)

    assert (code, out) == (2, "")
    assert "loracle" in err


def test_a_plan_as_json_is_one_document(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--out", "run", "--json"))

    document = json.loads(out)
    assert code == 0
    assert document["preset"] == "medium"
    assert document["config"]["network"]["rank"] == 32
    assert document["config"]["optimizer"]["text_encoder_learning_rate"] == 5e-5
    assert document["model"]["family"] == "sd1"


def test_a_plan_is_written_where_it_is_wanted(loracle: Loracle, inputs: dict[str, Path], tmp_path: Path) -> None:
    code, _, err = loracle(*plan(inputs, "--vram", "12GiB", "--out", "läufe/mira 🦊"))

    assert code == 0, err
    assert (tmp_path / "läufe" / "mira 🦊" / "loracle.toml").is_file()


def test_a_plan_for_people_is_a_table(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--compute-capability", "7.5", "--cpu-threads", "8"))

    assert code == 0
    assert "rank 32, alpha 16" in out

    _, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--compute-capability", "7.5", "--full"))
    assert "30 pictures: 32 holds" in out
    assert "float16" in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80


def test_settings_beyond_the_limits_end_with_2_and_are_all_told(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, out, err = loracle(*plan(inputs, "--set", "network.alpha=64", "--set", "dataset.resolution_px=500", "--json"))

    assert (code, out) == (2, "")
    assert "network.alpha" in err
    assert "dataset.resolution_px" in err


def test_wrong_input_is_told_without_a_traceback(loracle: Loracle, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.safetensors").write_text("I am no model")

    code, out, err = loracle("plan", "--images", "empty", "--model", "text.safetensors", "--name", "mira", "--json")

    assert (code, out) == (2, "")
    assert "empty is empty" in err
    assert "text.safetensors" in err
    assert "Traceback" not in err


def test_a_run_folder_that_cannot_be_written_ends_with_2(
    loracle: Loracle, inputs: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    code, _, err = loracle(*plan(inputs, "--out", "file/run"))

    assert code == 2
    assert "cannot be written" in err


def test_a_preset_file_is_heeded(loracle: Loracle, inputs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\n[settings]\n"network.rank" = { value = 8, reason = "small is enough" }\n'
    )

    _, out, _ = loracle(*plan(inputs, "--preset", "mine.toml", "--json"))

    assert json.loads(out)["config"]["network"]["rank"] == 8


def test_a_preset_is_saved_with_how_to_use_it_and_never_over_another(
    loracle: Loracle, inputs: dict[str, Path], tmp_path: Path
) -> None:
    chosen = plan(inputs, "--set", "network.rank=48", "--save-preset", "my dolls.toml")

    code, _, err = loracle(*chosen)

    assert code == 0
    assert '--preset "my dolls.toml"' in err
    saved = (tmp_path / "my dolls.toml").read_text("utf-8")
    code, _, err = loracle(*chosen)
    assert code == 2
    assert "exists already" in err
    assert (tmp_path / "my dolls.toml").read_text("utf-8") == saved


def test_identify_tells_what_a_file_is(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, out, _ = loracle("identify", inputs["model"], "--json")

    document = json.loads(out)
    assert code == 0
    assert (document["kind"], document["family"], document["trainable"]) == ("checkpoint", "sd1", True)
    assert "rank" not in document
    assert "family      SD1.x" in loracle("identify", inputs["model"])[1]


def test_identify_of_nothing_ends_with_2(loracle: Loracle) -> None:
    code, out, err = loracle("identify", "nothing.safetensors", "--json")

    assert (code, out) == (2, "")
    assert "nothing.safetensors" in err


def test_check_tells_what_a_folder_holds(loracle: Loracle, tmp_path: Path) -> None:
    make_pictures(tmp_path / "some", 2)
    (tmp_path / "some" / "broken.png").write_bytes(b"")

    code, out, _ = loracle("check", tmp_path / "some", "--json")
    document = json.loads(out)

    assert code == 0
    assert document["num_images"] == 2
    assert [problem["code"] for problem in document["problems"]] == ["empty_picture"]
    assert "broken.png" in loracle("check", tmp_path / "some")[1]
    assert "Nothing to mend." in loracle("check", clean_folder(tmp_path / "clean"))[1]


def test_export_writes_and_tells(loracle: Loracle, inputs: dict[str, Path], tmp_path: Path) -> None:
    loracle(*plan(inputs, "--vram", "8GiB", "--out", "run"))

    code, out, _ = loracle("export", "run", "--to", "kohya-gui", "--out", tmp_path / "gui.json", "--json")

    assert code == 0
    assert str(tmp_path / "gui.json") in json.loads(out)["paths"]
    assert json.loads((tmp_path / "gui.json").read_text("utf-8"))["network_dim"] == 32


def test_export_to_nobody_names_those_there_are(loracle: Loracle, inputs: dict[str, Path]) -> None:
    loracle(*plan(inputs, "--out", "run"))

    code, _, err = loracle("export", "run", "--to", "nobody")

    assert code == 2
    assert "kohya-gui" in err


@pytest.mark.parametrize(
    "arguments", [("train", "nowhere"), ("train", "."), ("export", "nowhere", "--to", "kohya-gui")]
)
def test_a_run_that_is_not_there_ends_with_2(loracle: Loracle, arguments: tuple[str, ...]) -> None:
    code, out, err = loracle(*arguments)

    assert (code, out) == (2, "")
    assert "loracle" in err


def test_training_is_told_in_one_document(
    loracle: Loracle, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loracle(*plan(inputs, "--out", "run"))
    stands_in(monkeypatch, tmp_path, GOOD)

    code, out, err = loracle("train", "run", "--json")

    assert code == 0
    assert json.loads(out) == {
        "steps": 2, "epochs": 1, "loras": ["model/mira.safetensors"], "seconds_per_step": 0.5,
        "peak_memory_bytes": 7, "ladder": [], "reload_check": {}, "seconds": 1.0, "choice": None,
        "use": "model/mira.safetensors",
    }  # fmt: skip
    assert "Training" in err


def test_after_training_it_says_how_to_use_the_lora(
    loracle: Loracle, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loracle(*plan(inputs, "--trigger", "mirafox", "--out", "run"))
    stands_in(monkeypatch, tmp_path, GOOD)

    code, out, _ = loracle("train", "run")

    assert code == 0
    assert "<lora:mira:0.8> mirafox" in " ".join(out.split())


@pytest.mark.parametrize(("ends_with", "code"), [(2, 2), (3, 3), (75, 3), (130, 130), (1, 1)])
def test_the_trainers_end_is_ours(
    loracle: Loracle,
    inputs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends_with: int,
    code: int,
) -> None:
    loracle(*plan(inputs, "--out", "run"))
    stands_in(monkeypatch, tmp_path, f"send('failed', code='x', message='so it was'); sys.exit({ends_with})")

    ended, out, err = loracle("train", "run", "--json")

    assert (ended, out) == (code, "")
    assert "so it was" in err


GOOD = """
send("phase", name="train", total=2)
for number in (1, 2):
    send("step", step=number, epoch=1, loss=0.5, seconds=0.5, memory_bytes=7)
send("epoch", epoch=1)
send("saved", path="model/mira.safetensors", step=2, epoch=1)
send("finished", steps=2, seconds=1.0)
"""


def stands_in(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Have this script train instead of the trainer."""
    path = folder / "stand_in.py"
    path.write_text(SCRIPT_HEAD + script, encoding="utf-8")

    def command(module: str, *arguments: Any) -> list[str]:
        return [sys.executable, "-P", str(path), *arguments]

    monkeypatch.setattr("wizard.processes.trainer_job.child_command", command)


def test_compare_shows_both_profiles_and_nothing_else(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--compare"))

    assert code == 0
    assert "  tutorial  1e-4" in out
    assert "  current   5e-4" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_compare_as_json_is_one_document_with_both_plans(loracle: Loracle, inputs: dict[str, Path]) -> None:
    _, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--compare", "--json"))

    document = json.loads(out)
    assert (document["tutorial"]["config"]["network"]["rank"], document["current"]["config"]["network"]["rank"]) == (
        32,
        16,
    )
    assert {row["path"] for row in document["differences"]} >= {"network.rank", "optimizer.learning_rate"}


def test_compare_writes_nothing(loracle: Loracle, inputs: dict[str, Path]) -> None:
    code, _, err = loracle(*plan(inputs, "--vram", "8GiB", "--compare", "--out", "run"))

    assert code == 2
    assert "--out" in err
    assert not Path("run").exists()


def test_set_tells_what_it_changes(loracle: Loracle, inputs: dict[str, Path]) -> None:
    _, out, _ = loracle(*plan(inputs, "--vram", "8GiB", "--set", "network.rank=48"))
    _, document, _ = loracle(*plan(inputs, "--vram", "8GiB", "--set", "network.rank=48", "--json"))

    assert "16 -> 24" in out
    assert "It still fits" in out
    rows = {row["path"]: row for row in json.loads(document)["changes"]["settings"]}
    assert (rows["network.alpha"]["before"]["value"], rows["network.alpha"]["after"]["value"]) == (16, 24)


def test_a_planned_run_answers_what_no_option_does(loracle: Loracle, inputs: dict[str, Path]) -> None:
    loracle(*plan(inputs, "--vram", "8GiB", "--advice", "current", "--set", "dataset.flip=true", "--out", "run"))
    code, out, _ = loracle("plan", "run", "--vram", "8GiB", "--set", "network.rank=48", "--json")

    document = json.loads(out)
    assert code == 0
    assert document["config"]["run"]["advice"] == "current"
    assert document["config"]["dataset"]["flip"] is True
    assert {row["path"] for row in document["changes"]["settings"]} == {"network.rank", "network.alpha"}


def test_a_run_keeps_the_card_it_was_planned_for(loracle: Loracle, inputs: dict[str, Path]) -> None:
    loracle(*plan(inputs, "--card", "rtx 2060 12gb", "--out", "run"))
    planned = json.loads(Path("run", "plan.json").read_text("utf-8"))
    code, out, err = loracle("plan", "run", "--json")
    _, other, silent = loracle("plan", "run", "--card", "RTX 4090", "--json")

    again = json.loads(out)
    assert code == 0
    assert again["hardware"]["gpu"] == planned["hardware"]["gpu"]
    assert again["hardware"]["gpu"]["name"] == "NVIDIA GeForce RTX 2060"
    assert again["config"] == planned["config"]
    assert again["estimate"]["seconds"] == planned["estimate"]["seconds"]
    assert "planned for NVIDIA GeForce RTX 2060, which is not in this machine" in err
    assert json.loads(other)["hardware"]["gpu"]["name"] == "NVIDIA GeForce RTX 4090"
    assert "not in this machine" not in silent


def made_by_answers(document: str) -> list[dict[str, Any]]:
    return [row for row in json.loads(document)["decisions"] if row["origin"] == "answer"]


def test_what_was_edited_in_a_run_by_hand_stays_in_the_next_plan(loracle: Loracle, inputs: dict[str, Path]) -> None:
    loracle(*plan(inputs, "--vram", "8GiB", "--out", "run"))
    _, untouched, _ = loracle("plan", "run", "--vram", "8GiB", "--json")
    file = Path("run", "loracle.toml")
    text, edits = file.read_text("utf-8"), 0
    for line in text.splitlines():
        for setting, value in (("prompts", '["tok on a roof"]'), ("negative", '"blurry"')):
            if line.startswith(f"{setting} = "):
                text, edits = text.replace(line, f"{setting} = {value}"), edits + 1
    file.write_text(text, "utf-8")
    code, out, _ = loracle("plan", "run", "--vram", "8GiB", "--json")

    sampling = json.loads(out)["config"]["sampling"]
    assert (code, edits) == (0, 2)
    assert (sampling["prompts"], sampling["negative"]) == (["tok on a roof"], "blurry")
    new = {row["path"] for row in made_by_answers(out)} - {row["path"] for row in made_by_answers(untouched)}
    assert new == {"sampling.prompts", "sampling.negative"}


def test_a_run_that_is_none_is_told(loracle: Loracle) -> None:
    code, _, err = loracle("plan", "nowhere")

    assert code == 2
    assert "nowhere does not exist" in err


def test_a_plan_counts_only_the_folders_that_are_named(
    loracle: Loracle, tmp_path: Path, inputs: dict[str, Path]
) -> None:
    make_pictures(tmp_path / "p" / "girl", 3)
    make_pictures(tmp_path / "p" / "class", 5)
    wanted = ("--set", "dataset.only_folders=yes", "--set", "dataset.folders=girl=7")
    base = ("--images", tmp_path / "p", "--model", inputs["model"], "--name", "mira", "--json")

    code, out, _ = loracle("plan", *base, *wanted, "--out", tmp_path / "run")

    assert (code, json.loads(out)["dataset"]["num_images"]) == (0, 3)
    code, out, _ = loracle("plan", tmp_path / "run", "--json")
    found = json.loads(out)
    assert (code, found["dataset"]["num_images"]) == (0, 3)
    assert found["config"]["dataset"]["folders"] == [{"path": "girl", "repeats": 7}]
    code, out, _ = loracle("plan", tmp_path / "run", "--images", inputs["images"], "--json")
    assert (code, json.loads(out)["dataset"]["num_images"]) == (0, 30)


def test_a_planned_run_is_listed_from_anywhere(
    loracle: Loracle, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loracle(*plan(inputs, "--vram", "8GiB", "--out", "run"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    code, out, _ = loracle("runs")

    assert code == 0
    assert out.startswith("planned")
    assert "run" in out
    assert loracle("status", tmp_path / "run", "--json")[0] == 0


@pytest.mark.parametrize(
    ("line", "offered"),
    [("loracle sta", "status"), ("loracle plan --set network.ra", "network.rank="),
     ("loracle export r --to one", "onetrainer")],
)  # fmt: skip
def test_the_shell_is_told_how_a_line_goes_on_and_nothing_is_asked(line: str, offered: str) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_LORACLE_COMPLETE": "complete_bash"}

    done = fresh("from wizard.cli import main; main([])", **words)

    assert done.returncode == 0, done.stderr
    assert offered in done.stdout.splitlines()


@on_posix
@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_a_current_folder_that_is_gone_is_named(
    loracle: Loracle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    code, _, err = loracle(command)
    monkeypatch.chdir(tmp_path)
    assert (code, "mistake" in err) == (2, False)
    assert "is gone" in err


@pytest.mark.parametrize("command", ["train", "status", "report", "runs", "measure"])
def test_a_name_that_no_file_system_takes_is_wrong_input(loracle: Loracle, command: str) -> None:
    code, _, err = loracle(command, "b" * 300)

    assert (code, "mistake" in err) == (2, False)


def test_completion_for_a_start_up_file_of_another_encoding_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "bash")
    (tmp_path / ".bashrc").write_bytes(b'alias x="\xe9"\n')

    with pytest.raises(SystemExit) as ended:
        main(["--install-completion"])

    assert ended.value.code == 2
    assert "is not in UTF-8" in capsys.readouterr().err
    assert (tmp_path / ".bashrc").read_bytes() == b'alias x="\xe9"\n'
