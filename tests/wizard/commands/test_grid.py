from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from advisor.choosing.cells import Cell
from advisor.choosing.others import AS_SENTENCES
from advisor.errors import LoraError, RunError
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.grids.grid_record import GridRecord, write_grid
from advisor.run_folder.grids.grid_request import GridRequest
from advisor.run_folder.grids.picks_file import PickedSide, PickLine, append_pick
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import RunInUse, writing
from advisor.tensor_files.digests import lora_digest
from tests.support.grids import epoch_loras, grid_config, random_lora
from tests.support.pictures import make_pictures
from tests.support.report_runs import choice
from tests.support.report_runs import write_grid as write_pictures
from tests.support.runs import write_toml
from tests.support.scripted import ScriptedAsk
from tests.support.tiny import tiny_sd1, tiny_sdxl_checkpoint
from wizard.commands import grid as command
from wizard.commands.grid import grid, own_folder, refuse_other_files
from wizard.interview.drawing.grid_options import GridOptions

PATH = f"pictures/{'0' * 64}.png"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    write_toml(folder / "loracle.toml", grid_config(tmp_path))
    epoch_loras(tiny_sd1(), folder / "model", (1, 2, 3))
    return folder


Requests = list[GridRequest]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What would be drawn; nothing is."""
    asked = Requests()

    def stand_in(request: GridRequest, *_: Any, **__: Any) -> GridRecord:
        asked.append(request)
        record = GridRecord(model=request.config.model.path, prompts=request.prompts, cells=(Cell(0, 0.0, 0, 1, PATH),))
        write_grid(request.paths.record, record)
        return record

    monkeypatch.setattr(command, "run_grid", stand_in)
    return asked


def test_a_runs_epochs_are_really_drawn_and_told_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run.parent / "prompts.txt").write_text("tok, hat\n", "utf-8")
    options = GridOptions(epochs="2,3", prompts="prompts.txt", seeds=1)

    grid("run", options, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert [(cell["epoch"], cell["weight"]) for cell in found["cells"]] == [(0, 0.0), (2, 1.0), (3, 1.0)]
    assert (found["prompts"], found["seeds"], found["lora"]) == (["tok, hat"], [42], None)
    assert all((Path(found["folder"]) / cell["path"]).is_file() for cell in found["cells"])
    assert {path.name for path in (run / "grid").iterdir()} == {"grid.json", "grid.png", "pictures"}
    assert not (run / "log" / "events.jsonl").exists()


def test_without_options_all_epochs_are_drawn_at_weight_1_with_proposed_prompts(run: Path, requests: Requests) -> None:
    grid("run", GridOptions())

    (request,) = requests
    assert [lora.epoch for lora in request.loras] == [1, 2, 3]
    assert (request.weights, request.seeds) == ((1.0,), (42, 43, 44, 45))
    assert sum("tok" in prompt for prompt in request.prompts) == 3
    assert len(request.prompts) == 6
    assert request.prompts[4:] == AS_SENTENCES


def test_a_grid_of_as_many_seeds_as_it_likes_may_be_drawn_on_and_one_of_so_many_not(
    run: Path, requests: Requests, capsys: pytest.CaptureFixture[str]
) -> None:
    grid("run", GridOptions())
    grid("run", GridOptions(seeds=4))

    assert [request.most_further for request in requests] == [96, 0]
    assert capsys.readouterr().out.replace("\n", " ").count("Up to 96 more pictures from further seeds") == 1


def test_the_runs_own_prompts_come_before_proposed_ones(tmp_path: Path, run: Path, requests: Requests) -> None:
    write_toml(run / "loracle.toml", grid_config(tmp_path, sampling__prompts=("tok at sea",)))

    grid("run", GridOptions())

    assert requests[0].prompts == ("tok at sea", *AS_SENTENCES)


def test_where_the_pictures_are_gone_the_trigger_is_asked_for(tmp_path: Path, run: Path, requests: Requests) -> None:
    write_toml(run / "loracle.toml", grid_config(tmp_path, dataset__images=str(tmp_path / "gone")))

    grid("run", GridOptions())

    assert requests[0].prompts[0].startswith("tok")


def test_a_single_lora_is_drawn_into_a_folder_of_its_own(
    tmp_path: Path, requests: Requests, capsys: pytest.CaptureFixture[str]
) -> None:
    config = grid_config(tmp_path)
    random_lora(tiny_sd1(), tmp_path / "mia.safetensors", seed=1)
    (tmp_path / "prompts.txt").write_text("mia\n", "utf-8")

    grid("mia.safetensors", GridOptions(model=config.model.path, prompts="prompts.txt", weights="0.6,1", seeds=2))

    (request,) = requests
    assert (request.is_run, request.folder) == (False, str(tmp_path / "mia-grid"))
    assert [(lora.epoch, lora.path) for lora in request.loras] == [(1, str(tmp_path / "mia.safetensors"))]
    assert str(tmp_path / "mia-grid" / "grid.png") in capsys.readouterr().out.replace("\n", "")
    grid("mia.safetensors", GridOptions(model=config.model.path, prompts="prompts.txt"))
    assert len(requests) == 2


Make = Callable[[Path], GridOptions]


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("run", GridOptions(epochs="2,7"), "there is no LoRA of epoch 7; there are those of 1, 2, 3"),
        ("run", GridOptions(model="x"), "--model is 'x': it is for a single LoRA's file"),
        ("run", GridOptions(out="x"), "--out is 'x': it is for a single LoRA's file"),
        ("gone", GridOptions(), "gone does not exist"),
        ("gone.safetensors", GridOptions(), r"gone\.safetensors"),
        ("mia.safetensors", GridOptions(), "--model is None: name the base model to draw mia.safetensors with"),
        ("mia.safetensors", GridOptions(model="sdxl"), "is sdxl: name a base model of the LoRA's family"),
        ("mia.safetensors", GridOptions(model="sd1", epochs="3"), "is a single LoRA: leave it out"),
        ("mia.safetensors", GridOptions(model="sd1"), "does not tell its trigger word: write prompts into a file"),
        ("mia.safetensors", GridOptions(model="sd1", out="run"), r"run holds .*none of a grid's files: choose another"),
        ("tiny-sd1.safetensors", GridOptions(model="sd1"), "is no LoRA but of the kind checkpoint"),
    ],
)
def test_bad_input_is_refused_with_what_to_do_and_leaves_nothing(
    tmp_path: Path, run: Path, requests: Requests, target: str, options: GridOptions, message: str
) -> None:
    models = {"sd1": tmp_path / "tiny-sd1.safetensors", "sdxl": tmp_path / "tiny-sdxl.safetensors"}
    random_lora(tiny_sd1(), tmp_path / "mia.safetensors", seed=1)
    if options.model == "sdxl":
        tiny_sdxl_checkpoint(tmp_path)
    if options.model in models:
        options = GridOptions(**vars(options) | {"model": str(models[options.model])})
    before = sorted(tmp_path.iterdir())

    with pytest.raises(LoraError, match=message):
        grid(target, options)

    assert requests == []
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_whose_pictures_are_the_users_becomes_no_grid(tmp_path: Path, run: Path, requests: Requests) -> None:
    random_lora(tiny_sd1(), tmp_path / "mia.safetensors", seed=1)
    (picture,) = make_pictures(tmp_path / "project" / "pictures", 1, captions=False)
    options = GridOptions(model=str(tmp_path / "tiny-sd1.safetensors"), out="project")

    with pytest.raises(LoraError, match=r"holds pictures/picture-001\.png, which is none of a grid's files"):
        grid("mia.safetensors", options)

    assert requests == []
    assert list(picture.parent.iterdir()) == [picture]


def test_a_run_without_loras_is_to_be_trained_first(run: Path, requests: Requests) -> None:
    for lora in (run / "model").iterdir():
        lora.unlink()

    with pytest.raises(RunError, match="has no LoRAs of epochs yet to draw with: train it first"):
        grid("run", GridOptions())


def test_a_run_that_trains_is_left_alone(run: Path, requests: Requests) -> None:
    with writing(RunFolder(run), "loracle train", print), pytest.raises(RunInUse, match="loracle train"):
        grid("run", GridOptions())

    assert requests == []


def test_what_takes_long_is_asked_about_first(run: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = ScriptedAsk("no")
    monkeypatch.setattr(command, "TerminalAsk", lambda: asks)
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr(command, "LONG_SECONDS", 1)

    with pytest.raises(LoraError, match=r"Nothing was drawn\."):
        grid("run", GridOptions())

    assert asks.asked[0].text.startswith("Draw for about ")
    assert requests == []


def test_ctrl_c_says_that_the_pictures_are_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wizard.processes.grid_job as job

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt("Training was interrupted before a step was taken")

    monkeypatch.setattr(job, "run_trainer", interrupted)

    with pytest.raises(KeyboardInterrupt, match="the pictures that were drawn are kept, and the same command goes on"):
        grid("run", GridOptions())


@pytest.fixture
def sat(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sittings of blind picks, by what they were about; in each the first LoRA loses twice to the second."""
    found = list[str]()

    def stand_in(paths: GridPaths, record: GridRecord, name: str, _: object) -> None:
        found.append(name)
        first, second = (next(cell for cell in record.cells if cell.epoch == epoch) for epoch in (1, 2))
        for _ in range(2):
            line = PickLine(left=PickedSide.of(first), right=PickedSide.of(second), picked="right")
            append_pick(paths.picks, line)

    monkeypatch.setattr(command, "sit", stand_in)
    return found


def test_a_grid_that_is_there_is_voted_on_without_drawing_and_told_beside_the_choice(
    run: Path, requests: Requests, sat: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(run, epochs=2, prompts=("mira",), chosen=choice(epoch=1, tied=()))

    grid("run", GridOptions(), vote=True)

    told = " ".join(capsys.readouterr().out.split())
    assert (requests, sat) == ([], ["run"])
    assert "By 2 blind picks you like epoch 2 best" in told
    assert "Measured, it is epoch 1" in told or "do not tell from it" in told


def test_picks_are_in_the_document_of_every_later_call(
    run: Path, requests: Requests, sat: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(run, epochs=2, prompts=("mira",))

    grid("run", GridOptions(), vote=True, as_json=True)

    picks = json.loads(capsys.readouterr().out)["picks"]
    assert (picks["number"], picks["favourite"], picks["damaged_lines"]) == (2, {"epoch": 2, "weight": 1.0}, 0)
    assert [(one["epoch"], one["picks"]) for one in picks["standings"]] == [(2, 2), (1, 2)]


def test_what_is_not_there_or_asked_for_otherwise_is_drawn_before(
    run: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "sit", lambda *_: None)

    grid("run", GridOptions(), vote=True)
    assert len(requests) == 1
    grid("run", GridOptions(), vote=True)
    assert len(requests) == 1
    grid("run", GridOptions(epochs="1,2"), vote=True)
    assert len(requests) == 2


def test_a_grid_without_picks_has_none_in_its_document(
    run: Path, requests: Requests, capsys: pytest.CaptureFixture[str]
) -> None:
    grid("run", GridOptions(), as_json=True)

    assert json.loads(capsys.readouterr().out)["picks"] is None


def test_each_lora_of_one_name_has_a_grid_of_its_own(tmp_path: Path) -> None:
    loras = [tmp_path / place / "tok.safetensors" for place in ("one", "two", "three")]
    for lora in loras[:2]:
        lora.parent.mkdir()
        lora.write_bytes(b"")
    for name, lora in zip(("tok-grid", "tok-grid-2"), loras[1:], strict=True):
        (tmp_path / name).mkdir()
        write_grid(tmp_path / name / "grid.json", GridRecord(lora=str(lora)))

    found = [own_folder(lora, tmp_path).name for lora in loras]

    assert found == ["tok-grid-2", "tok-grid", "tok-grid-2"], "a grid whose LoRA is gone is nobody else's"

    (tmp_path / "tok-grid-2" / "picks.jsonl").write_text("", "utf-8")
    assert own_folder(loras[0], tmp_path).name == "tok-grid-3", "but one that was picked in stays"


def test_picks_in_the_grid_of_a_lora_in_whose_place_another_lies_stay_theirs(tmp_path: Path) -> None:
    lora = tmp_path / "tok.safetensors"
    save_file({"a.alpha": torch.tensor(1.0)}, lora)
    (tmp_path / "tok-grid").mkdir()
    write_grid(tmp_path / "tok-grid" / "grid.json", GridRecord(lora=str(lora), lora_digest=lora_digest(lora)))
    (tmp_path / "tok-grid" / "picks.jsonl").write_text("", "utf-8")
    assert own_folder(lora, tmp_path).name == "tok-grid"
    save_file({"a.alpha": torch.tensor(2.0)}, lora)

    assert own_folder(lora, tmp_path).name == "tok-grid-2"


@pytest.mark.parametrize("out", [None, "tok-grid"])
def test_no_pictures_of_another_lora_are_voted_on(
    tmp_path: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch, out: str | None
) -> None:
    sittings = list[str]()
    monkeypatch.setattr(command, "sit", lambda _paths, _record, name, _check: sittings.append(name))
    lora, config = tmp_path / "tok.safetensors", grid_config(tmp_path)
    random_lora(tiny_sd1(), lora, seed=1)
    (tmp_path / "tok-grid").mkdir()
    write_grid(tmp_path / "tok-grid" / "grid.json", GridRecord(lora=str(lora), lora_digest=lora_digest(lora)))
    (tmp_path / "prompts.txt").write_text("tok\n", "utf-8")
    grid(str(lora), GridOptions(out=out), vote=True)
    assert (requests, sittings) == ([], ["tok"])
    random_lora(tiny_sd1(), lora, seed=2)

    with pytest.raises(LoraError, match="--model"):
        grid(str(lora), GridOptions(out=out), vote=True)

    grid(str(lora), GridOptions(out=out, model=config.model.path, prompts="prompts.txt"), vote=True)
    assert (len(requests), len(sittings)) == (1, 2)


def test_where_the_user_picked_between_pictures_of_another_lora_nothing_is_drawn(
    tmp_path: Path, requests: Requests
) -> None:
    lora, other, config = tmp_path / "tok.safetensors", tmp_path / "mia.safetensors", grid_config(tmp_path)
    for seed, path in enumerate((lora, other)):
        random_lora(tiny_sd1(), path, seed=seed)
    (tmp_path / "mine").mkdir()
    write_grid(tmp_path / "mine" / "grid.json", GridRecord(lora=str(lora), lora_digest=lora_digest(lora)))
    (tmp_path / "mine" / "picks.jsonl").write_text("", "utf-8")

    with pytest.raises(RunError, match=r"mine has pictures of another LoRA that you picked between: .*--out"):
        grid(str(other), GridOptions(out="mine", model=config.model.path))

    assert requests == []


def test_picks_of_pictures_that_are_gone_are_told(
    run: Path, sat: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(run, epochs=2, prompts=("mira",))
    grid("run", GridOptions(), vote=True)
    assert "no longer has" not in capsys.readouterr().err
    write_pictures(run, epochs=2, prompts=("mira, smile",), seeds=(9,))

    grid("run", GridOptions(), vote=True)

    assert "2 picks of pictures that this grid no longer has" in " ".join(capsys.readouterr().err.split())


def test_what_a_grid_kept_beside_its_own_files_is_no_strangers(tmp_path: Path) -> None:
    for name in ("grid.json", "grid.png", "grid.png.bak", "grid.png.bak2", "picks.jsonl"):
        (tmp_path / "tok-grid").mkdir(exist_ok=True)
        (tmp_path / "tok-grid" / name).touch()
    refuse_other_files(tmp_path / "tok-grid")

    (tmp_path / "tok-grid" / "mine.png.bak").touch()
    with pytest.raises(RunError, match=r"mine\.png\.bak, which is none of a grid's files"):
        refuse_other_files(tmp_path / "tok-grid")
