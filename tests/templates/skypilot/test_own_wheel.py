from __future__ import annotations

import csv
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib import metadata
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from advisor.errors import RunError
from templates.skypilot import own_wheel as module
from templates.skypilot.own_wheel import own_wheel, pinned_packages


def test_it_holds_all_code_and_its_record_is_right() -> None:
    wheel = own_wheel()
    found = ZipFile(BytesIO(wheel.content))
    names = set(found.namelist())

    assert wheel.name == f"loracle-{metadata.version('loracle')}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "advisor", "templates", "trainer", "wizard"
    }  # fmt: skip
    assert "templates/skypilot/files/task.yaml.j2" in names
    assert not any("__pycache__" in name for name in names)
    (record,) = (name for name in names if name.endswith("/RECORD"))
    rows = list(csv.reader(found.read(record).decode("utf-8").splitlines()))
    assert {row[0] for row in rows} == names
    for name, digest, size in rows:
        if name != record:
            content = found.read(name)
            assert digest == "sha256=" + urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
            assert int(size) == len(content)


def test_the_same_code_gives_the_same_bytes() -> None:
    assert own_wheel() == own_wheel()


@pytest.mark.slow
def test_pip_installs_it_with_its_command(tmp_path: Path) -> None:
    wheel = own_wheel()
    (tmp_path / wheel.name).write_bytes(wheel.content)
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", str(tmp_path / "t")]
    subprocess.run([*command, str(tmp_path / wheel.name)], check=True, capture_output=True)
    code = "import wizard.app, sys; print(wizard.app.__file__)"
    shown = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(tmp_path / "t")}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip

    assert shown.stdout.startswith(str(tmp_path / "t"))
    assert (tmp_path / "t" / "bin" / "loracle").exists() or (tmp_path / "t" / "bin" / "loracle.exe").exists()


def test_packages_keep_their_version_but_for_what_torch_brings() -> None:
    pins = pinned_packages(frozenset())

    assert pins["diffusers"] == metadata.version("diffusers")
    assert pins["torch"] == metadata.version("torch").partition("+")[0]
    assert "tokenizers" in pins  # what transformers needs
    assert not any(name.startswith("nvidia-") and name != "nvidia-ml-py" for name in pins)
    assert "triton" not in pins
    assert "loracle" not in pins


def test_one_that_was_not_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OURSELVES", "no-such-package-of-ours")

    with pytest.raises(RunError, match=r"start\.py"):
        own_wheel()
