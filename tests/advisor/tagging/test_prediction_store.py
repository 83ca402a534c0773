from __future__ import annotations

from pathlib import Path

import pytest

import advisor.tagging.prediction_store as module
from advisor.tagging.prediction_store import PredictionStore, model_key, picture_key


def test_what_was_told_is_known_to_the_next_one_but_what_is_too_unsure(tmp_path: Path) -> None:
    with PredictionStore("key", 10, tmp_path) as store:
        assert store.get("a") is None
        store.put("a", {3: 0.987654321, 4: 0.01})
        assert store.get("a") == {3: 0.98765}

    with PredictionStore("key", 10, tmp_path) as store:
        assert store.get("a") == {3: 0.98765}
    with PredictionStore("other", 10, tmp_path) as store:
        assert store.get("a") is None


def test_what_was_told_before_a_crash_is_kept_and_a_line_cut_off_costs_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "key.jsonl"
    with PredictionStore("key", 10, tmp_path) as store:
        store.put("a", {1: 0.5})
        store.put("b", {2: 0.5})
        before_the_crash = path.read_bytes()
    path.write_bytes(before_the_crash[:-5])

    with PredictionStore("key", 10, tmp_path) as again:
        assert (again.get("a"), again.get("b")) == ({1: 0.5}, None)
        again.put("c", {3: 0.5})
    with PredictionStore("key", 10, tmp_path) as third:
        assert (third.get("a"), third.get("c")) == ({1: 0.5}, {3: 0.5})


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b"{", b'{"picture": 1, "tags": {}}', b'{"picture": "x", "tags": {"99": 0.5}}', b"\xff\xfe",
        b'{"picture": "x", "tags": {"1": 2}}', b'{"picture": "x", "tags": {"-1": 0.5}}',
        b'{"picture": "x", "tags": [1]}', b'{"picture": "x", "tags": {"' + b"9" * 5000 + b'": 0.5}}',
    ],
)  # fmt: skip
def test_damaged_lines_are_passed_over(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "key.jsonl").write_bytes(line + b'\n{"picture": "a", "tags": {"1": 0.5}}\n')

    with PredictionStore("key", 10, tmp_path) as store:
        assert (store.get("x"), store.get("a")) == (None, {1: 0.5})


def test_a_file_that_grew_too_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PredictionStore("key", 10, tmp_path) as store:
        store.put("a", {1: 0.5})
    monkeypatch.setattr(module, "MOST_STORE_BYTES", 10)

    with PredictionStore("key", 10, tmp_path) as store:
        assert store.get("a") is None
        store.put("b", {1: 0.5})
    assert b'"a"' not in (tmp_path / "key.jsonl").read_bytes()


def test_where_nothing_can_be_kept_tagging_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with PredictionStore("key", 10, tmp_path / "file") as store:
        store.put("a", {1: 0.5})
        assert store.get("a") == {1: 0.5}


def test_another_file_of_the_model_is_another_model_and_another_crop_another_picture() -> None:
    assert model_key(("a", "b")) != model_key(("a", "c"))
    assert picture_key("d", None) != picture_key("d", (0, 0, 5, 5))
