"""Malformed run folders, as damage, a clumsy editor or a stranger makes them: no traceback, nothing changed outside."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.events import LoraMoved, RungTaken
from advisor.run_folder.grids.picks_file import PickedSide, PickLine, append_pick
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.left_out import LeftOut, LeftOutImage
from tests.support.here import Ended, Here
from tests.support.malformed_runs import malform
from tests.support.outside import Outside, leaks
from tests.support.paths import REPOSITORY
from tests.support.pictures import make_pictures
from tests.support.report_runs import choice, write_grid
from tests.support.special_files import on_posix
from tests.support.tiny import tiny_sd1_checkpoint
from trainer.__main__ import main as trainer_main
from wizard.cli import main

pytestmark = on_posix  # pipes, links, and names that Windows does not have

RECORDING: tuple[tuple[str, ...], ...] = (
    ("report", "RUN", "--overwrite"),
    ("export", "RUN", "--to", "kohya-gui"),
    ("export", "RUN", "--to", "sd-scripts", "--overwrite"),
    ("export", "RUN", "--to", "onetrainer"),
    ("export", "RUN", "--to", "ai-toolkit", "--overwrite"),
)
QUICK: tuple[tuple[str, ...], ...] = (
    *RECORDING, ("report", "RUN"), ("plan", "RUN"), ("plan", "RUN", "--json"), ("status", "RUN", "--once"),
    ("captions", "RUN"), ("captions", "RUN", "history"), ("captions", "RUN", "add", "solo"),
    ("captions", "RUN", "undo"), ("pictures", "RUN"), ("pictures", "RUN", "leave-out", "*1.png"),
)  # fmt: skip
TRAINING: tuple[tuple[str, ...], ...] = (
    ("train", "RUN", "--device", "cpu", "--resume"),
    ("train", "RUN", "--device", "cpu", "--epochs", "3"),
    ("train", "RUN", "--device", "cpu"),
    ("measure", "RUN", "--device", "cpu", "--yes"),
    ("grid", "RUN", "--device", "cpu", "--seeds", "1", "--epochs", "1"),
)
EDITING: tuple[tuple[str, ...], ...] = (
    ("captions", "RUN", "add", "hat"), ("captions", "RUN", "set", "mia, rain", "--only", "*1.png"),
    ("pictures", "RUN", "crop", "*2.png", "--box", "0,0,80,80"), ("captions", "RUN", "add", "red"),
    ("captions", "RUN", "undo"),
)  # fmt: skip
"""What puts changes, some taken back, into the run's edits."""
EXPECTED = (0, 2, 3, 130)
"""Done, refused, stopped itself, ended after its one step."""
MOST_SECONDS = 20.0
"""Of computing, for a command."""
SETTINGS = (
    "dataset.resolution_px=64", "dataset.min_bucket_px=64", "schedule.epochs=2", "schedule.batch_size=2",
    "sampling.prompts=mia", "sampling.steps=1", "network.rank=2", "network.alpha=1",
)  # fmt: skip
CASE_VARIABLE = "MALFORMED_RUN"
"""Environment variable: the number of a case, to try it alone."""
QUICK_CASES = 150
TRAINS_EVERY = 30
"""Of the quick cases; a training takes as long as a dozen other commands."""
SLOW_CASES, PROCESS_CASES = range(10_000, 12_000), range(20_000, 20_200)
CHUNK = 20
PROCESS_SECONDS = 300.0

Loracle = Callable[..., Ended]
"""Runs a command line."""


@dataclass(frozen=True)
class Material:
    """A genuine run, trained to its end, and what lies around it."""

    run: Path
    outside: Outside

    def case(self, folder: Path, number: int) -> tuple[Path, list[str], random.Random]:
        """A malformed copy of the run, what was bent in it, and the dice for what is tried with it."""
        rng, run = random.Random(number), folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.run, run)
        return run, malform(run, self.outside, rng), rng


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    """Made by the commands themselves; what the demo, a full memory or broken pictures leave in a run is added."""
    root = tmp_path_factory.mktemp("malformed")
    outside = Outside.make(root / "user")
    make_pictures(outside.root / "pictures", 3, sizes=[(96, 96)], captions="mia, smile")
    model = tiny_sd1_checkpoint(outside.root)
    run = root / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(outside.home))
        patch.setenv("LORACLE_DATA", str(root / "data"))
        patch.setenv("WANDB_MODE", "disabled")
        patch.chdir(outside.folder)
        sets = [word for setting in SETTINGS for word in ("--set", setting)]
        done("plan", "--images", outside.root / "pictures", "--model", model, "--name", "mia", "--out", run, *sets)
        for edit in EDITING:
            done(*(run if word == "RUN" else word for word in edit))
        assert trainer_main(["--device", "cpu", str(run)]) == 0
        add_records(RunFolder(run))
        for command in RECORDING:
            done(*(run if word == "RUN" else word for word in command))
        yield Material(run, outside)


def done(*arguments: object) -> None:
    """A command that must end well."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert not ended.value.code


def add_records(run: RunFolder) -> None:
    changed = {"memory.gradient_checkpointing": True}
    taken = Taken(rung="checkpointing", before={}, after=changed, message="checkpointing", saved_bytes=10**8)
    run.write_ladder(Ladder(settings=changed, taken=(taken,)))
    run.write_left_out(LeftOut(images=(LeftOutImage(path="/pictures/torn.png", why="it is cut off"),)))
    record = write_grid(
        run.path, epochs=2, prompts=("mia", "mia, rain"), seeds=(1,), chosen=choice(epoch=2, tied=(1, 2))
    )
    for picked in ("left", "undo", "equal"):
        left, right = PickedSide.of(record.cells[2]), PickedSide.of(record.cells[4])
        append_pick(run.grid.picks, PickLine.model_validate({"left": left, "right": right, "picked": picked}))
    run.write_demo_scores(DemoScores(0.1, 0.8, 0.9, 0.5, 0.6, 3.0))
    run.wandb_id.write_text('{"id": "abcd1234"}\n', "utf-8")
    with run.event_writer() as events:
        events.write(RungTaken.of(taken))
        events.write(LoraMoved(before="model/mia.safetensors", after="model/earlier-1/mia.safetensors"))


def faults(run: Path, command: Sequence[str], material: Material, loracle: Loracle) -> list[str]:
    """What a command did that no command may do."""
    before, began = material.outside.state(), time.process_time()
    ended = loracle(*(str(run) if word == "RUN" else word for word in command))
    seconds, told = time.process_time() - began, ended.err + ended.out
    after = material.outside.state()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    found = [f"changed outside the run: {changed}"] * bool(changed)
    found += [f"took {seconds:.0f} s"] * (seconds > MOST_SECONDS)
    found += [f"copied the secret: {path}" for path in leaks(run)]
    if ended.code not in EXPECTED or "Traceback" in told:
        found.append(f"ended with {ended.code}: {told[-3000:]}")
    if ended.code == 2 and not ended.err.strip():
        found.append("ended with 2 without a word")
    if "\x1b" in told:
        found.append(f"steered the terminal: {told!r}")
    return found


def try_case(material: Material, folder: Path, number: int, loracle: Loracle) -> None:
    """Bend one run and give it to some commands; fails with all that went wrong, and how to try it again."""
    run, bends, rng = material.case(folder, number)
    tried = commands_of(number, rng)
    found = [f"{' '.join(command)}: {fault}" for command in tried for fault in faults(run, command, material, loracle)]
    told = "\n".join([f"case {number}", *(f"  {bend}" for bend in bends), *found])
    again = f"{CASE_VARIABLE}={number} python -m pytest tests/test_malformed_runs.py -k this_case"
    assert not found, f"{told}\nTry it again: {again}"


def commands_of(number: int, rng: random.Random) -> list[tuple[str, ...]]:
    """In a process one of all; of the slow cases three that are quick and one that trains."""
    if number in PROCESS_CASES:
        return [rng.choice((*QUICK, *TRAINING))]
    if number in SLOW_CASES:
        return [*rng.sample(QUICK, 3), rng.choice(TRAINING)]
    return [rng.choice(QUICK if number % TRAINS_EVERY else TRAINING)]


def in_a_process(*arguments: object) -> Ended:
    """A command as the user starts it, the trainer in a process of its own too."""
    command = [sys.executable, "-P", "-m", "wizard.cli", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(
        command, capture_output=True, env=environment, timeout=PROCESS_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    out, err = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
    return Ended(ended.returncode, out, err)


@pytest.mark.parametrize("number", range(QUICK_CASES))
def test_a_malformed_run_is_refused_or_works(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    try_case(material, tmp_path, number, Here(monkeypatch, capsys))


@pytest.mark.slow
@pytest.mark.parametrize("first", SLOW_CASES[::CHUNK])
def test_two_thousand_malformed_runs(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], first: int
) -> None:
    loracle = Here(monkeypatch, capsys)
    for number in range(first, first + CHUNK):
        try_case(material, tmp_path, number, loracle)


@pytest.mark.slow
@pytest.mark.parametrize("first", PROCESS_CASES[::CHUNK])
def test_two_hundred_malformed_runs_in_processes(material: Material, tmp_path: Path, first: int) -> None:
    for number in range(first, first + CHUNK):
        try_case(material, tmp_path, number, in_a_process)


@pytest.mark.skipif(CASE_VARIABLE not in os.environ, reason=f"{CASE_VARIABLE} names the case, as a failure tells")
def test_this_case(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = int(os.environ[CASE_VARIABLE])
    try_case(material, tmp_path, number, in_a_process if number in PROCESS_CASES else Here(monkeypatch, capsys))
