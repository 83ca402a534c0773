"""Captions that are too long are told by the tokens that the trainer makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.dataset.long_captions import long_captions
from advisor.dataset.scan import scan
from advisor.settings.config import DatasetConfig
from tests.support.pictures import make_pictures
from trainer.models.prompt_weights import num_tokens
from trainer.models.tokenizer import clip_tokenizer


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    "caption",
    ["mia, (blue hair:1.2), [hat], ((smile)), (red (dark) coat:0.8)", r"mia, coat \(red\), (a:b)", "mia, (smile:1.3"],
)
def test_weights_count_as_the_trainer_counts_them(tmp_path: Path, caption: str, weighted: bool) -> None:
    make_pictures(tmp_path, 1, captions=caption)
    dataset = DatasetConfig(images=str(tmp_path), weighted_captions=weighted)

    found = long_captions(scan(tmp_path), dataset, "mia", most=3)

    assert list(found.values()) == [num_tokens(clip_tokenizer(length=77), caption, weighted=weighted)]
