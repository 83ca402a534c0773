from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advisor.dataset.doctor.examine import Waiver
from tests.support.paths import REPOSITORY
from wizard.processes.waiver_store import WAIVERS_NAME, add_waivers, read_waivers

ONE, OTHER = Waiver("border", "", "film stills"), Waiver("blurred", "a.png", "meant")
ADD = """
import sys
from advisor.dataset.doctor.examine import Waiver
from wizard.processes.waiver_store import add_waivers
for number in range(10):
    add_waivers("/pictures", (Waiver("border", f"{sys.argv[1]}-{number}", "meant"),))
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path))
    return tmp_path


def test_waivers_are_kept_by_folder(data: Path) -> None:
    add_waivers("/a", (ONE,))
    add_waivers("/b", (OTHER,))
    add_waivers("/a", (OTHER, Waiver("border", "", "another reason")))

    assert read_waivers("/a") == (Waiver("border", "", "another reason"), OTHER)
    assert read_waivers("/b") == (OTHER,)
    assert [path.name for path in data.iterdir()] == [WAIVERS_NAME]


@pytest.mark.parametrize(
    "mine",
    [
        '{"/a": [{"code": "border",}]}', "notes", '{"mine": 1}',
        '{"/a": [{"code": "border", "reason": "of the film"}]}',
        '{"/a": [{"code": "border", "file": "", "reason": "film stills", "note": "ask Ada"}]}',
    ],
)  # fmt: skip
def test_a_file_that_was_edited_badly_or_is_another_stays_beside_the_new_one(data: Path, mine: str) -> None:
    (data / WAIVERS_NAME).write_text(mine, "utf-8")

    add_waivers("/b", (ONE,))

    assert read_waivers("/b") == (ONE,)
    assert (data / f"{WAIVERS_NAME}.bak").read_text("utf-8") == mine


def test_commands_at_the_same_moment_lose_no_waiver(data: Path) -> None:
    adding = [subprocess.Popen([sys.executable, "-c", ADD, name], cwd=REPOSITORY) for name in "ab"]

    assert [one.wait() for one in adding] == [0, 0]
    assert len(read_waivers("/pictures")) == 20
