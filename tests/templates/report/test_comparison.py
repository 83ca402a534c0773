from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import UsersFiles
from templates.report.comparison import MOST_RUNS, compared_wall, write_comparison
from templates.report.told import Told
from templates.report.walls import ShownWall
from tests.support.report_runs import choice, write_grid, write_trained_run

SCRIPT = "<script>alert(1)</script>"


def run(
    folder: Path, *, prompts: tuple[str, ...] = ("mira, smile", "1girl"), epoch: int = 2, **given: Any
) -> RunFolder:
    write_trained_run(folder, **given)
    write_grid(folder, epochs=3, prompts=prompts, seeds=(1,), chosen=choice(epoch=epoch, tied=()))
    return RunFolder(folder)


def wall(*runs: RunFolder) -> ShownWall | None:
    return compared_wall([Told.of(one) for one in runs], runs[0].comparison)


def test_the_chosen_epochs_of_the_same_prompts_stand_beside_each_other(tmp_path: Path) -> None:
    found = wall(run(tmp_path / "a"), run(tmp_path / "b", epoch=3, prompts=("1girl", "mira, smile", "hat")))

    assert found is not None
    assert [(head.label, head.detail) for head in found.heads] == [
        ("base model", ""), ("a", "epoch 2, chosen"), ("b", "epoch 3, chosen"),
    ]  # fmt: skip
    assert [group.title for group in found.groups] == ["mira, smile", "1girl"]
    assert all(cell is not None for group in found.groups for row in group.rows for cell in row.cells)
    assert found.groups[0].rows[0].cells[2].href.startswith("../b/grid/pictures/")  # type: ignore[union-attr]


def test_runs_of_other_base_models_have_a_base_each(tmp_path: Path) -> None:
    other = run(tmp_path / "b")
    plan = json.loads(other.plan.read_text("utf-8"))
    plan["model"]["path"] = "/models/other.safetensors"
    other.plan.write_text(json.dumps(plan), "utf-8")

    found = wall(run(tmp_path / "a"), other)

    assert found is not None
    assert [(head.label, head.detail) for head in found.heads] == [
        ("base model", "a"), ("a", "epoch 2, chosen"), ("base model", "b"), ("b", "epoch 2, chosen"),
    ]  # fmt: skip


def test_without_a_choice_the_last_epochs_stand_there(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_trained_run(tmp_path / name)
        (tmp_path / name / "samples").mkdir()
        with (tmp_path / name / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
            for epoch in (1, 2):
                Image.new("RGB", (8, 8)).save(tmp_path / name / "samples" / f"{epoch}.png")
                file.write(
                    json.dumps({"event": "sample", "path": f"samples/{epoch}.png", "prompt": "x", "epoch": epoch})
                    + "\n"
                )

    found = wall(RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b"))

    assert found is not None
    assert [(head.label, head.detail) for head in found.heads] == [("a", "epoch 2"), ("b", "epoch 2")]


def test_runs_without_a_prompt_in_common_show_no_pictures(tmp_path: Path) -> None:
    assert wall(run(tmp_path / "a", prompts=("x",)), run(tmp_path / "b", prompts=("y",))) is None
    assert wall(RunFolder(write_trained_run(tmp_path / "c")), RunFolder(write_trained_run(tmp_path / "d"))) is None


def test_the_page_lies_in_the_first_run_and_tells_what_differs(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b", settings={"network.rank": 16})]

    path = write_comparison(runs)

    page = path.read_text("utf-8")
    assert path == tmp_path / "a" / "comparison.html"
    assert page.startswith("<!doctype html>\n")
    assert "network.rank" in page
    assert "network.kind" not in page
    assert "Take epoch 2" in page
    assert "its own report" not in page


def test_it_lies_where_the_user_says_and_links_reports_from_there(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b")]
    (tmp_path / "b" / "report.html").write_text("x")

    page = write_comparison(runs, page=tmp_path / "pages" / "both.html")

    assert page == tmp_path / "pages" / "both.html"
    assert '<a href="../b/report.html">its own report</a>' in page.read_text("utf-8")


def test_it_is_written_again_but_not_over_a_page_of_the_users(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a"), run(tmp_path / "b")]
    page = write_comparison(runs)
    write_comparison(runs)
    page.write_text("my own")

    with pytest.raises(UsersFiles, match=r"comparison\.html is not as Loracle wrote it"):
        write_comparison(runs)
    write_comparison(runs, overwrite=True)
    assert (tmp_path / "a" / "comparison.html.bak").read_text() == "my own"


def test_words_of_runs_are_escaped(tmp_path: Path) -> None:
    runs = [run(tmp_path / name, prompts=(SCRIPT,)) for name in ("a", "b")]
    for one in runs:
        plan = one.plan.read_text("utf-8").replace('"mira"', json.dumps(SCRIPT + one.path.name))
        one.plan.write_text(plan, "utf-8")

    page = write_comparison(runs).read_text("utf-8")

    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;") > 3


def test_a_run_is_compared_with_others_and_not_with_too_many(tmp_path: Path) -> None:
    one = run(tmp_path / "a")

    with pytest.raises(RunError, match="given twice"):
        write_comparison([one, RunFolder(tmp_path / "b" / ".." / "a")])
    with pytest.raises(RunError, match="too many"):
        write_comparison([RunFolder(tmp_path / str(number)) for number in range(MOST_RUNS + 1)])
    with pytest.raises(RunError, match=r"no plan\.json"):
        write_comparison([one, RunFolder(tmp_path)])
