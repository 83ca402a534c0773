from __future__ import annotations

import json
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from advisor.errors import RunError
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.rules.sources import BY_TITLE, TUTORIAL
from advisor.run_folder.events import LoraSaved, RungTaken
from advisor.run_folder.layout import RunFolder
from templates.native.report import Score, ladder_rows, lora_links, write_report
from templates.native.report_samples import ImageRow
from templates.render import render
from tests.support.factories import make_facts

EMPTY: dict[str, Any] = {
    "name": "mira", "trigger": "", "note": "", "scores": [], "rows": [], "chart": None, "loss_sentence": "",
    "ladder": [], "finished": None,
    "warnings": [], "loras": [], "decisions": [], "sources": [], "damaged_lines": 0,
    "events_file": "log/events.jsonl",
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

    assert 'src="data:image/png;base64,' in page
    assert 'src="http' not in page
    assert "<script" not in page
    assert "<link" not in page


def test_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    page = write_report(RunFolder(make_run(tmp_path, trigger="<script>alert(1)</script>"))).read_text("utf-8")

    assert "<script>" not in page
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
    return [(link.name, link.href) for link in lora_links(RunFolder(run), events)]


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


def test_samples_stand_below_their_prompt_with_their_epoch(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "samples").mkdir()
    Image.new("RGB", (8, 8), "red").save(run / "samples" / "mira-000003-00.png")
    with (run / "log" / "events.jsonl").open("a", encoding="utf-8") as file:
        event = {"event": "sample", "path": "samples/mira-000003-00.png", "prompt": "mira, <smile>", "epoch": 3}
        file.write(json.dumps(event) + "\n")

    page = write_report(RunFolder(run)).read_text("utf-8")

    assert "<h3>mira, &lt;smile&gt;</h3>" in page
    assert "<figcaption>epoch 3</figcaption>" in page
    assert '<a href="samples/mira-000003-00.png"><img' in page


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
    row = ImageRow(SCRIPT, ())

    page = write_report(RunFolder(run), note=SCRIPT, scores=[Score(SCRIPT, 0.1, 0.9, SCRIPT)], rows=[row]).read_text(
        "utf-8"
    )

    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10
    assert "a: &lt;script" in page
    assert "<br>b: 1" in page


def test_steps_of_text_are_escaped_too(tmp_path: Path) -> None:
    page = render("native/files/report.html.j2", **EMPTY | {"finished": {"steps": SCRIPT, "seconds": 1.0}})

    assert "<script" not in page
    assert "&lt;/script&gt; steps in 1 s" in page


def test_the_page_allows_itself_styles_and_pictures_and_nothing_else(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "samples").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(run / "samples" / "01.png")
    page = _Page()
    page.feed(write_report(RunFolder(run)).read_text("utf-8"))

    (policy,) = page.policies
    assert dict(rule.split(" ", 1) for rule in policy.split("; ")) == {
        "default-src": "'none'", "style-src": "'unsafe-inline'", "img-src": "data:", "base-uri": "'none'",
        "form-action": "'none'",
    }  # fmt: skip
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    first, *others = page.links
    assert first == "samples/01.png"
    assert set(others) <= {source.url for source in BY_TITLE.values() if source.url.startswith("https://")}
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "base", "audio", "video"})
    assert page.first == "meta"


class _Page(HTMLParser):
    """What of a page a policy is about."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.first = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.first = self.first or ("" if tag == "html" else tag)
        if found.get("http-equiv") == "Content-Security-Policy":
            assert self.tags == {"html", "meta"}, "it counts for what comes after it"
            self.policies.append(str(found["content"]))
        self.sources += [str(found[name]) for name in ("src", "srcset") if name in found]
        self.links += [str(found["href"])] if "href" in found else []
        assert not [name for name in found if name.startswith("on")]


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
    page = render("native/files/report.html.j2", **{**EMPTY, "name": "mi\u202era", "warnings": ["<b>\u200b\x1b"]})

    assert not set(page) & set("\u202e\u200b\x1b")
    assert r"mi\u202era" in page
    assert r"&lt;b&gt;\u200b\x1b" in page
