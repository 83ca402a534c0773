from __future__ import annotations

from pathlib import Path

from templates.report.embedding import Embedded
from templates.report.pictures import BASE, Column, Row, Strip, Wall
from templates.report.walls import Marks, Shown, ShownWall, href, neighbours, shown_strips, shown_wall
from tests.support.report_runs import choice

PAGE = Path("/run/report.html")


def shown(wall: Wall, marks: Marks | None = None, *, without: tuple[str, ...] = ()) -> ShownWall:
    paths = {path for row in wall.rows for path in row.pictures.values()}
    images = {path: Embedded("data:,", 8, 8) for path in paths if path.name not in without}
    return shown_wall(wall, "p", images, page=PAGE, trigger="mira", marks=marks or Marks())


def row(prompt: str, seed: int, *epochs: int, weight: float = 1.0) -> Row:
    columns = [Column(epoch, weight) if epoch else BASE for epoch in epochs]
    return Row(prompt, seed, {one: Path(f"/run/grid/{prompt}-{seed}-{one.epoch}.png") for one in columns})


def cells(wall: ShownWall) -> list[list[Shown | None]]:
    return [list(row.cells) for group in wall.groups for row in group.rows]


def test_the_base_model_stands_in_front_and_the_chosen_epoch_is_marked() -> None:
    wall = shown(Wall("", (row("mira", 1, 0, 5, 6, 7),)), Marks(choice(), picked=5))

    assert [(head.label, head.mark) for head in wall.heads] == [
        ("base model", ""), ("epoch 5", "picked"), ("epoch 6", "chosen"), ("epoch 7", "tied"),
    ]  # fmt: skip
    assert wall.has_base


def test_of_several_weights_only_the_chosen_one_is_marked() -> None:
    both = Row("mira", 1, {Column(6, weight): Path(f"/run/{weight}.png") for weight in (0.6, 1.0)})
    wall = shown(Wall("", (both,)), Marks(choice(weight=0.6)))

    assert [(head.label, head.detail, head.mark) for head in wall.heads] == [
        ("epoch 6", "weight 0.6", "chosen"), ("epoch 6", "weight 1", ""),
    ]  # fmt: skip
    assert not wall.has_base


def test_samples_are_marked_whatever_weight_was_chosen() -> None:
    wall = shown(Wall("", (row("mira", 1, 6),)), Marks(choice(weight=0.6)))

    assert wall.heads[0].mark == "chosen"


def test_rows_of_a_prompt_stand_together_with_their_seeds() -> None:
    wall = shown(Wall("", (row("mira", 1, 1), row("smile", 1, 1), row("mira", 2, 1))))

    assert [(group.title, [one.label for one in group.rows]) for group in wall.groups] == [
        ("mira", ["seed 1", "seed 2"]), ("smile", ["seed 1"]),
    ]  # fmt: skip


def test_a_prompt_without_the_trigger_says_what_to_look_for() -> None:
    wall = shown(Wall("", (row("mira, smile", 1, 1), row("1girl", 1, 1), row("", 1, 1))))

    assert ["without the trigger" in group.hint for group in wall.groups] == [False, True, False]
    assert wall.groups[2].title == "Without a prompt"


def test_pictures_lead_to_their_neighbours_past_gaps() -> None:
    wall = shown(Wall("", (row("a", 1, 0, 1, 2), row("b", 1, 0, 2))), without=("a-1-1.png",))

    (first, unreadable, third), (below, gap, last) = cells(wall)
    assert first is not None
    assert unreadable is not None
    assert third is not None
    assert below is not None
    assert last is not None
    assert gap is None
    assert unreadable.image is None
    assert first.near == {"right": third.id, "down": below.id}
    assert last.near == {"left": below.id, "up": third.id}


def test_every_picture_says_in_words_what_it_is() -> None:
    ((found,),) = cells(shown(Wall("", (row("mira", 7, 3),))))

    assert found is not None
    assert found.alt == "epoch 3, seed 7: mira"
    assert found.href == "grid/mira-7-3.png"


def test_strips_have_no_heads() -> None:
    strips = [Strip("after", (("01", Path("/run/samples/after/01.png")),))]

    wall = shown_strips(strips, "s", {}, page=PAGE)

    assert wall.heads == ()
    ((found,),) = cells(wall)
    assert found is not None
    assert (found.alt, found.caption, found.image) == ("after 01", "01", None)


def test_addresses_are_relative_to_the_page_and_whole_whatever_the_name() -> None:
    assert href(Path("/run/model/a b#ü.png"), PAGE) == "model/a%20b%23%C3%BC.png"
    assert href(Path("/other/a.png"), PAGE) == "../other/a.png"


def test_rows_of_other_lengths_are_passed() -> None:
    assert neighbours([["a"], ["b", "c"]], 1, 1) == {"left": "b"}
