from __future__ import annotations

from pathlib import Path

import torch

from trainer.cache import TensorCache, cache_key, digest

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


def test_a_key_depends_on_every_value_and_not_on_the_order() -> None:
    assert cache_key(a=1, b="x") == cache_key(b="x", a=1)
    assert len({cache_key(a=1, b="x"), cache_key(a=2, b="x"), cache_key(a=1, b="y"), cache_key(a="1", b="x")}) == 4


def test_a_digest_tells_dtypes_shapes_and_values_apart() -> None:
    zeros = torch.zeros(4)
    variants = [zeros, zeros.half(), zeros.reshape(2, 2), torch.ones(4), zeros.to(torch.bfloat16)]

    assert len({digest({"a": tensor}) for tensor in variants}) == len(variants)
