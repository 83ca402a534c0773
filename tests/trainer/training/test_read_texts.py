"""A tiny Anima is prepared for training: no plan trains it yet, so its files are loaded past the check of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError, TrainingStopped
from advisor.settings.config import ModelConfig, TrainingConfig, changed, parse_config
from tests.support.pictures import make_pictures
from tests.support.runs import events_of
from tests.support.tiny_anima import tiny_anima, write_tiny_anima
from trainer.data.training_set import SampleRef
from trainer.models.families.anima import Anima
from trainer.models.families.family import BaseModel
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.training import prepare as preparing
from trainer.training.prepare import Options, Prepared

PROMPT, NEGATIVE = "tok, a hat", "blurry"
AtLoad = Callable[[], None]


def config_in(folder: Path, **settings: Any) -> TrainingConfig:
    files = write_tiny_anima(folder / "base")
    make_pictures(folder / "pictures", 2, sizes=((64, 64),))
    config = parse_config(
        {
            "model": {"path": str(files.denoiser), "family": "anima", "prediction": "flow"},
            "dataset": {
                "images": str(folder / "pictures"), "resolution_px": 64, "min_bucket_px": 64, "max_bucket_px": 64,
                "shuffle_captions": True,
            },
            "network": {"rank": 2, "alpha": 1.0},
            "optimizer": {"learning_rate": 1e-3, "unet_learning_rate": 1e-3, "text_encoder_learning_rate": 0.0},
            "schedule": {"epochs": 1, "batch_size": 2},
            "memory": {"preset": "cpu", "cache_text": True, "text_variants": 2},
            "sampling": {"prompts": (PROMPT,), "negative": NEGATIVE, "sampler": "euler", "every_epochs": 1},
            "saving": {"name": "tok"},
            "run": {"trigger": "tok"},
        }
    )  # fmt: skip
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is seen when the denoiser is loaded."""
    seen: dict[str, Any] = {}

    def load(model: ModelConfig, **given: Any) -> BaseModel:
        base = Anima().load(model, identify(Path(model.path)), **given)
        later = base.load_denoiser
        assert later is not None

        def load_denoiser() -> None:
            seen["text"] = {one.device.type for one in base.text_encoders[0].parameters()}
            seen["denoiser"] = {one.device.type for one in base.denoiser.parameters()}
            later()

        object.__setattr__(base, "load_denoiser", load_denoiser)
        return base

    monkeypatch.setattr(preparing, "load_base_model", load)
    return seen


def prepared(run: Path, config: TrainingConfig) -> Prepared:
    with Events(run) as events:
        return preparing.prepare(run, config, Options(threads=1), events=events, interrupt=Interrupt())


def test_the_text_encoder_is_gone_before_the_denoiser_is_loaded(tmp_path: Path, encoders: dict[str, Any]) -> None:
    context = prepared(tmp_path / "run", config_in(tmp_path)).stepper.context
    phases = [event["name"] for event in events_of(tmp_path / "run", "phase")]

    assert encoders == {"text": {"meta"}, "denoiser": {"meta"}}
    assert context.base.text_encoders == ()
    assert context.base.device.type == "cpu"
    assert [phase for phase in phases if phase in ("load", "cache_text")] == ["load", "cache_text", "load"]


@pytest.mark.usefixtures("encoders")
def test_captions_and_prompts_are_what_the_encoder_said(tmp_path: Path) -> None:
    context = prepared(tmp_path / "run", config_in(tmp_path)).stepper.context
    whole = tiny_anima()
    caption = context.texts.caption(SampleRef(0, 0), 0)
    states = context.texts.of([SampleRef(0, 0)], 0).states

    assert states is not None
    for found, text in ((states, caption), (context.base.encoded(PROMPT, weighted=True), PROMPT)):
        direct = whole.encoded(text)
        assert all(torch.equal(found[name], direct[name]) for name in direct.tensors)
    assert set(context.base.texts) == {PROMPT, NEGATIVE}


@pytest.mark.usefixtures("encoders")
def test_a_text_that_was_not_read_is_named(tmp_path: Path) -> None:
    base = prepared(tmp_path / "run", config_in(tmp_path, sampling__prompts=())).stepper.context.base

    with pytest.raises(ModelError, match="'tok, a hat' was not encoded before the text encoder was freed"):
        base.encoded(PROMPT)


@pytest.mark.usefixtures("encoders")
def test_a_step_is_made_with_adapters_on_the_denoiser(tmp_path: Path) -> None:
    stepper = prepared(tmp_path / "run", config_in(tmp_path)).stepper
    before = {name: one.clone() for name, one in stepper.context.network.named_parameters()}
    (refs,) = stepper.context.training_set.batches(seed=0, epoch=0, batch_size=2)
    loss = stepper.step([refs], step=0, epoch=0).loss

    assert before
    assert loss > 0
    assert any(not torch.equal(one, before[name]) for name, one in stepper.context.network.named_parameters())


@pytest.mark.usefixtures("encoders")
def test_an_entry_that_was_taken_away_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = prepared(tmp_path / "run", config_in(tmp_path)).stepper.context.texts
    monkeypatch.setattr("trainer.data.tensor_cache.TensorCache.get", lambda *_: None)

    with pytest.raises(TrainingStopped, match="cache folder was removed or damaged"):
        texts.of([SampleRef(0, 0)], 0)
