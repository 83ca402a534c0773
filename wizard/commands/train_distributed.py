"""`loracle train RUN --distributed`: this process is one of several that torchrun or a batch system has started.

The first is `loracle train` as ever. Each other becomes a trainer at once: it writes nothing, and ends with the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from advisor.errors import ConfigError
from advisor.run_folder.layout import RunFolder
from trainer.ranks.rendezvous import Rendezvous
from wizard.commands.train import train
from wizard.processes.child import child_environment, own_home
from wizard.processes.process_options import ProcessOptions
from wizard.processes.trainer_job import TrainerJob, refuse_device


def train_distributed(
    runs: Sequence[Path],
    *,
    resume: bool = False,
    epochs: int | None = None,
    skip_broken: bool = False,
    device: str | None = None,
    processes: ProcessOptions,
    as_json: bool = False,
) -> None:
    """Train one run with the processes that meet at MASTER_ADDR, as the first of them or as another.

    Where torchrun starts all of them anew, it goes on from the last state, whatever was asked for.

    Args:
        processes: what else is given of cards and processes, which cannot be meant here.

    Raises:
        LoraError: as `train`; or the environment is not torchrun's.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
    """
    refuse_device(device)
    if processes.is_given:
        raise ConfigError("--distributed", True, f"leave {processes.as_typed[0]} out: torchrun says how many there are")
    if len(runs) > 1:
        raise ConfigError("--distributed", True, "name one run: the processes train it together")
    rendezvous = Rendezvous.taken_from(os.environ)
    if not rendezvous.is_first:
        _become_trainer(runs[0].absolute(), rendezvous, device=device, skip_broken=skip_broken)
        return
    if rendezvous.restarts:
        resume = RunFolder.given(runs[0]).has_state()
    train(
        runs[0], resume=resume, epochs=epochs, skip_broken=skip_broken, device=device, rendezvous=rendezvous,
        as_json=as_json,
    )  # fmt: skip


def _become_trainer(run: Path, rendezvous: Rendezvous, *, device: str | None, skip_broken: bool) -> None:
    """Compute shares until the first process ends.

    Raises:
        SystemExit: with the trainer's exit code.
    """
    # The run is read by the trainer alone, which tells the first process where it is not there.
    job = TrainerJob(RunFolder(run), device=device, skip_broken=skip_broken, rendezvous=rendezvous)
    environment = child_environment(os.environ, on_processor=device == "cpu")
    if sys.platform == "win32":
        raise SystemExit(subprocess.call(job.command(), env=environment, cwd=own_home()))
    os.chdir(own_home())
    os.execve(sys.executable, job.command(), environment)  # signals reach it as they would reach this process
