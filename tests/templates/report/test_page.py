from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.choosing.picks import Picked
from advisor.errors import RunError
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.rules.sources import BY_TITLE, TUTORIAL
from advisor.run_folder.events import LoraSaved, RungTaken
from advisor.run_folder.grids.picks_file import PickedSide, PickLine, append_pick
from advisor.run_folder.layout import RunFolder
from templates.render import render
from templates.report.page import Score, write_report
from templates.report.results import ladder_rows, lora_links
from tests.support.factories import make_facts
from tests.support.report_runs import choice, write_grid, write_trained_run

EMPTY: dict[str, Any] = {
    "style": "", "script": "", "policy": "", "name": "mira", "trigger": "", "note": "", "hint": "", "facts": [],
    "failed": None, "scores": [], "choice": None, "picks": "", "score_view": None, "walls": [], "charts": [],
    "loss_sentences": [], "resources": [], "ladder": [], "warnings": [], "damaged_lines": 0,
    "events_file": "log/events.jsonl", "data_set": None, "usage": None, "loras": [], "decisions": [],
    "main_decisions": [], "sources": [],
}  # fmt: skip
"""What the page is made from, of a run that nothing is known of."""


def make_run(folder: Path, *, trigger: str = "mira") -> Path:
    facts = make_facts(trigger=trigger)
    (folder / "log").mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(plan_document(facts, make_plan(facts))), "utf-8")
    events = [
        *({"event": "step", "step": step, "loss": 1 / step} for step in range(1, 21)),
        {"event": "saved", "path": "model/mira-000001.safetensors", "step": 20, "epoch": 1},
        {"event": "warning", "code": "x", "message": "two pictures <are> missing"},
        {"event": "finished", "steps": 20, "seconds": 12.5},
    ]
    (folder / "log" / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", "utf-8")
    return folder


def test_the_page_tells_the_settings_with_their_reasons_and_what_came_out(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    page = write_report(RunFolder(run), scores=[Score("Identity", 0.1, 0.9, "how much")]).read_text("utf-8")

    assert "network.rank" in page
    assert "holds a face and a costume" in page
    assert "mira-000001.safetensors" in page
    assert "0.10" in page
    assert "0.90" in page
    assert "<polyline" in page


def test_a_warning_that_each_start_gives_again_stands_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    document = json.loads((run / "plan.json").read_text("utf-8"))
    document["warnings"] = [{"code": "x", "message": "one picture is cropped"}]
    (run / "plan.json").write_text(json.dumps(document), "utf-8")
    texts = ["two pictures <are> missing", "one picture is cropped"]
    events = [{"event": "warning", "code": "x", "message": text} for text in texts]
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert all(page.count(escape(text)) == 1 for text in texts)


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "samples" / "after").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(run / "samples" / "after" / "01.png")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert 'src="data:image/webp;base64,' in page
    assert 'src="http' not in page
    assert "<script src" not in page
    assert "<link" not in page


def test_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    page = write_report(RunFolder(make_run(tmp_path, trigger="<script>alert(1)</script>"))).read_text("utf-8")

    assert page.count("<script") == 1
    assert "alert(1)" in page
    assert "two pictures &lt;are&gt; missing" in page


def test_damaged_lines_of_the_events_are_counted_on_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert "damaged" not in write_report(RunFolder(run)).read_text("utf-8")

    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "st')

    assert "1 damaged line of <code>log/events.jsonl</code> passed over." in write_report(RunFolder(run)).read_text(
        "utf-8"
    )


def test_a_plan_that_is_damaged_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "plan.json").write_text('{"decisions": 5}', "utf-8")

    with pytest.raises(RunError, match=r"plan\.json is damaged \(decisions: .*: plan the run again"):
        write_report(RunFolder(run))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no plan\.json to read"):
        write_report(RunFolder(tmp_path))


RUNG = {
    "event": "ladder", "rung": "checkpointing", "step": 7, "cause": "Out of memory at step 7. <Others> took 2 GiB.",
    "from": {"memory.gradient_checkpointing": False}, "to": {"memory.gradient_checkpointing": True},
    "message": "checkpointing on: saves 3 GiB; slower", "saved_bytes": 3 * 2**30, "price": "69 % slower",
}  # fmt: skip


def test_each_rung_of_the_ladder_is_told_with_when_what_saving_and_price(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    for decision in plan["decisions"]:
        if decision["path"] == "memory.gradient_checkpointing":
            decision.update(value=True, planned=False, origin="ladder")
    (run / "plan.json").write_text(json.dumps(plan), "utf-8")
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(RUNG) + "\n")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert "Where memory ran out" in page
    assert "Out of memory at step 7. &lt;Others&gt; took 2 GiB." in page
    assert "memory.gradient_checkpointing: off \u2192 on" in page
    assert "about 3.0 GiB" in page
    assert "69 % slower" in page
    assert "on (planned: off)" in page


def test_a_rung_of_an_older_run_is_told_by_its_message() -> None:
    (row,) = ladder_rows([RungTaken(rung="x", before={}, after={"batch_parts": 2}, message="halved")])

    assert (row.step, row.changes, row.saved, row.price) == (0, ("batch_parts: none \u2192 2",), "", "halved")


def test_where_memory_never_ran_out_no_ladder_is_spoken_of(tmp_path: Path) -> None:
    assert "Where memory ran out" not in write_report(RunFolder(make_run(tmp_path))).read_text("utf-8")


def links(run: Path, *saved: str) -> list[tuple[str, str]]:
    """Name and link of each LoRA on the page, where the events tell of these files."""
    events = [LoraSaved(path=path, step=20, epoch=1) for path in saved]
    return [(link.name, link.href) for link in lora_links(RunFolder(run), events, run / "report.html")]


def test_each_lora_is_a_link_to_its_file_with_when_it_was_saved_and_how_big_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "model").mkdir()
    (run / "model" / "mira-000001.safetensors").write_bytes(b"x" * 3 * 2**20)

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert '<a href="model/mira-000001.safetensors"><code>mira-000001.safetensors</code></a>' in page
    assert "epoch 1, step 20, 3.0 MiB" in page


def test_a_name_with_all_that_names_can_have_is_still_a_link(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mi ra#?ü.safetensors").write_bytes(b"")

    (found,) = links(tmp_path, "model/mi ra#?ü.safetensors")
    assert found[1] == "model/mi%20ra%23%3F%C3%BC.safetensors"


@pytest.mark.parametrize(
    "path", ["../secret", "model/../../secret", "/etc/passwd", "javascript:alert(1)", "http://x/y", "a\0b", "x" * 5000]
)
def test_what_is_not_in_the_folder_of_loras_is_no_link(tmp_path: Path, path: str) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "secret").write_text("")

    (found,) = links(tmp_path / "run", path)
    assert found[1] == ""


def test_samples_stand_below_their_prompt_in_the_column_of_their_epoch(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "samples").mkdir()
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        for epoch in (0, 3):
            Image.new("RGB", (8, 8), "red").save(run / "samples" / f"mira-{epoch:06d}-00.png")
            event = {"event": "sample", "path": f"samples/mira-{epoch:06d}-00.png", "prompt": "mira, <smile>"}
            file.write(json.dumps({**event, "epoch": epoch}) + "\n")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert "<div>mira, &lt;smile&gt;</div>" in page
    assert page.index("<span>base model</span>") < page.index("<span>epoch 3</span>")
    assert 'alt="epoch 3, seed 0: mira, &lt;smile&gt;"' in page
    assert '<a href="samples/mira-000003-00.png">the file itself</a>' in page


def test_the_curve_has_axes_epochs_and_an_honest_sentence(tmp_path: Path) -> None:
    page = write_report(RunFolder(make_run(tmp_path))).read_text("utf-8")

    assert page.count('<span style="top: ') >= 2
    assert page.count('<span style="left: ') >= 2
    assert "over the first 2 steps" in page
    assert "down to" not in page


SCRIPT = "<script>alert(1)</script>"


def strings_replaced(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            key: value if key in ("event", "origin", "vendor") else strings_replaced(value)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [strings_replaced(value) for value in found]
    return SCRIPT if isinstance(found, str) else found


def test_every_value_on_the_page_is_escaped(tmp_path: Path) -> None:
    """The steps of a `finished` event were not."""
    run = make_run(tmp_path)
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    plan["decisions"][0] |= {"origin": "ladder", "planned": SCRIPT}
    (run / "plan.json").write_text(json.dumps(strings_replaced(plan)), "utf-8")
    events = [
        {"event": "saved", "path": SCRIPT, "step": 20, "epoch": 1},
        {"event": "warning", "code": "x", "message": SCRIPT},
        {"event": "ladder", "step": 3, "cause": SCRIPT, "from": {"a": SCRIPT, "b": 1}, "to": {"a": SCRIPT, "b": 2},
         "price": SCRIPT, "message": SCRIPT},
    ]  # fmt: skip
    (run / "log" / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", "utf-8")
    write_grid(run, epochs=2, prompts=(SCRIPT,), chosen=choice(epoch=2, reason=SCRIPT, tied=()))
    line = {"path": SCRIPT, "caption": f"{SCRIPT}, {SCRIPT}"}
    (run / "images").mkdir()
    (run / "images" / "manifest.jsonl").write_text(json.dumps(line), "utf-8")

    page = write_report(
        RunFolder(run), note=SCRIPT, hint=SCRIPT, scores=[Score(SCRIPT, 0.1, 0.9, SCRIPT)]
    ).read_text("utf-8")  # fmt: skip

    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;") > 20
    assert "a: &lt;script" in page
    assert "<br>b: 1" in page


def test_the_page_allows_itself_its_own_script_styles_and_pictures_and_nothing_else(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "samples").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(run / "samples" / "01.png")
    page = _Page()
    page.feed(write_report(RunFolder(run)).read_text("utf-8"))

    (policy,) = page.policies
    (script,) = page.scripts
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert dict(rule.split(" ", 1) for rule in policy.split("; ")) == {
        "default-src": "'none'", "script-src": f"'sha256-{digest}'", "style-src": "'unsafe-inline'",
        "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert page.sources
    assert all(source.startswith("data:image/webp;base64,") for source in page.sources)
    outward = {link for link in page.links if not link.startswith("#")}
    assert "samples/01.png" in outward
    assert outward - {"samples/01.png"} <= {one.url for one in BY_TITLE.values() if one.url.startswith("https://")}
    assert page.tags.isdisjoint({"link", "iframe", "object", "embed", "form", "base", "audio", "video"})
    assert page.first == "meta"
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids


class _Page(HTMLParser):
    """What of a page a policy is about."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.scripts: list[str] = []
        self.first = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids |= {str(found["id"])} if "id" in found else set()
        self.scripts += [""] if tag == "script" else []
        self.first = self.first or ("" if tag == "html" else tag)
        if found.get("http-equiv") == "Content-Security-Policy":
            assert self.tags == {"html", "meta"}, "it counts for what comes after it"
            self.policies.append(str(found["content"]))
        self.sources += [str(found[name]) for name in ("src", "srcset") if name in found]
        self.links += [str(found["href"])] if "href" in found else []
        assert not [name for name in found if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and not data.isspace():
            self.scripts[-1] += data


def test_reasons_have_their_sources_linked_and_a_strangers_address_is_not(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    plan["decisions"][0]["source"] = {"title": "A better guide", "url": "https://example.org/trap", "says": "x"}
    plan["decisions"][1]["source"]["url"] = "https://example.org/trap"
    (run / "plan.json").write_text(json.dumps(plan), "utf-8")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert f'<a rel="noreferrer" href="{TUTORIAL.url}">{TUTORIAL.title}</a>' in page
    assert "rank 32, 64 or 128 by pictures" in page
    assert "A better guide" in page
    assert "example.org" not in page


def test_letters_that_hide_or_reorder_others_are_escaped_in_the_page() -> None:
    page = render("report/files/report.html.j2", **{**EMPTY, "name": "mi\u202era", "warnings": ["<b>\u200b\x1b"]})

    assert not set(page) & set("\u202e\u200b\x1b")
    assert r"mi\u202era" in page
    assert r"&lt;b&gt;\u200b\x1b" in page


def test_all_that_is_known_of_a_run_has_its_place(tmp_path: Path) -> None:
    run = write_trained_run(tmp_path / "run")
    write_grid(run, chosen=choice())

    page = write_report(RunFolder(run)).read_text("utf-8")

    places = [page.index(f'<section id="{name}">') for name in (
        "pictures", "choice", "curves", "resources", "warnings", "use", "files", "data", "settings"
    )]  # fmt: skip
    assert places == sorted(places)
    assert "Epoch 6 has the likeness of the best (0.41 of 0.42) and leaks less." in page
    assert "epochs 6 and 7" in page
    assert "&lt;lora:mira-000006:1&gt; mira" in page
    assert "model/mira-000006.safetensors" in page
    assert "On held-out pictures it was lowest after epoch 6" in page
    assert "5.2 GiB" in page
    assert '<li class="trigger">mira <b>30</b></li>' in page
    assert page.count("take this") == 2  # above the pictures, and in the table of scores


def test_a_run_without_a_choice_tells_how_one_is_made(tmp_path: Path) -> None:
    page = write_report(RunFolder(write_trained_run(tmp_path)), hint="loracle grid draws them").read_text("utf-8")

    assert "loracle grid draws them" in page
    assert "&lt;lora:mira:0.8&gt; mira" in page


def test_a_training_that_failed_says_so_first(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": "failed", "code": "error", "message": "the loss is no number"}) + "\n")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert page.index("the loss is no number") < page.index("<main>")


def test_a_damaged_grid_spoils_no_page(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "grid").mkdir()
    (run / "grid" / "grid.json").write_text("{", "utf-8")

    assert "network.rank" in write_report(RunFolder(run)).read_text("utf-8")


def test_a_page_elsewhere_links_the_files_from_there(tmp_path: Path) -> None:
    run = write_trained_run(tmp_path / "run")

    page = write_report(RunFolder(run), page=tmp_path / "pages" / "one.html").read_text("utf-8")

    assert '<a href="../run/model/mira.safetensors">' in page


def test_what_the_user_picked_blindly_stands_beside_the_choice_and_above_its_pictures(tmp_path: Path) -> None:
    run = write_trained_run(tmp_path)
    record = write_grid(run, epochs=3, chosen=choice(epoch=3, tied=()))
    by_epoch = {cell.epoch: cell for cell in record.cells if cell.prompt == 0 and cell.seed == 1}
    for one, other in ((1, 2), (2, 3), (1, 3)) * 6:
        picked: Picked = "left" if one == 2 else "right" if other == 2 else "equal"
        line = PickLine(left=PickedSide.of(by_epoch[one]), right=PickedSide.of(by_epoch[other]), picked=picked)
        append_pick(RunFolder(run).grid.picks, line)

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert "By 18 blind picks you like epoch 2 best" in page
    assert "Measured, it is epoch 3: where they differ, believe your eyes." in page
    assert '<span class="badge picked">your pick</span>' in page


def test_damaged_picks_spoil_no_page(tmp_path: Path) -> None:
    run = write_trained_run(tmp_path)
    write_grid(run, epochs=1)
    (run / "grid" / "picks.jsonl").mkdir()

    assert "blind pick" not in write_report(RunFolder(run)).read_text("utf-8")
