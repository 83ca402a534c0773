"""A trainer in miniature, without torch: it holds the run, resumes, saves and sends events as the real one does.

`launched` starts `loracle` with it in the trainer's place. Each step takes STEP_SECONDS, each epoch STEPS steps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from advisor.errors import MemoryFacts
from advisor.files import write_atomically
from advisor.run_folder.events import EpochDone, Failed, Finished, LoraSaved, PhaseBegun, Started, StepDone
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from advisor.run_folder.state_manifest import BEGINNING, newest_position
from tests.support.paths import REPOSITORY
from tests.support.states import write_state_manifest
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import follow_launcher

STEPS = 4
OUT_OF_MEMORY = 75
CARDS = "It sees the cards "
STEP_VARIABLE = "MINIATURE_STEP_SECONDS"
HUNGRY_VARIABLE = "MINIATURE_HUNGRY"
"""The name of the run folder that runs out of memory at its first start."""
LAUNCHER = """
import os, sys
from wizard.processes import trainer_job
trainer_job.child_command = lambda _, *given: [sys.executable, "-P", "-m", "tests.support.miniature_trainer", *given]
from wizard.processes import queue_worker
queue_worker.worker_command = lambda *given: [
    sys.executable, "-P", "-c", os.environ["MINIATURE_LAUNCHER"], "queue", "start", *given
]
from wizard.cli import main
main()
"""
"""`loracle` with the trainer in miniature."""


def command(*arguments: object) -> list[str]:
    """`loracle` with these arguments."""
    return [sys.executable, "-P", "-c", LAUNCHER, *map(str, arguments)]


def environment(step_seconds: float = 0.02) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        STEP_VARIABLE: str(step_seconds),
        "MINIATURE_LAUNCHER": LAUNCHER,
    }


def loracle(
    *arguments: object, more: Mapping[str, str] | None = None, step_seconds: float = 0.02
) -> subprocess.CompletedProcess[str]:
    """`loracle` to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env={**environment(step_seconds), **(more or {})},
        timeout=120, check=False,
    )  # fmt: skip


def cards_seen(run: Path) -> list[str]:
    """Which cards each start of a run's training could see, as its log tells."""
    lines = RunFolder(run).trainer_log.read_text("utf-8").splitlines()
    return [line.removeprefix(CARDS) for line in lines if line.startswith(CARDS)]


def main(arguments: Sequence[str]) -> int:
    print(f"{CARDS}{os.environ.get('CUDA_VISIBLE_DEVICES', '')}", flush=True)
    run, interrupt = RunFolder.given(Path(arguments[0])), Interrupt()
    is_launched = follow_launcher(interrupt.ask)
    with training(run, "the trainer", print, is_launched=is_launched) as check, Events(run.path) as events:
        events.check_first(check)
        try:
            with interrupt.listening():
                _train(run, events, interrupt, resume="--resume" in arguments)
            return 0
        except MemoryError:
            facts = MemoryFacts(device="cpu", largest=(128, 128))
            events.send(Failed(code="out_of_memory", message="Memory ran out", memory=facts))
            return OUT_OF_MEMORY
        except Interrupted:
            events.send(Failed(code="interrupted", message="Training was interrupted; the work is saved"))
            return Interrupted.exit_code


def _train(run: RunFolder, events: Events, interrupt: Interrupt, *, resume: bool) -> None:
    config, seconds = run.read_config(), float(os.environ[STEP_VARIABLE])
    epochs, name = config.schedule.epochs, config.saving.name
    position = (newest_position(run.states()) if resume else None) or BEGINNING
    events.send(Started(config_hash="", resumed_from=position.step or None))
    events.send(PhaseBegun(name="train", total=epochs * STEPS, epochs=epochs))
    for step in range(position.step + 1, epochs * STEPS + 1):
        time.sleep(seconds)
        if step == 2 and run.path.name == os.environ.get(HUNGRY_VARIABLE) and not run.read_ladder().taken:
            raise MemoryError
        epoch = -(-step // STEPS)
        events.send(StepDone(step=step, epoch=epoch, loss=0.1, seconds=seconds))
        if step % STEPS == 0 or interrupt.asked:
            write_state_manifest(run.state_of_step(step), step=step, epoch=step // STEPS)
        if step % STEPS == 0:
            events.send(EpochDone(epoch=epoch))
        interrupt.check()
    write_atomically(run.lora(name), b"weights")
    lora = run.within(run.lora(name))
    events.send(LoraSaved(path=lora, step=epochs * STEPS, epoch=epochs))
    events.send(Finished(steps=epochs * STEPS, epochs=epochs, seconds=1.0, loras=(lora,)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
