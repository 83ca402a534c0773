"""Gathers what the doctor looks at; what needs torch is asked in a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

from advisor.environment.doctor import DoctorFacts
from advisor.environment.packages import installed_packages, this_python
from advisor.environment.torch_report import TorchFacts, read_torch_facts
from advisor.machine.probe import probe_hardware
from wizard.processes.child import child_command, child_environment

MOST_SECONDS = 180.0
"""Importing torch for the first time from a slow disk takes a minute."""


def doctor_facts(folder: Path, *, command: Sequence[str] | None = None, seconds: float = MOST_SECONDS) -> DoctorFacts:
    """All of it.

    Args:
        folder: where runs will be; its disk is looked at.
        command: asks torch; None: the trainer's own.
    """
    asked = list(command or child_command("trainer.device.torch_report"))
    return DoctorFacts(probe_hardware(folder), torch_facts(asked, seconds), installed_packages(), this_python())


def torch_facts(command: Sequence[str], seconds: float) -> TorchFacts:
    """What torch says of itself; whatever goes wrong is told in it."""
    try:
        told = subprocess.run(
            command, env=child_environment(os.environ), cwd=gettempdir(), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return TorchFacts(error=f"it did not answer within {seconds:.0f} seconds")
    except OSError as error:
        return TorchFacts(error=f"it cannot be asked: {error.strerror or error}")
    return read_torch_facts(told.stdout.decode("utf-8", "replace"), told.returncode)
