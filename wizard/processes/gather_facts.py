"""Gathers the facts of `loracle doctor`; those about torch come from a child process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from advisor.environment.doctor import DoctorFacts
from advisor.environment.packages import installed_packages, this_python
from advisor.environment.torch_report import TorchFacts, read_torch_facts
from advisor.machine.probe import probe_hardware
from wizard.processes.child import child_command, child_environment, own_home

MOST_SECONDS = 180.0
"""The first import of torch from a slow disk takes a minute."""


def doctor_facts(folder: Path, *, command: Sequence[str] | None = None, seconds: float = MOST_SECONDS) -> DoctorFacts:
    """The facts about hardware, torch, packages and Python.

    Args:
        folder: its disk is measured.
        command: prints torch's facts as JSON; None: `trainer.device.torch_report`.
    """
    asked = list(command or child_command("trainer.device.torch_report"))
    return DoctorFacts(probe_hardware(folder), torch_facts(asked, seconds), installed_packages(), this_python())


def torch_facts(command: Sequence[str], seconds: float) -> TorchFacts:
    """What the command reports; its `error` says what went wrong."""
    try:
        ended = subprocess.run(
            command, env=child_environment(os.environ), cwd=own_home(), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return TorchFacts(error=f"it did not answer within {seconds:.0f} seconds")
    except OSError as error:
        return TorchFacts(error=f"it cannot be asked: {error.strerror or error}")
    return read_torch_facts(ended.stdout.decode("utf-8", "replace"), ended.returncode)
