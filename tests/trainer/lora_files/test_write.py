from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from advisor.errors import TrainingStopped
from advisor.settings.config import SavingConfig
from trainer.lora_files.write import LoraFiles, lora_file

TENSORS = {"a.alpha": torch.tensor(2.0), "a.lora_down.weight": torch.arange(6.0).reshape(2, 3)}
METADATA = {"ss_steps": "3", "modelspec.title": "tok"}


def make_files(run: Path, *, header_bytes: int = 0, **saving: object) -> LoraFiles:
    return LoraFiles(run, SavingConfig(name="tok", **saving), header_bytes)  # type: ignore[arg-type]


def header(file: bytes) -> dict[str, dict[str, str]]:
    return json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])  # type: ignore[no-any-return]


def test_a_file_reads_back_with_its_metadata() -> None:
    file = lora_file(TENSORS, METADATA)

    assert {name: tensor.tolist() for name, tensor in load(file).items()} == {
        "a.alpha": 2.0,
        "a.lora_down.weight": [[0, 1, 2], [3, 4, 5]],
    }
    assert METADATA.items() <= header(file)["__metadata__"].items()


def test_the_model_hash_is_that_of_all_bytes_after_the_header() -> None:
    file = lora_file(TENSORS, METADATA, header_bytes=4096)

    start = 8 + int.from_bytes(file[:8], "little")
    assert header(file)["__metadata__"]["sshs_model_hash"] == sha256(file[start:]).hexdigest()


def test_the_legacy_hash_is_of_a_piece_of_the_file_with_kohyas_metadata_alone() -> None:
    tensors = {"a": torch.arange(600_000, dtype=torch.float32)}

    file = lora_file(tensors, METADATA, header_bytes=4096)

    plain = save(tensors, {"ss_steps": "3"})
    assert header(file)["__metadata__"]["sshs_legacy_hash"] == sha256(plain[0x100000:0x110000]).hexdigest()[:8]


def test_the_header_is_filled_up_to_the_planned_length() -> None:
    file = lora_file(TENSORS, METADATA, header_bytes=4096)

    assert len(file) == 4096 + 7 * 4
    assert load(file)["a.alpha"] == 2


def test_a_header_longer_than_planned_is_kept_whole() -> None:
    assert lora_file(TENSORS, METADATA, header_bytes=16) == lora_file(TENSORS, METADATA)


def test_names_are_kohyas(tmp_path: Path) -> None:
    files = make_files(tmp_path)

    assert files.name == "model/tok.safetensors"
    assert files.epoch_name(3) == "model/tok-000003.safetensors"
    assert files.step_name(8) == "model/tok-step00000008.safetensors"


def test_a_weight_that_is_no_number_is_not_saved_and_the_old_file_stays(tmp_path: Path) -> None:
    files = make_files(tmp_path)
    path = files.write(files.name, TENSORS, METADATA)
    before = path.read_bytes()

    with pytest.raises(TrainingStopped, match=r"a\.alpha is no finite number"):
        files.write(files.name, {"a.alpha": torch.tensor(float("nan"))}, METADATA)

    assert path.read_bytes() == before


def test_only_the_newest_are_kept_if_wanted_and_the_last_always(tmp_path: Path) -> None:
    files = make_files(tmp_path, keep_last=2)
    for number, name in enumerate((files.name, *(files.epoch_name(epoch) for epoch in (1, 2, 3)))):
        path = files.write(name, TENSORS, METADATA)
        os.utime(path, (number, number))
    other = tmp_path / "model" / "tok-other-000001.safetensors"
    other.write_bytes(b"mine")

    files.remove_old()

    kept = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert kept == [
        "tok-000002.safetensors", "tok-000003.safetensors", "tok-other-000001.safetensors", "tok.safetensors"
    ]  # fmt: skip


def test_the_newest_are_those_of_the_most_steps_whatever_the_files_times_are(tmp_path: Path) -> None:
    files = make_files(tmp_path, keep_last=2)
    for number, (name, steps) in enumerate(((files.epoch_name(2), 40), (files.step_name(30), 30), (files.name, 50))):
        path = files.write(name, TENSORS, {**METADATA, "ss_steps": str(steps)})
        os.utime(path, (10**9 - number, 10**9 - number))
    later = files.write(files.epoch_name(1), TENSORS, {**METADATA, "ss_steps": "20"})
    os.utime(later, (2 * 10**9, 2 * 10**9))  # copied last

    files.remove_old()

    assert [path.name for path in files.existing()] == [
        "tok-step00000030.safetensors", "tok-000002.safetensors", "tok.safetensors"
    ]  # fmt: skip


def test_what_others_put_at_the_name_of_an_epoch_stays(tmp_path: Path) -> None:
    files = make_files(tmp_path, keep_last=1, header_bytes=4096)
    paths = [files.write(files.epoch_name(epoch), TENSORS, METADATA) for epoch in (1, 2, 3, 4, 5)]
    paths[0].write_bytes(b"mine")
    paths[1].write_bytes(lora_file(TENSORS, METADATA))  # resized by another program, say, which keeps what it says
    another = {**METADATA, "ss_seed": "7"}
    paths[2].write_bytes(lora_file(TENSORS, another, header_bytes=4096))  # of another run of ours

    files.remove_old()

    assert sorted(path.name for path in files.existing()) == [path.name for path in (*paths[:3], paths[4])]
    assert paths[0].read_bytes() == b"mine"


def test_a_lora_that_was_renamed_for_a_longer_training_is_still_known(tmp_path: Path) -> None:
    saved_at = {"ss_epoch": "1", "ss_num_batches_per_epoch": "3", "ss_gradient_accumulation_steps": "1"}
    shorter = make_files(tmp_path)
    shorter.write(shorter.name, TENSORS, {**METADATA, **saved_at})
    longer = make_files(tmp_path, keep_last=1)
    longer.make_way(steps=6, resumed=True)
    assert (tmp_path / longer.epoch_name(1)).exists()
    longer.write(longer.epoch_name(2), {**TENSORS, "a.alpha": torch.tensor(3.0)}, {**METADATA, "ss_steps": "6"})

    longer.remove_old()

    assert [path.name for path in longer.existing()] == ["tok-000002.safetensors"]


def test_a_copy_that_the_user_made_of_an_old_epoch_stays(tmp_path: Path) -> None:
    files = make_files(tmp_path, keep_last=1)
    for epoch in (1, 2):
        files.write(files.epoch_name(epoch), TENSORS, METADATA)
    converted = tmp_path / "model" / "tok-000001-diffusers.safetensors"
    converted.write_bytes(b"mine")

    files.remove_old()

    assert converted.read_bytes() == b"mine"
    assert not (tmp_path / "model" / "tok-000001.safetensors").exists()
