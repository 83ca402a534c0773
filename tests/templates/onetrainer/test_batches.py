from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from advisor.errors import ConfigErrors
from templates.exporters import EXPORTERS
from templates.onetrainer.batches import FullBatches, bucket_of, bucket_sizes
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config


@pytest.mark.parametrize(
    ("size", "step", "bucket"),
    [
        ((512, 768), 8, (416, 624)),
        ((640, 512), 8, (576, 456)),
        ((700, 700), 8, (512, 512)),
        ((512, 768), 64, (448, 640)),
    ],
)
def test_a_picture_goes_to_the_size_nearest_in_proportion(
    size: tuple[int, int], step: int, bucket: tuple[int, int]
) -> None:
    assert bucket_of(size, bucket_sizes(512, step)) == bucket


def test_only_full_batches_count_and_accumulation_goes_over_the_ends_of_epochs() -> None:
    epoch = FullBatches(Counter({(512, 512): 10, (416, 624): 3, (624, 416): 5}), batch_size=4, num_enlarged=0)

    assert (epoch.batches, epoch.num_left_out, epoch.never_trained) == (3, 6, ((416, 624),))
    assert epoch.steps(sample_config(schedule={"epochs": 3, "gradient_accumulation": 2})) == 4


def test_steps_left_out_pictures_and_other_sizes_are_told(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 5, sizes=[(512, 768)])
    make_pictures(tmp_path / "p" / "wide", 1, sizes=[(768, 256)])
    config = sample_config(
        tmp_path / "p", dataset={"repeats": 1}, schedule={"batch_size": 2, "epochs": 10, "warmup_share": 0}
    )

    notes = "\n".join(EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None).notes)

    assert "OneTrainer will train 20 steps in 10 epochs (ours: 40 steps)" in notes
    assert "2 of an epoch's 6 showings are left out" in notes
    assert "never trains the pictures at 888x296" in notes
    assert "416x624, 888x296 instead of 384x576, 768x256" in notes
    assert "enlarges 1 pictures" in notes


def test_a_batch_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    make_pictures(tmp_path / "p", 1)
    config = sample_config(tmp_path / "p", dataset={"repeats": 1}, schedule={"batch_size": 4})

    with pytest.raises(ConfigErrors, match="full batches only"):
        EXPORTERS["onetrainer"].write(config, run=tmp_path / "run", out=None)
