"""`loracle` in the test's own process: the trainer it would start runs here too, and makes one step at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import trainer.__main__ as trainer_main
from trainer.evaluate import run as drawing
from trainer.training import short_run
from trainer.training.loop import Loop
from wizard.cli import main

MAINS: dict[str, Callable[[list[str]], int]] = {
    "trainer": trainer_main.main, "trainer.training.short_run": short_run.main,
    "trainer.evaluate.run": drawing.main,
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class TrainerHere:
    """In place of the trainer's process: its main function, run where the process would be started."""

    def __init__(self, command: list[str], **_: Any) -> None:
        """Run it to its end."""
        _python, _option, _module, module, *arguments = command
        self.stdin = None
        try:
            self.returncode = MAINS[module](arguments)
        except SystemExit as ended:
            self.returncode = int(ended.code or 0)

    def poll(self) -> int:
        return self.returncode

    def wait(self, _seconds: float) -> int:
        return self.returncode


class Here:
    """Runs command lines in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Until the test ends, trainers are run in this process."""
        self._capsys = capsys
        make_step = Loop._make_step

        def only_step(loop: Loop, *step: Any) -> Any:
            loop._interrupt.ask("one step is enough")
            return make_step(loop, *step)

        monkeypatch.setattr(Loop, "_make_step", only_step)
        monkeypatch.setattr(short_run, "WARMUP_STEPS", 0)
        monkeypatch.setattr(short_run, "LEAST_STEPS", 1)
        monkeypatch.setattr("wizard.processes.child.subprocess.Popen", TrainerHere)
        for module in (trainer_main, short_run):
            monkeypatch.setattr(module, "follow_launcher", lambda _: True)

    def __call__(self, *arguments: object) -> Ended:
        """Run one; whatever is no exit code comes through."""
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        out, err = self._capsys.readouterr()
        return Ended(code, out, err)
