from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError, RunError
from wizard.interview.drawing.grid_options import GridOptions, GridWish, read_options, read_prompts


def test_what_is_not_given_is_empty() -> None:
    assert read_options(GridOptions()) == GridWish()


def test_lists_are_read_and_each_number_counts_once(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\ufeffzuvi, smile\n\n# a comment\na park --n bad --d 3\nzuvi, smile\n", "utf-8")

    wish = read_options(GridOptions(epochs="10, 3,3", weights="1,0.6,-0.5", prompts=str(prompts), seeds=3))

    assert wish == GridWish((3, 10), (1.0, 0.6, -0.5), ("zuvi, smile", "a park"), 3)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"epochs": "3;6"}, r"--epochs is '3;6': give epochs as numbers from 1 with commas between"),
        ({"epochs": "0"}, "--epochs is '0'"),
        ({"epochs": ""}, "--epochs is ''"),
        ({"epochs": "9" * 5000}, "--epochs is '999"),
        ({"weights": "strong"}, "--weights is 'strong': give weights as numbers with commas between"),
        ({"weights": "nan"}, "--weights is 'nan'"),
        ({"weights": "0"}, "--weights is '0': .*not 0, which is the base model"),
        ({"weights": "11"}, "--weights is '11': .*up to 10"),
        ({"seeds": 0}, "--seeds is 0: give a number from 1 to 64"),
        ({"device": "tpu"}, "--device is 'tpu': take cpu"),
        ({"prompts": "gone.txt"}, "the file of prompts gone.txt cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_the_mend(option: dict[str, Any], message: str) -> None:
    with pytest.raises(LoraError, match=message):
        read_options(GridOptions(**option))


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(LoraError) as caught:
        read_options(GridOptions(epochs="x", weights="y", seeds=99))

    assert [word in str(caught.value) for word in ("--epochs", "--weights", "--seeds")] == [True] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has none: write a prompt a line"),
        (b"\n# only a comment\n", "has none: write a prompt a line"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is no text in UTF-8"),
        (b"a\x00b", "is no text in UTF-8"),
        (b"\n".join(b"prompt %d" % number for number in range(65)), "has 65: 64 at most"),
        (b"x" * (1024 * 1024 + 1), "has more than"),
    ],
)
def test_a_file_that_has_no_prompts_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)

    with pytest.raises(RunError, match=rf"the file of prompts .*prompts\.txt .*{message}"):
        read_prompts(path)
