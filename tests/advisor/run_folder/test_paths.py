from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import advisor
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder

ROOT = Path(advisor.__file__).parents[1]
FLOORS = ("advisor", "wizard", "templates", "trainer")
OWN = ("advisor/run_folder/paths.py", "advisor/run_folder/grids/grid_paths.py", "advisor/settings/file_names.py")

FILES = (
    "loracle.toml", "plan.json", "answers.toml", "report.html", "comparison.html", "manifest.jsonl", "events.jsonl",
    "trainer.log", "wandb.json", "demo.json", "ladder.json", "before_after.png", "grid.json", "grid.png", "picks.jsonl",
    "edits.jsonl",    ".lock", ".lock-trainer",
)  # fmt: skip
"""Names that no other module spells, in a path or alone; in a sentence they may stand."""
FOLDERS = ("log", "model", "state", "samples", "cache", "exports", "images")
"""Folders of a run. As a part of a path (`folder / "log"`) nobody else spells them; as words they mean much else."""
ELSEWHERE = {
    ("templates/kohya/export_layout.py", "log"): "kohya's own project folder",
    ("templates/kohya/export_layout.py", "model"): "kohya's own project folder",
    ("templates/musubi/export.py", "cache"): "musubi-tuner's own cache",
    ("trainer/demo/assets.py", "model"): "the embedded base model beside the program",
}
"""Other things of the same name."""


def spelled(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each file or folder of a run that a module spells."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            *folders, last = node.value.split("/")
            if last in FILES and all(folder in FOLDERS for folder in folders):
                yield node.lineno, node.value
        joined: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = [node.right]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "Path",
            "joinpath",
        ):
            joined = node.args
        for part in joined:
            if isinstance(part, ast.Constant) and str(part.value).split("/")[0] in FOLDERS:
                yield part.lineno, str(part.value)


def test_no_other_module_spells_the_name_of_a_runs_file() -> None:
    found = {
        f"{name}:{line}: {word}"
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) not in OWN
        for line, word in spelled(path)
        if (name, word) not in ELSEWHERE
    }

    assert not found


def test_the_names_that_are_looked_for_are_those_of_the_paths() -> None:
    words = {word for own in OWN for _, word in spelled(ROOT / own)}

    assert {word.rpartition("/")[2] for word in words} == set(FILES)


@pytest.mark.parametrize("code", ['x = run / "plan.json"', 'x = run / "log" / name', 'x = Path("state", name)'])
def test_a_name_in_a_path_is_found(tmp_path: Path, code: str) -> None:
    (tmp_path / "a.py").write_text(code, "utf-8")

    assert list(spelled(tmp_path / "a.py"))


def test_a_run_is_given_by_its_folder_or_by_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox" / "loracle.toml").write_text("", "utf-8")
    (tmp_path / "fox" / "other.toml").write_text("", "utf-8")

    assert RunFolder.given(Path("fox")) == RunFolder(tmp_path / "fox")
    assert RunFolder.given(Path("fox/loracle.toml")) == RunFolder(tmp_path / "fox")
    assert RunFolder.given(Path("fox/other.toml")).config == tmp_path / "fox" / "other.toml"
    with pytest.raises(RunError, match=r"holds no loracle\.toml"):
        RunFolder.given(tmp_path)


def test_loras_are_told_from_other_files(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.model.mkdir()
    for path in (
        run.lora("fox"), run.lora_of_epoch("fox", 2), run.lora_of_step("fox", 30), run.lora("fox-old"),
        run.model / "fox-000002.txt",
    ):  # fmt: skip
        path.touch()

    assert {path.name for path in run.loras("fox")} == {
        "fox.safetensors", "fox-000002.safetensors", "fox-step00000030.safetensors"
    }  # fmt: skip
    assert {path.name for path in run.loras("fox", with_last=False)} == {
        "fox-000002.safetensors", "fox-step00000030.safetensors"
    }  # fmt: skip


def test_states_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert (run.states(), run.has_state(), run.has_trained()) == ([], False, False)
    for step in (1000, 20):
        run.state_of_step(step).mkdir(parents=True)
        (run.state_of_step(step) / "manifest.json").touch()
    run.ladder.touch()

    assert [path.name for path in run.states()] == ["step-00000020", "step-00001000"]
    assert run.has_state()
    assert run.has_trained()


def test_a_path_is_written_as_seen_from_the_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)

    assert run.within(run.sample("fox", 3, 0)) == "samples/fox-000003-00.png"


def test_knowing_where_files_lie_costs_no_pydantic() -> None:
    code = "import sys, advisor.run_folder.layout; sys.exit('pydantic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
