from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from advisor.dataset.buckets import Placement
from advisor.errors import RunError
from tests.support.paths import REPOSITORY
from trainer.data.cache_index import NAME, CacheIndex
from trainer.data.image_files import Crop
from trainer.data.tensor_cache import TensorCache, cache_key, digest

TENSORS = {"latents": torch.arange(6.0).reshape(2, 3)}


def only_file(folder: Path) -> Path:
    (path,) = folder.rglob("*.safetensors")
    return path


def test_what_was_put_is_read_back_by_another_run(tmp_path: Path) -> None:
    TensorCache(tmp_path).put("abc", TENSORS)

    found = TensorCache(tmp_path).get("abc")

    assert found is not None
    assert torch.equal(found["latents"], TENSORS["latents"])


def test_what_was_never_put_is_missing(tmp_path: Path) -> None:
    assert TensorCache(tmp_path / "nowhere").get("abc") is None


def test_a_damaged_entry_is_missing(tmp_path: Path) -> None:
    TensorCache(tmp_path).put("abc", TENSORS)
    path = only_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    assert TensorCache(tmp_path).get("abc") is None


def test_a_cut_off_or_empty_entry_is_missing(tmp_path: Path) -> None:
    TensorCache(tmp_path).put("abc", TENSORS)
    path = only_file(tmp_path)
    for content in (path.read_bytes()[:-5], b""):
        path.write_bytes(content)
        assert TensorCache(tmp_path).get("abc") is None


def test_an_entry_of_a_hole_without_end_is_missing_and_not_read(tmp_path: Path) -> None:
    TensorCache(tmp_path).put("ab", {"x": torch.ones(3)})
    header = b'{"x":{"dtype":"U8","shape":[4398046511104],"data_offsets":[0,4398046511104]}}'
    path = only_file(tmp_path)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with path.open("r+b") as file:
        file.truncate(8 + len(header) + 2**42)

    assert TensorCache(tmp_path).get("ab") is None


def test_a_key_depends_on_every_value_and_not_on_the_order() -> None:
    assert cache_key(a=1, b="x") == cache_key(b="x", a=1)
    assert len({cache_key(a=1, b="x"), cache_key(a=2, b="x"), cache_key(a=1, b="y"), cache_key(a="1", b="x")}) == 4


def test_a_digest_tells_dtypes_shapes_and_values_apart() -> None:
    zeros = torch.zeros(4)
    variants = [zeros, zeros.half(), zeros.reshape(2, 2), torch.ones(4), zeros.to(torch.bfloat16)]

    assert len({digest({"a": tensor}) for tensor in variants}) == len(variants)


WRITER = """
import sys
from pathlib import Path
import torch
from trainer.data.tensor_cache import TensorCache

folder, done = Path(sys.argv[1]), 0
for turn in range(15):
    cache = TensorCache(folder)
    for key in range(10):
        found = cache.get(f"key-{key}")
        if found is not None:
            assert torch.equal(found["latents"], torch.full((64, 64), float(key)))
            done += 1
        if turn % 3 == 0 or found is None:
            cache.put(f"key-{key}", {"latents": torch.full((64, 64), float(key))})
print(done)
"""


def test_two_runs_may_read_and_write_the_same_entries_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip

    told = [run.communicate(timeout=240) for run in runs]

    assert [error for _, error in told] == ["", ""]
    assert all(140 <= int(out) <= 150 for out, _ in told)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 10
    assert not list(tmp_path.rglob("*.part"))


def test_an_entry_that_another_run_holds_open_need_not_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, content: bytes) -> None:
        raise RunError(f"{path} cannot be written: it is open elsewhere")

    TensorCache(tmp_path).put("abc", TENSORS)
    monkeypatch.setattr("trainer.data.tensor_cache.write_atomically", refused)

    TensorCache(tmp_path).put("abc", TENSORS)
    with pytest.raises(RunError):
        TensorCache(tmp_path).put("other", TENSORS)


def test_a_damaged_entry_is_replaced(tmp_path: Path) -> None:
    TensorCache(tmp_path).put("abc", TENSORS)
    only_file(tmp_path).write_bytes(b"broken")

    TensorCache(tmp_path).put("abc", TENSORS)

    assert TensorCache(tmp_path).get("abc") is not None


def test_caches_of_earlier_versions_are_still_found() -> None:
    crop = Crop.centred(Placement((64, 96), (64, 100)), flip=True)

    latents = cache_key(version=1, picture="abc", vae="vae float32 0.18215", framing=crop.key_text)
    mask = cache_key(version=1, mask="abc", framing=crop.key_text, latent_px=8)

    assert latents == "60994e3991473646830ac5c3b77a19ed378e6eab"
    assert mask == "88f38f78977b9bba1053bf96671a795b2cce0d9e"


def test_what_was_found_whole_is_not_read_for_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TensorCache(tmp_path)
    cache.put("abc", TENSORS)
    cache.put("abd", TENSORS)
    assert TensorCache(tmp_path).has("abc")
    first = TensorCache(tmp_path)
    assert first.has("abc")
    assert first.has("abd")
    first.remember()

    monkeypatch.setattr(TensorCache, "_read", lambda *_: pytest.fail("it was read"))
    again = TensorCache(tmp_path)

    assert again.has("abc")
    assert again.has("abd")


def test_what_is_put_after_a_look_is_remembered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TensorCache(tmp_path)
    assert not cache.has("abc")
    cache.put("abc", TENSORS)
    cache.remember()

    monkeypatch.setattr(TensorCache, "_read", lambda *_: pytest.fail("it was read"))

    assert TensorCache(tmp_path).has("abc")


def remembered(folder: Path) -> Path:
    cache = TensorCache(folder)
    assert not cache.has("abc")
    cache.put("abc", TENSORS)
    cache.remember()
    return only_file(folder)


def test_an_entry_that_was_changed_since_is_read_be_it_of_the_same_size_and_time(tmp_path: Path) -> None:
    path = remembered(tmp_path)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert not TensorCache(tmp_path).has("abc")


def test_an_entry_that_turns_out_damaged_is_known_as_whole_no_more(tmp_path: Path) -> None:
    path = remembered(tmp_path)
    path.write_bytes(b"broken")
    index = CacheIndex(tmp_path)
    index.add("abc", path)
    index.write()
    assert TensorCache(tmp_path).has("abc")

    assert TensorCache(tmp_path).get("abc") is None

    assert not TensorCache(tmp_path).has("abc")


@pytest.mark.parametrize("text", ["", "abc 1 2\n", "abc x 1 2 3\n", "\xff\n", "abc -1 1 1 1\n"])
def test_a_damaged_index_counts_as_none(text: str, tmp_path: Path) -> None:
    path = remembered(tmp_path)
    (tmp_path / NAME).write_text(text, encoding="latin-1")

    assert TensorCache(tmp_path).has("abc")
    path.unlink()
    assert not TensorCache(tmp_path).has("abc")
