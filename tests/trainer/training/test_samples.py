"""Pictures drawn during a training: which, and that training is what it is without them."""

from __future__ import annotations

import errno
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, run_training, same, weights
from trainer.diffusion.sampling import Request, draw
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training import samples

DRAWN: dict[str, Any] = {"sampling__prompts": ("tok, smile", "tok"), "sampling__steps": 2}
SHORT: dict[str, Any] = {"schedule__max_steps": 4, "schedule__epochs": 2, "schedule__name": "constant"}

KINDS: dict[str, dict[str, Any]] = {
    "dropout, nothing kept": {
        "network__dropout": 0.3, "network__rank_dropout": 0.2, "network__module_dropout": 0.2,
        "memory__cache_latents": False, "dataset__flip": True,
    },
    "ema": {"loss__ema": True},
    "schedule_free": {"optimizer__name": "schedule_free_adamw"},
    "text kept": {
        "optimizer__text_encoder_learning_rate": 0.0, "memory__cache_text": True, "dataset__shuffle_captions": False,
    },
}  # fmt: skip
SLOW_KINDS: dict[str, dict[str, Any]] = {
    "float16": {"memory__compute_dtype": "float16", "memory__base_dtype": "float16"},
    "dora": {"network__kind": "dora", "memory__gradient_checkpointing": True},
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("material")


def bytes_of_states(run: Path) -> dict[str, str]:
    files = sorted(path for path in (run / "state").rglob("*") if path.suffix in (".safetensors", ".pt"))
    assert files
    return {path.relative_to(run).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW_KINDS)])
def test_lora_and_state_are_the_same_bytes_with_and_without_pictures(material: Path, tmp_path: Path, kind: str) -> None:
    settings = {**SHORT, **(KINDS | SLOW_KINDS)[kind]}

    run_training(tmp_path / "without", make_config(material, **settings))
    run_training(tmp_path / "with", make_config(material, **settings, **DRAWN))

    assert len(events_of(tmp_path / "with", "sample")) == 4
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))
    assert bytes_of_states(tmp_path / "with") == bytes_of_states(tmp_path / "without")


def test_a_training_gone_on_with_draws_no_base_again_and_ends_at_the_same_bytes(material: Path, tmp_path: Path) -> None:
    longer = SHORT | {"schedule__max_steps": 5}
    run_training(tmp_path / "without", make_config(material, **longer))
    run_training(tmp_path / "with", make_config(material, **SHORT, **DRAWN))
    run_training(tmp_path / "with", make_config(material, **longer, **DRAWN), resume=True)

    assert [event["epoch"] for event in events_of(tmp_path / "with", "sample")] == [0, 0, 1, 1]
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))


def test_the_base_draws_first_from_the_seeds_of_all_epochs_and_alone_even_where_a_lora_is_gone_on_from(
    material: Path, tmp_path: Path
) -> None:
    first = make_config(material, **SHORT)
    run_training(tmp_path / "first", first)
    config = make_config(
        material, **SHORT, **DRAWN, network__start_from=str(tmp_path / "first" / "model" / "tok.safetensors")
    )
    run_training(tmp_path / "run", config)

    events = events_of(tmp_path / "run", "sample")
    assert [(event["epoch"], event["seed"]) for event in events] == [(0, 42), (0, 43), (1, 42), (1, 43)]
    kinds = [event["event"] for event in events_of(tmp_path / "run")]
    assert kinds.index("sample") < kinds.index("step")
    drawn = Image.open(tmp_path / "run" / events[0]["path"]).tobytes()
    assert drawn == draw(base_of(config), Request.all_of(config)[0], config).tobytes()
    assert drawn != Image.open(tmp_path / "run" / events[2]["path"]).tobytes()


def base_of(config: TrainingConfig) -> BaseModel:
    return load_base_model(config.model, dtype=torch.float32, vae_dtype=torch.float32, device=torch.device("cpu"))


def test_pictures_of_the_base_are_kept_for_a_training_that_begins_again(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt, drawn = Interrupt(), list[str]()

    def counting(base: Any, request: Request, config: Any, check: Any) -> Image.Image:
        drawn.append(request.prompt)
        if len(drawn) == 2:
            interrupt.ask()
        return draw(base, request, config, check)

    monkeypatch.setattr(samples, "draw", counting)
    with pytest.raises(Interrupted):
        run_training(tmp_path, make_config(material, **SHORT, **DRAWN), interrupt=interrupt)
    assert not (tmp_path / "state").exists()

    run_training(tmp_path, make_config(material, **SHORT | {"schedule__max_steps": 1}, **DRAWN))
    assert drawn == ["tok, smile", "tok", "tok"]
    assert [event["epoch"] for event in events_of(tmp_path, "sample")] == [0, 0, 0]


def test_a_base_picture_of_something_else_is_drawn_again(tmp_path: Path) -> None:
    config = make_config(tmp_path, **DRAWN)
    request, other = Request.all_of(config)

    digests = {samples.base_digest(one, config) for one in (request, request, other)}
    for change in ({"model__clip_skip": 2}, {"loss__zero_terminal_snr": True}, {"memory__compute_dtype": "bfloat16"}):
        digests.add(samples.base_digest(request, make_config(tmp_path, **DRAWN, **change)))

    assert len(digests) == 5


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), ValueError("odd"), OSError(errno.ENOSPC, "")]
)
def test_drawing_that_fails_is_a_warning_and_training_goes_on(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(samples, "draw", broken)

    run_training(tmp_path, make_config(material, **SHORT | {"schedule__max_steps": 1}, **DRAWN))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["sample_failed"]
    assert events_of(tmp_path, "finished")


def test_a_training_begun_anew_keeps_what_the_one_before_drew(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, **SHORT, **DRAWN))
    folder = tmp_path / "samples"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    mine = folder / "tok-mine.png"
    mine.write_bytes(b"mine")
    for number in (1, 2):
        shutil.rmtree(tmp_path / "state")
        run_training(tmp_path, make_config(material, **SHORT, **DRAWN, run__seed=number))

    earlier = {path.name: path.read_bytes() for path in (folder / "earlier-1").iterdir()}
    assert earlier == {name: content for name, content in before.items() if "-000000-" not in name}
    assert {path.name for path in (folder / "earlier-2").iterdir()} == set(earlier)
    assert {path.name for path in folder.glob("*.png")} == {*before, mine.name}
    assert mine.read_bytes() == b"mine"


def test_a_base_picture_that_the_user_painted_on_is_kept_beside_the_new_one(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, **SHORT, **DRAWN))
    painted = tmp_path / "samples" / "tok-000000-00.png"
    with Image.open(painted) as picture:
        texts = PngInfo()
        texts.add_text(samples.MADE_OF, picture.info[samples.MADE_OF])
        Image.new("RGB", picture.size, "red").save(painted, pnginfo=texts)
    content = painted.read_bytes()
    shutil.rmtree(tmp_path / "state")
    run_training(tmp_path, make_config(material, **SHORT, **DRAWN | {"sampling__steps": 3}))
    shutil.rmtree(tmp_path / "state")
    run_training(tmp_path, make_config(material, **SHORT, **DRAWN | {"sampling__steps": 4}))

    assert painted.with_name("tok-000000-00.png.bak").read_bytes() == content
    assert [path.name for path in painted.parent.glob("*.bak*")] == ["tok-000000-00.png.bak"]


def test_what_the_user_put_at_the_name_of_a_picture_is_kept_beside_it(material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, **SHORT, **DRAWN))
    mine = tmp_path / "samples" / "tok-000002-00.png"
    mine.write_bytes(b"mine")
    run_training(
        tmp_path,
        make_config(material, **SHORT | {"schedule__epochs": 2, "schedule__max_steps": 0}, **DRAWN),
        resume=True,
    )

    assert mine.with_name("tok-000002-00.png.bak").read_bytes() == b"mine"
    assert mine.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in mine.parent.glob("*.bak*")] == ["tok-000002-00.png.bak"]
