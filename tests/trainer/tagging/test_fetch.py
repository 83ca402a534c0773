from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import trainer.tagging.fetch as module
from advisor.errors import ModelError, RunError
from advisor.run_folder.pictures.tag_request import read_fetched
from advisor.tagging.known_models import HubFile, KnownModel
from tests.support.fake_hub import REVISION, fake_hub
from tests.support.paths import REPOSITORY
from tests.support.runs import events_of
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.tagging.fetch import fetch, from_hub, main

MODEL, TAGS = b"model" * 1000, b"tags" * 10
WITH_THESE_FILES = f"""
import sys
import trainer.tagging.fetch as module
from advisor.tagging.known_models import HubFile, KnownModel
class Known(KnownModel):
    @property
    def files(self):
        return (HubFile("model.onnx", {len(MODEL)}, "{sha256(MODEL).hexdigest()}"),
                HubFile("selected_tags.csv", {len(TAGS)}, "{sha256(TAGS).hexdigest()}"))
known = Known("someone/tagger", "{REVISION}", HubFile("model.onnx", 1, ""), "")
module.known_model = lambda name: known
sys.exit(module.main(["tagger", sys.argv[1]]))
"""


class Known(KnownModel):
    @property
    def files(self) -> tuple[HubFile, HubFile]:
        return (
            HubFile("model.onnx", len(MODEL), sha256(MODEL).hexdigest()),
            HubFile("selected_tags.csv", len(TAGS), sha256(TAGS).hexdigest()),
        )


KNOWN = Known("someone/tagger", REVISION, HubFile("model.onnx", 1, ""), "small")


def through_the_library(hub: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "HF_ENDPOINT": hub, "HF_HUB_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(REPOSITORY), "HF_TOKEN": "hf_secret", "NO_PROXY": "127.0.0.1", **more,
    }  # fmt: skip
    command = [sys.executable, "-c", WITH_THESE_FILES, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_both_files_come_into_the_cache_of_the_hub_and_nothing_of_the_user_is_sent(tmp_path: Path) -> None:
    where = f"/someone/tagger/resolve/{REVISION}"
    with fake_hub({f"{where}/model.onnx": MODEL, f"{where}/selected_tags.csv": TAGS}) as hub:
        done = through_the_library(hub.address, tmp_path)
        first = len(hub.asked)
        again = through_the_library(hub.address, tmp_path)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    found = read_fetched(tmp_path)
    assert found == tmp_path / "cache" / "models--someone--tagger" / "snapshots" / REVISION / "model.onnx"
    assert found.read_bytes() == MODEL
    assert (found.parent / "selected_tags.csv").read_bytes() == TAGS
    assert "hf_secret" not in "\n".join(hub.told)
    assert not any(method == "GET" for method, _, _ in hub.asked[first:])
    assert events_of(tmp_path, "phase")[0]["name"] == "download"


def test_a_hub_that_has_it_not_is_told_with_the_addresses_by_hand(tmp_path: Path) -> None:
    with fake_hub({}) as hub:
        done = through_the_library(hub.address, tmp_path)

    assert done.returncode == 2
    assert f"https://huggingface.co/someone/tagger/resolve/{REVISION}/model.onnx" in done.stderr
    assert "--model FOLDER" in done.stderr


@pytest.mark.slow
def test_without_a_network_that_is_said_in_a_sentence(tmp_path: Path) -> None:
    done = through_the_library("http://127.0.0.1:9", tmp_path)

    assert done.returncode == 2
    assert "cannot be downloaded (" in done.stderr
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_content_than_was_noted_is_refused(tmp_path: Path) -> None:
    def download(known: KnownModel, file: HubFile, meter: Any) -> Path:
        (tmp_path / file.name).write_bytes(b"something else")
        return tmp_path / file.name

    with Events(tmp_path) as events, pytest.raises(ModelError, match=r"model\.onnx is not the file .* delete it"):
        fetch(KNOWN, events, Interrupt(), download)


def test_the_progress_is_told_and_an_interrupt_breaks_it_off(tmp_path: Path) -> None:
    interrupt = Interrupt()

    def download(known: KnownModel, file: HubFile, meter: Any) -> Path:
        with meter(total=file.num_bytes, desc=file.name, unit="B") as bar:
            bar.update(100)
            interrupt.ask()
            bar.update(100)
        return tmp_path

    with Events(tmp_path) as events, pytest.raises(Interrupted):
        fetch(KNOWN, events, interrupt, download)
    assert events_of(tmp_path, "progress")[0]["phase"] == "download"


def test_a_disk_without_room_is_told_before_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda _: 1000)

    with pytest.raises(RunError, match=r"has room for .*, and model\.onnx needs"):
        from_hub(KNOWN, KNOWN.files[0], None)


def test_an_unknown_name_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wd-best", str(tmp_path)]) == 2
    assert "none of the taggers that are fetched by name" in capsys.readouterr().err
