from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.errors import LoraError, RunError
from advisor.run_folder.events import WarningGiven
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.links import JUNCTION, _is_link
from templates.native.run_folder import write_run
from templates.report.page import write_report
from tests.support.factories import make_facts, make_plan_for
from tests.templates.report.test_page import make_run
from wizard.commands.export import export
from wizard.commands.train import train

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
pytestmark = needs_links

SECRET = "a secret that no report shows"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "key").write_text(SECRET, "utf-8")
    (folder / ".bashrc").write_text("# the victim's own\n", "utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(make_run(tmp_path / "stranger"))


def link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    if at.is_dir() and not at.is_symlink():
        at.rename(at.with_name(at.name + ".old"))
    at.unlink(missing_ok=True)
    at.symlink_to(to)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def append_event(run: RunFolder) -> None:
    with run.event_writer() as events:
        events.write(WarningGiven(code="x", message="$(touch /tmp/owned)"))


def test_no_event_is_appended_through_a_link(run: RunFolder, outside: Path) -> None:
    link(run.path / "log/events.jsonl", outside / ".bashrc")

    with pytest.raises(RunError, match=r"events\.jsonl is a link that leads out of the run.*LORACLE_LINKS"):
        append_event(run)
    assert (outside / ".bashrc").read_text("utf-8") == "# the victim's own\n"


def test_a_link_to_a_file_that_is_not_there_yet_leads_out_too(run: RunFolder, outside: Path) -> None:
    link(run.path / "log/events.jsonl", outside / ".profile")

    with pytest.raises(RunError, match="leads out"):
        append_event(run)
    assert not (outside / ".profile").exists()


def test_a_report_embeds_no_file_that_a_sample_is_a_link_to(run: RunFolder, outside: Path) -> None:
    link(run.path / "samples/x.png", outside / "key")

    with pytest.raises(RunError, match=r"x\.png is a link"):
        write_report(run)
    assert not run.report.exists()


def test_an_export_deletes_nothing_in_a_folder_that_its_own_is_a_link_to(
    run: RunFolder, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = make_facts()
    write_run(run.path, facts, make_plan_for(), overwrite=True)
    link(run.path / "exports/ai-toolkit/img", outside)
    (run.path / "exports/ai-toolkit/img.made.txt").write_text("folder/key\n", "utf-8")
    (outside / "folder").mkdir()
    (outside / "folder/key").write_text("ssh", "utf-8")

    for to in ("ai-toolkit", "kohya-gui", "sd-scripts", "onetrainer"):
        with pytest.raises(RunError, match="img is a link"):
            export(run.path, to=to)
    assert (outside / "folder/key").read_text("utf-8") == "ssh"


def test_no_digest_is_written_through_a_link(run: RunFolder, outside: Path) -> None:
    link(run.path / "log", outside)
    before = contents(outside)

    with pytest.raises(RunError, match="log is a link"):
        write_run(run.path, make_facts(), make_plan_for(), overwrite=True)
    assert contents(outside) == before


PLACES = (
    "log", "log/events.jsonl", "log/trainer.log", "model", "model/fox.safetensors", "state", "state/step-00000001",
    "state/step-00000001/manifest.json", "state/ladder.json", "cache", "cache/latents", "cache/latents/ab/x.cached",
    "samples", "samples/row/x.png", "images/manifest.jsonl", "plan.json", "report.html", "loracle.toml",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_trained_where_a_link_leads_out(run: RunFolder, outside: Path, place: str) -> None:
    write_run(run.path, make_facts(), make_plan_for(), overwrite=True)
    if place == "loracle.toml":
        (outside / "key").write_bytes(run.config.read_bytes())
    link(run.path / place, outside / "key" if "." in place else outside)
    before = contents(outside)

    with pytest.raises(RunError, match="is a link that leads out of the run"):
        train(run.path, device="cpu")
    assert contents(outside) == before


def test_the_run_itself_may_be_a_link(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(run.path)

    append_event(RunFolder(tmp_path / "short"))

    assert run.read_events().events


def test_a_link_within_the_run_is_followed(run: RunFolder) -> None:
    link(run.path / "log", run.path / "notes")
    (run.path / "notes").mkdir()

    append_event(run)

    assert (run.path / "notes/events.jsonl").is_file()


def test_a_link_to_another_disk_is_allowed_by_an_environment_variable(
    run: RunFolder, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = outside / "disk"
    disk.mkdir()
    link(run.path / "model", disk)
    with pytest.raises(RunError) as refused:
        run.lora("fox")
    assert f'LORACLE_LINKS="{disk}"' in str(refused.value)

    monkeypatch.setenv("LORACLE_LINKS", os.pathsep.join([str(outside / "none"), str(disk)]))

    assert run.lora("fox") == run.path / "model/fox.safetensors"


def test_a_relative_folder_in_that_variable_allows_nothing(
    run: RunFolder, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link(run.path / "model", outside)
    monkeypatch.chdir(outside)
    monkeypatch.setenv("LORACLE_LINKS", os.pathsep.join(["", "."]))

    with pytest.raises(RunError):
        run.lora("fox")


@pytest.mark.parametrize("ask", [lambda run: run.lora("../../x"), lambda run: run.cache("../..")])
def test_two_points_lead_nowhere(run: RunFolder, ask: Callable[[RunFolder], Path]) -> None:
    with pytest.raises(LoraError, match="leads out of the run"):
        ask(run)


def test_links_of_weights_and_biases_to_its_own_logs_are_left_alone(run: RunFolder, outside: Path) -> None:
    link(run.path / "log/wandb/run/logs/debug-core.log", outside / "core.log")

    run.refuse_links_out()

    assert run.events == run.path / "log/events.jsonl"


def test_a_loop_of_links_leads_nowhere(run: RunFolder) -> None:
    link(run.path / "model", run.path / "model")

    run.refuse_links_out()
    with pytest.raises(RunError, match="cannot be read"):
        run.loras("fox")


def test_a_junction_of_windows_counts_as_a_link() -> None:
    class Found:
        st_mode = 0o040755
        st_reparse_tag = JUNCTION

    assert _is_link(Found())  # type: ignore[arg-type]
