from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import trainer.evaluate.grid as grid_module
import trainer.evaluate.run as module
from advisor.run_folder.events import Validated
from advisor.run_folder.grids.grid_record import read_grid
from advisor.run_folder.grids.grid_request import GridRequest, RequestedLora, write_request
from advisor.run_folder.layout import RunFolder
from advisor.tensor_files.digests import lora_digest
from tests.support.grids import epoch_loras, grid_config, random_lora
from tests.support.runs import events_of
from tests.support.tiny import tiny_sd1
from trainer.diffusion import sampling
from trainer.evaluate.run import main
from trainer.models.load import load_base_model
from trainer.runtime.interrupts import Interrupt


@pytest.fixture
def request_of(tmp_path: Path) -> GridRequest:
    loras = epoch_loras(tiny_sd1(), tmp_path / "run" / "model")
    return GridRequest(
        config=grid_config(tmp_path),
        loras=tuple(RequestedLora(epoch=lora.epoch, path=str(lora.path)) for lora in loras),
        prompts=("tok, hat", "a house"),
        seeds=(5,),
        folder=str(tmp_path / "run"),
    )


def drawn(folder: Path, request: GridRequest) -> int:
    """The exit code; events go to `folder`/events."""
    write_request(folder / "events", request)
    return main([str(folder / "events")])


def test_a_grid_is_drawn_and_kept_with_its_record_and_all_pictures_in_one(
    tmp_path: Path, request_of: GridRequest
) -> None:
    code = drawn(tmp_path, request_of)

    run = RunFolder(tmp_path / "run")
    record = run.read_grid()
    assert code == 0
    assert [(cell.epoch, cell.prompt) for cell in record.cells] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert all((run.grid.path / cell.path).is_file() for cell in record.cells)
    assert run.grid.sheet.is_file()
    assert (record.trigger, record.seeds, record.width_px, record.steps) == ("tok", (5,), 64, 2)
    events = events_of(tmp_path / "events")
    assert [event["done"] for event in events if event["event"] == "progress" and event["phase"] == "grid"][-1] == 6
    assert events[-1]["event"] == "finished"
    assert not run.events.exists()
    assert {(one.epoch, one.weight) for one in record.scores} >= {(1, 1.0), (2, 1.0)}
    assert record.choice is not None
    assert [one.epoch for one in record.extras] == [1, 2]
    assert all(one.weight_norm for one in record.extras)


def test_where_few_pictures_do_not_tell_prompts_with_the_trigger_are_drawn_on_as_far_as_may_be(
    tmp_path: Path, request_of: GridRequest
) -> None:
    assert drawn(tmp_path, request_of.model_copy(update={"most_further": 4})) == 0

    run = RunFolder(tmp_path / "run")
    record = run.read_grid()
    assert [(cell.epoch, cell.prompt, cell.seed) for cell in record.cells] == [
        (epoch, *place) for epoch in range(3) for place in ((0, 5), (0, 6), (1, 69))
    ]
    assert record.seeds == (5,)
    assert {(one.prompt, one.seed) for one in record.picture_scores} == {(0, 5), (0, 6), (1, 69)}
    assert record.choice is not None
    assert "2 pictures with the trigger" in record.choice.reason

    before = {path.name: path.stat().st_mtime_ns for path in run.grid.pictures.iterdir()}
    assert drawn(tmp_path, request_of.model_copy(update={"most_further": 4})) == 0
    assert {path.name: path.stat().st_mtime_ns for path in run.grid.pictures.iterdir()} == before
    assert run.read_grid() == record


def test_ctrl_c_while_it_is_drawn_on_keeps_the_choice_of_the_first_pictures(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, batches = sampling.draw_batch, 0

    def broken_off(*args: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches > 4:  # the first ones of the base model and two epochs, then the base model's further one
            raise KeyboardInterrupt
        return draw(*args)

    monkeypatch.setattr(grid_module, "draw_batch", broken_off)

    assert drawn(tmp_path, request_of.model_copy(update={"most_further": 4})) == 130
    record = RunFolder(tmp_path / "run").read_grid()
    assert len(record.cells) == 6
    assert record.choice is not None


def test_the_validation_losses_of_a_run_are_kept_beside_its_epochs(tmp_path: Path, request_of: GridRequest) -> None:
    with RunFolder(tmp_path / "run").event_writer() as writer:
        for epoch, loss in ((1, 0.5), (2, 0.25)):
            writer.write(Validated(step=epoch, epoch=epoch, loss=loss))

    assert drawn(tmp_path, request_of) == 0
    assert [one.validation_loss for one in RunFolder(tmp_path / "run").read_grid().extras] == [0.5, 0.25]


def test_where_the_pictures_are_gone_no_epoch_is_chosen_and_that_is_said(
    tmp_path: Path, request_of: GridRequest
) -> None:
    config = grid_config(tmp_path, dataset__images=str(tmp_path / "gone"))

    assert drawn(tmp_path, request_of.model_copy(update={"config": config})) == 0
    (warning,) = events_of(tmp_path / "events", "warning")
    assert warning["code"] == "not_compared"
    record = RunFolder(tmp_path / "run").read_grid()
    assert (record.choice, bool(record.picture_scores)) == (None, True)


def test_a_single_loras_grid_lies_in_its_own_folder(tmp_path: Path, request_of: GridRequest) -> None:
    alone = request_of.model_copy(
        update={"folder": str(tmp_path / "alone"), "is_run": False, "loras": request_of.loras[:1]}
    )

    assert drawn(tmp_path, alone) == 0
    assert {path.name for path in (tmp_path / "alone").iterdir()} >= {"grid.json", "grid.png", "pictures"}
    record = read_grid(tmp_path / "alone" / "grid.json")
    assert (record.lora, record.choice) == (request_of.loras[0].path, None)
    assert record.lora_digest == lora_digest(Path(record.lora))
    assert record.picture_scores


def test_a_plan_for_a_card_that_is_not_there_is_refused_with_the_option_that_helps(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "usable_gpu", lambda: None)
    config = grid_config(tmp_path, memory__preset="low")

    assert drawn(tmp_path, request_of.model_copy(update={"config": config})) == 2
    assert "draw on the processor (--device cpu)" in failed(tmp_path)["message"]


def failed(folder: Path) -> dict[str, Any]:
    (event,) = events_of(folder / "events", "failed")
    return event


def test_a_lora_that_does_not_fit_ends_with_2_and_is_named(
    tmp_path: Path, request_of: GridRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.safetensors").write_bytes(b"no tensors")
    wrong = request_of.model_copy(update={"loras": (RequestedLora(epoch=1, path=str(tmp_path / "other.safetensors")),)})

    assert drawn(tmp_path, wrong) == 2
    assert failed(tmp_path)["code"] == "model"
    assert "other.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["drawing", "loading"])
def test_without_memory_it_ends_with_3_and_what_to_do(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def out_of_memory(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    place = (grid_module, "draw_batch") if where == "drawing" else (module, "load_base_model")
    monkeypatch.setattr(*place, out_of_memory)

    assert drawn(tmp_path, request_of) == 3
    assert failed(tmp_path)["code"] == "training_stopped"
    assert "close other programs" in failed(tmp_path)["message"]


def test_ctrl_c_keeps_what_is_drawn_and_the_next_start_goes_on(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = 0
    check = Interrupt.check

    def asked_after_a_while(interrupt: Interrupt) -> None:
        nonlocal checks
        checks += 1
        if checks > 10:  # two while it loads, four for each epoch's batch of two denoising steps and two pictures
            interrupt.ask()
        check(interrupt)

    monkeypatch.setattr(Interrupt, "check", asked_after_a_while)
    assert drawn(tmp_path, request_of) == 130
    assert failed(tmp_path)["code"] == "interrupted"
    run = RunFolder(tmp_path / "run")
    before = {path.name: path.stat().st_mtime_ns for path in run.grid.pictures.iterdir()}
    assert len(before) == 4
    assert run.known_grid() is None

    monkeypatch.setattr(Interrupt, "check", check)
    assert drawn(tmp_path, request_of) == 0
    after = {path.name: path.stat().st_mtime_ns for path in run.grid.pictures.iterdir()}
    assert len(after) == 6
    assert before.items() <= after.items()


def test_what_of_a_lora_is_not_applied_is_warned_of(tmp_path: Path, request_of: GridRequest) -> None:
    from safetensors.torch import load_file, save_file

    path = random_lora(tiny_sd1(), tmp_path / "more.safetensors", seed=1)
    name = "lora_unet_conv_in"
    more = {f"{name}.lora_down.weight": torch.ones(1, 4, 3, 3), f"{name}.lora_up.weight": torch.ones(32, 1, 1, 1)}
    save_file(load_file(path) | more, path)

    assert drawn(tmp_path, request_of.model_copy(update={"loras": (RequestedLora(epoch=1, path=str(path)),)})) == 0
    (warning,) = events_of(tmp_path / "events", "warning")
    assert warning["code"] == "lora_in_part"
    assert name in warning["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder that is in use")
def test_a_run_folder_that_is_moved_meanwhile_is_not_made_anew(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, loaded = tmp_path / "run", load_base_model

    def moved_while_loading(*args: Any, **options: Any) -> Any:
        run.rename(tmp_path / "elsewhere")
        return loaded(*args, **options)

    monkeypatch.setattr(module, "load_base_model", moved_while_loading)

    assert drawn(tmp_path, request_of) == 2
    assert "renamed, moved or deleted" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows moves no folder that is in use")
@pytest.mark.parametrize("is_run", [True, False])
def test_a_folder_that_is_moved_while_it_draws_gets_no_picture_at_its_old_path(
    tmp_path: Path, request_of: GridRequest, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], is_run: bool,
) -> None:  # fmt: skip
    folder, draw = tmp_path / ("run" if is_run else "alone"), sampling.draw_batch

    def moved_behind(*args: Any) -> Any:
        pictures = draw(*args)
        folder.rename(tmp_path / "elsewhere")
        return pictures

    monkeypatch.setattr(grid_module, "draw_batch", moved_behind)

    assert drawn(tmp_path, request_of.model_copy(update={"folder": str(folder), "is_run": is_run})) == 2
    assert "renamed, moved or deleted" in capsys.readouterr().err
    assert not folder.exists()
