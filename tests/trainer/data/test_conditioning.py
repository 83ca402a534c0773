from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.dataset.buckets import Placement
from advisor.settings.config import TrainingConfig, changed, parse_config
from tests.support.tiny_anima import tiny_anima
from trainer.data.conditioning import Texts
from trainer.data.training_set import Item, SampleRef, TrainingSet
from trainer.models.families.family import BaseModel, Conditioning

CAPTION = "mira, 1girl, blue hair, smile, hat"


def items(*captions: str, repeats: int = 2) -> TrainingSet:
    place = Placement((64, 64), (64, 64))
    return TrainingSet(
        tuple(
            Item(number, Path(f"{number}.png"), ".", (64, 64), place, repeats, caption)
            for number, caption in enumerate(captions)
        )
    )


def config_of(**settings: Any) -> TrainingConfig:
    config = parse_config(
        {
            "model": {"path": "/m.safetensors", "family": "anima", "prediction": "flow"},
            "dataset": {"images": "/images", "shuffle_captions": True, "keep_tokens": 1},
            "memory": {"cache_text": True, "text_variants": 3},
            "saving": {"name": "mira"},
        }
    )
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


def cached(
    run: Path, config: TrainingConfig, training_set: TrainingSet | None = None, base: BaseModel | None = None
) -> Texts:
    texts = Texts(base or tiny_anima(), training_set or items(CAPTION), config)
    texts.cache(run, lambda _, __: None)
    return texts


def entries(run: Path) -> set[str]:
    return {path.stem for path in (run / "cache").rglob("*.safetensors")}


def all_captions(texts: Texts, epochs: int, repeats: int = 2) -> list[str]:
    return [texts.caption(SampleRef(0, repeat), epoch) for epoch in range(epochs) for repeat in range(repeats)]


def test_so_many_forms_of_a_caption_take_turns(tmp_path: Path) -> None:
    texts = cached(tmp_path, config_of())
    seen = all_captions(texts, epochs=6)

    assert len(entries(tmp_path)) == 3
    assert sorted(seen.count(one) for one in set(seen)) == [4, 4, 4]
    assert all(one.startswith("mira, ") and sorted(one) == sorted(CAPTION) for one in seen)


def test_every_form_is_read_from_the_cache_as_the_encoder_would_give_it(tmp_path: Path) -> None:
    base = tiny_anima()
    texts = cached(tmp_path, config_of(), base=base)
    ref = SampleRef(0, 1)
    found = texts.of([ref], epoch=1).states
    direct = base.family.encode_text(base, base.family.tokenize(base, [texts.caption(ref, 1)]))

    assert found is not None
    assert found.tensors.keys() == {"states", "states_mask", "ids", "ids_mask"}
    assert all(torch.equal(found[name], direct[name]) for name in direct.tensors)


def test_captions_of_several_lengths_are_one_batch(tmp_path: Path) -> None:
    texts = cached(tmp_path, config_of(), items("mira, 1girl", CAPTION))
    found = texts.of([SampleRef(0, 0), SampleRef(1, 0)], epoch=0).states

    assert isinstance(found, Conditioning)
    assert found["states_mask"].dtype == torch.bool
    assert found["states_mask"].sum(dim=1).tolist()[0] < found["states_mask"].shape[1]
    assert float(found["states"][0][~found["states_mask"][0]].abs().sum()) == 0


def test_captions_left_out_are_the_empty_one(tmp_path: Path) -> None:
    texts = cached(tmp_path, config_of(dataset__caption_dropout=0.5))
    seen = all_captions(texts, epochs=20)

    assert len(entries(tmp_path)) == 4
    assert 10 < seen.count("") < 30
    assert texts.of([SampleRef(0, 0)], epoch=seen.index("") // 2).states is not None


def test_tags_left_out_differ_between_forms(tmp_path: Path) -> None:
    texts = cached(tmp_path, config_of(dataset__shuffle_captions=False, dataset__tag_dropout=0.5))
    seen = set(all_captions(texts, epochs=3))

    assert 1 < len(seen) <= 3
    assert all(one.startswith("mira") for one in seen)


def test_a_caption_that_stays_is_encoded_once(tmp_path: Path) -> None:
    cached(tmp_path, config_of(dataset__shuffle_captions=False, dataset__keep_tokens=0))

    assert len(entries(tmp_path)) == 1


def test_the_plain_caption_is_one_of_the_forms(tmp_path: Path) -> None:
    texts = cached(tmp_path, config_of())
    training_set = items(CAPTION)

    assert texts.plain_caption(training_set.items[0]) in all_captions(texts, epochs=2)
    assert texts.plain(training_set.items[0], 2).states is not None
    assert len(entries(tmp_path)) == 3


def test_a_second_run_encodes_nothing_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cached(tmp_path, config_of())
    base = tiny_anima()
    monkeypatch.setattr(type(base.family), "encode_text", None)
    after = cached(tmp_path, config_of(), base=base)

    assert all_captions(before, 3) == all_captions(after, 3)


@pytest.mark.parametrize("change", ["caption", "encoder", "seed"])
def test_what_shapes_the_text_has_another_key(tmp_path: Path, change: str) -> None:
    cached(tmp_path, config_of())
    before = entries(tmp_path)
    base = tiny_anima()
    if change == "encoder":
        next(base.text_encoders[0].parameters()).data.view(-1)[0] += 1
    config = config_of(run__seed=5) if change == "seed" else config_of()
    cached(tmp_path, config, items(CAPTION + ", cat") if change == "caption" else None, base)

    assert len(before) == 3
    assert len(entries(tmp_path) - before) > 0


def test_the_key_knows_how_the_family_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(tmp_path, config_of())
    before = entries(tmp_path)
    base = tiny_anima()
    object.__setattr__(base.family, "text_version", "another")
    cached(tmp_path, config_of(), base=base)

    assert len(entries(tmp_path) - before) == 3
