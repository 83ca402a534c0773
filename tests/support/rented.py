"""A rented machine, played in a folder: what SkyPilot copies there, and the commands that it runs there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import yaml

from tests.support.paths import REPOSITORY

WORKDIR = "~/sky_workdir/"


@dataclass(frozen=True)
class Rented:
    """The machine's home folder, with all of a task's files in it."""

    home: Path
    task: Mapping[str, Any]

    @classmethod
    def of(cls, task_file: Path, home: Path, *, with_loracle: bool = True) -> Rented:
        """Copy the work folder and the mounts of a task into `home`, by value: no link leads back.

        Args:
            with_loracle: what the setup would install: the bundle's own wheel, beside the packages that are here.
        """
        task = yaml.safe_load(task_file.read_text("utf-8"))
        found = cls(home, task)
        shutil.copytree(task_file.parent / task["workdir"], found.workdir)
        for place, source in task.get("file_mounts", {}).items():
            assert place.startswith(WORKDIR)
            target = found.workdir / place.removeprefix(WORKDIR)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if Path(source).is_dir() else shutil.copy
            copy(source, target)
        if with_loracle:
            found._install()
        return found

    @property
    def workdir(self) -> Path:
        """Where commands run."""
        return self.home / "sky_workdir"

    @property
    def run(self) -> Path:
        """The run folder there."""
        return self.workdir / "run"

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the task as the machine does."""
        environment = {
            "HOME": str(self.home), "PATH": "/usr/bin:/bin", "LORACLE_DATA": str(self.home / "data"),
            "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        return subprocess.run(
            ["bash", "-c", script], cwd=self.workdir, env=environment, capture_output=True, text=True, check=False
        )

    def _install(self) -> None:
        (wheel,) = self.workdir.glob("*.whl")
        code, command = self.home / "code", self.home / "loracle-env" / "bin" / "loracle"
        ZipFile(wheel).extractall(code)
        assert not (code / "tests").exists()
        assert code != REPOSITORY
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nPYTHONPATH="{code}" exec "{sys.executable}" -P -m wizard.cli "$@"\n', "utf-8")
        command.chmod(0o755)
