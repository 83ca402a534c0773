from __future__ import annotations

from pathlib import Path

from PIL import Image

from advisor.run_folder.events import SampleDrawn
from advisor.run_folder.layout import RunFolder
from templates.native.report_samples import MOST_IMAGES, ImageRow, Picture, sample_rows, thinned


def draw(run: Path, *names: str) -> None:
    for name in names:
        path = run / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)


def shown(rows: tuple[ImageRow, ...]) -> list[tuple[str, list[str]]]:
    return [(row.title, [picture.caption for picture in row.pictures]) for row in rows]


def event(name: str, prompt: str, epoch: int, seed: int = 0) -> SampleDrawn:
    return SampleDrawn(path=f"samples/{name}", prompt=prompt, epoch=epoch, seed=seed)


def test_each_prompt_has_a_row_from_its_first_epoch_to_its_last(tmp_path: Path) -> None:
    draw(tmp_path, "m-1-0.png", "m-1-1.png", "m-2-0.png", "m-2-1.png")
    events = [
        event("m-2-0.png", "smile", 2), event("m-2-1.png", "run", 2),
        event("m-1-0.png", "smile", 1), event("m-1-1.png", "run", 1),
    ]  # fmt: skip

    assert shown(sample_rows(RunFolder(tmp_path), events)) == [
        ("smile", ["epoch 1", "epoch 2"]),
        ("run", ["epoch 1", "epoch 2"]),
    ]


def test_a_prompt_that_is_drawn_from_several_seeds_has_a_row_for_each(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")

    rows = sample_rows(RunFolder(tmp_path), [event("a.png", "smile", 1, 7), event("b.png", "smile", 1, 8)])
    assert shown(rows) == [("smile (seed 7)", ["epoch 1"]), ("smile (seed 8)", ["epoch 1"])]


def test_an_image_that_was_drawn_again_is_shown_once_and_one_that_is_gone_not_at_all(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    events = [event("a.png", "smile", 1), event("a.png", "smile", 1), event("gone.png", "smile", 2)]

    assert shown(sample_rows(RunFolder(tmp_path), events)) == [("smile", ["epoch 1"])]


def test_an_event_shows_no_file_from_elsewhere(tmp_path: Path) -> None:
    draw(tmp_path / "run", "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    events = [
        SampleDrawn(path=path) for path in ("../secret.png", str(tmp_path / "secret.png"), "samples/../../secret.png")
    ]

    assert [one.path.name for row in sample_rows(RunFolder(tmp_path / "run"), events) for one in row.pictures] == [
        "a.png"
    ]


def test_images_that_no_event_tells_of_stand_in_rows_by_their_folder(tmp_path: Path) -> None:
    draw(tmp_path, "b_c/2.png", "b_c/1.png", "a/1.png", "x.png")

    assert shown(sample_rows(RunFolder(tmp_path), [])) == [("", ["x"]), ("a", ["1"]), ("b c", ["1", "2"])]


def test_of_many_images_the_first_and_the_last_of_each_row_stay() -> None:
    row = ImageRow("smile", tuple(Picture(Path(f"{n}.png"), f"epoch {n}") for n in range(1, 201)))

    found = thinned([row, row])

    assert [len(one.pictures) for one in found] == [MOST_IMAGES // 2] * 2
    assert (found[0].pictures[0].caption, found[0].pictures[-1].caption) == ("epoch 1", "epoch 200")


def test_few_images_stay_as_they_are() -> None:
    row = ImageRow("smile", (Picture(Path("1.png"), "epoch 1"),))

    assert thinned([row]) == (row,)
