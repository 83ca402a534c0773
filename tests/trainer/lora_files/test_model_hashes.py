from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path

import pytest

from advisor.settings.config import ModelConfig
from trainer.lora_files import model_hashes
from trainer.lora_files.model_hashes import LEGACY_END, LEGACY_START, FileHashes, hashed_aside


def test_a_model_and_its_other_vae_are_hashed(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "model.safetensors").write_bytes(content)
    (tmp_path / "vae").mkdir()
    config = ModelConfig(path=str(tmp_path / "model.safetensors"), family="sd1", vae_path=str(tmp_path / "vae"))

    model, vae = hashed_aside(config).result(timeout=30)

    legacy = sha256(content[LEGACY_START:LEGACY_END]).hexdigest()[:8]
    assert model == FileHashes("model.safetensors", legacy, sha256(content).hexdigest())
    assert vae == FileHashes("vae")


def test_what_cannot_be_read_is_told_where_the_hashes_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> FileHashes:
        raise PermissionError("no")

    monkeypatch.setattr(model_hashes, "file_hashes", fails)
    hashes = hashed_aside(ModelConfig(path=str(tmp_path / "model.safetensors"), family="sd1"))

    with pytest.raises(PermissionError):
        hashes.result(timeout=30)


def test_a_process_that_ends_does_not_wait_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    ends_with_process = list[bool]()

    def slow(path: Path) -> FileHashes:
        ends_with_process.append(threading.current_thread().daemon)
        begun.set()
        go_on.wait(30)
        return FileHashes(path.name)

    monkeypatch.setattr(model_hashes, "file_hashes", slow)
    hashes = hashed_aside(ModelConfig(path=str(tmp_path / "model.safetensors"), family="sd1"))

    assert begun.wait(30)
    assert not hashes.done()
    assert ends_with_process == [True]
    go_on.set()
    assert hashes.result(timeout=30)[0] == FileHashes("model.safetensors")
