"""What the user wrote is theirs, whichever command would write there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ldm_layout
from tests.support.headers import write_model
from tests.support.pictures import make_pictures
from wizard.cli import main

EDITS: dict[str, Callable[[bytes], bytes]] = {
    "a value": lambda text: text.replace(b"\nrank = ", b"\nrank = 1"),
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "BOM": lambda text: b"\xef\xbb\xbf" + text,
    "a note": lambda text: text + b"# slower next time\n",
}
GUI = {"LoRA_type": "Standard", "network_dim": 8, "network_alpha": 4, "epoch": 7, "output_name": "mira"}
CONFIG, PLAN, ANSWERS = "loracle.toml", "plan.json", "answers.toml"

Loracle = Callable[..., tuple[int, str]]


@pytest.fixture
def loracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command line where images, a base model and the planned run `run` are: exit code, and all it printed."""
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path / "images", 4, captions=True)
    make_pictures(tmp_path / "others", 3)
    write_model(tmp_path / "base.safetensors", ldm_layout.sd1())
    (tmp_path / "gui.json").write_text(json.dumps(GUI))

    def run(*arguments: object) -> tuple[int, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    assert run(*planned("run"))[0] == 0
    return run


def planned(out: str, *more: str, images: str = "images", name: str = "mira") -> tuple[str, ...]:
    base = ("plan", "--images", images, "--model", "base.safetensors", "--name", name, "--vram", "8GiB")
    return (*base, "--out", out, *more)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def forget(run: Path) -> None:
    """As if the run were of a version that noted nothing."""
    (run / "log" / "written.json").unlink()


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_run_that_nobody_touched_is_planned_anew(loracle: Loracle, tmp_path: Path, is_noted: bool) -> None:
    if not is_noted:
        forget(tmp_path / "run")

    code, _ = loracle(*planned("run", "--set", "network.rank=48"))

    assert code == 0
    assert b"rank = 48" in (tmp_path / "run" / CONFIG).read_bytes()
    assert not list(tmp_path.rglob("*.bak"))


@pytest.mark.parametrize("command", ["plan", "import"])
@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_configuration_stays(
    loracle: Loracle, tmp_path: Path, edit: str, is_noted: bool, command: str
) -> None:
    run = tmp_path / "run"
    edited = EDITS[edit]((run / CONFIG).read_bytes())
    assert edited != (run / CONFIG).read_bytes()
    (run / CONFIG).write_bytes(edited)
    if not is_noted:
        forget(run)
    before = contents(run)
    imported = ("import", "gui.json", "--out", "run", "--images", "images", "--model", "base.safetensors")
    words = planned("run") if command == "plan" else imported

    code, told = loracle(*words)
    assert code == 2
    assert str(Path("run", CONFIG)) in told
    assert "--overwrite" in told
    assert contents(run) == before

    code, told = loracle(*words, "--overwrite")
    assert code == 0
    assert (run / f"{CONFIG}.bak").read_bytes() == edited
    assert f"{CONFIG}.bak" in told


@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize("name", [PLAN, ANSWERS])
def test_edited_records_stay(loracle: Loracle, tmp_path: Path, name: str, is_noted: bool) -> None:
    record = tmp_path / "run" / name
    edited = record.read_bytes().replace(b"mira", b"maja", 1)
    record.write_bytes(edited)
    if not is_noted:
        forget(tmp_path / "run")

    code, told = loracle(*planned("run"))

    assert (code, record.read_bytes()) == (2, edited)
    assert name in told


@pytest.mark.parametrize(("images", "name"), [("others", "mira"), ("images", "maja")])
def test_another_plans_run_stays(loracle: Loracle, tmp_path: Path, images: str, name: str) -> None:
    before = contents(tmp_path / "run")

    code, told = loracle(*planned("run", images=images, name=name))
    assert code == 2
    assert "holds another plan (mira" in told
    assert contents(tmp_path / "run") == before

    assert loracle(*planned("run", "--overwrite", images=images, name=name))[0] == 0
    for file in (CONFIG, PLAN, ANSWERS):
        assert (tmp_path / "run" / f"{file}.bak").read_bytes() == before[file]


def test_a_strangers_files_stay(loracle: Loracle, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / PLAN).write_text('{"rent": 700}')
    (tmp_path / "mine" / ANSWERS).write_text("no = true")

    code, told = loracle(*planned("mine"))

    assert code == 2
    assert PLAN in told
    assert ANSWERS in told
    assert contents(tmp_path / "mine") == {PLAN: b'{"rent": 700}', ANSWERS: b"no = true"}


def test_a_folder_of_other_files_becomes_no_run_unasked(loracle: Loracle, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")

    code, told = loracle(*planned("thesis"))
    assert code == 2
    assert "chapter.tex" in told
    assert list(contents(tmp_path / "thesis")) == ["chapter.tex"]

    assert loracle(*planned("thesis", "--overwrite"))[0] == 0
    assert (tmp_path / "thesis" / CONFIG).exists()


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_the_images_folder_becomes_no_run(loracle: Loracle, tmp_path: Path, more: tuple[str, ...]) -> None:
    before = contents(tmp_path / "images")

    code, told = loracle(*planned("images", *more))

    assert code == 2
    assert "is the folder of the pictures" in told
    assert contents(tmp_path / "images") == before


@pytest.mark.parametrize("victim", ["images/picture-001.png", f"run/{CONFIG}", f"run/{PLAN}", "gui.json"])
def test_an_export_replaces_no_file_of_another_kind(loracle: Loracle, tmp_path: Path, victim: str) -> None:
    before = (tmp_path / victim).read_bytes()

    code, told = loracle("export", "run", "--to", "kohya-gui", "--out", victim)
    assert code == 2
    assert Path(victim).name in told
    assert "--overwrite" in told
    assert (tmp_path / victim).read_bytes() == before
    assert not (tmp_path / "run" / "exports").exists()

    assert loracle("export", "run", "--to", "kohya-gui", "--out", victim, "--overwrite")[0] == 0
    assert (tmp_path / f"{victim}.bak").read_bytes() == before


@pytest.mark.parametrize(
    ("trainer", "files"),
    [
        ("sd-scripts", ("config.toml", "train.sh")),
        ("ai-toolkit", ("job.yaml",)),
        ("onetrainer", ("config.json", "concepts.json")),
    ],
)
def test_an_export_into_a_folder_leaves_what_is_the_users(
    loracle: Loracle, tmp_path: Path, trainer: str, files: tuple[str, ...]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for name in files:
        (place / name).write_text("mine")

    code, told = loracle("export", "run", "--to", trainer, "--out", "place")
    assert code == 2
    assert all(name in told for name in files)
    assert contents(place) == dict.fromkeys(files, b"mine")

    assert loracle("export", "run", "--to", trainer, "--out", "place", "--overwrite")[0] == 0
    assert all((place / f"{name}.bak").read_bytes() == b"mine" for name in files)
    assert loracle("export", "run", "--to", trainer, "--out", "place")[0] == 0


def test_an_edited_export_stays(loracle: Loracle, tmp_path: Path) -> None:
    file = tmp_path / "run" / "exports" / "onetrainer" / "config.json"
    assert loracle("export", "run", "--to", "onetrainer")[0] == 0
    assert loracle("export", "run", "--to", "onetrainer")[0] == 0
    file.write_bytes(file.read_bytes() + b"\n")

    assert loracle("export", "run", "--to", "onetrainer")[0] == 2


def test_an_older_export_is_known_where_it_would_come_out_the_same(loracle: Loracle, tmp_path: Path) -> None:
    assert loracle("export", "run", "--to", "sd-scripts")[0] == 0
    forget(tmp_path / "run")

    assert loracle("export", "run", "--to", "sd-scripts")[0] == 0


def test_a_preset_is_replaced_only_where_that_is_said(loracle: Loracle, tmp_path: Path) -> None:
    save = (*planned("run"), "--set", "network.rank=48", "--save-preset", "p.toml")
    assert loracle(*save)[0] == 0
    edited = (tmp_path / "p.toml").read_bytes() + b"# mine\n"
    (tmp_path / "p.toml").write_bytes(edited)

    code, told = loracle(*save)
    assert code == 2
    assert "--overwrite" in told
    assert (tmp_path / "p.toml").read_bytes() == edited

    assert loracle(*save, "--overwrite")[0] == 0
    assert (tmp_path / "p.toml.bak").read_bytes() == edited


def test_a_page_that_is_no_report_stays(loracle: Loracle, tmp_path: Path) -> None:
    page = tmp_path / "run" / "report.html"
    page.write_text("<!doctype html>\n<title>my own</title>")

    code, told = loracle("report", "run")
    assert code == 2
    assert "report.html is not as Loracle wrote it" in told
    assert "add --overwrite" in told

    assert loracle("report", "run", "--overwrite")[0] == 0
    assert page.with_name("report.html.bak").read_text() == "<!doctype html>\n<title>my own</title>"
    assert loracle("report", "run")[0] == 0


def test_an_edited_report_stays_and_one_of_an_older_version_is_kept_beside(loracle: Loracle, tmp_path: Path) -> None:
    page = tmp_path / "run" / "report.html"
    assert loracle("report", "run")[0] == 0
    page.write_bytes(page.read_bytes() + b"<p>my remark</p>")
    edited = page.read_bytes()
    assert loracle("report", "run")[0] == 2

    forget(tmp_path / "run")
    assert loracle("report", "run")[0] == 0
    assert page.with_name("report.html.bak").read_bytes() == edited


@pytest.mark.parametrize("command", ["plan", "import", "export", "report", "measure", "convert", "demo"])
def test_every_command_that_can_refuse_has_the_option(loracle: Loracle, command: str) -> None:
    code, told = loracle(command, "--help")

    assert code == 0
    assert "--overwrite" in told


@pytest.mark.parametrize("folder", ["images", "samples", "exports"])
def test_pictures_that_lie_where_the_run_would_write_are_refused(loracle: Loracle, tmp_path: Path, folder: str) -> None:
    (tmp_path / "project").mkdir()
    shutil.copytree(tmp_path / "images", tmp_path / "project" / folder)
    before = contents(tmp_path / "project")

    code, told = loracle(*planned("project", images=str(tmp_path / "project" / folder)))

    assert code == 2
    assert f"writes into its folder {folder}" in told
    assert contents(tmp_path / "project") == before


def test_a_folder_that_holds_nothing_but_a_folder_of_pictures_named_as_a_runs_becomes_no_run(
    loracle: Loracle, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "images", tmp_path / "project" / "images")
    before = contents(tmp_path / "project")

    code, told = loracle(*planned("project", images=str(tmp_path / "project")))

    assert code == 2
    assert "is the folder of the pictures" in told
    assert contents(tmp_path / "project") == before


@pytest.mark.parametrize("folder", ["images", "samples", "cache"])
def test_a_folder_that_is_no_run_and_holds_files_in_a_runs_folders_becomes_none_unasked(
    loracle: Loracle, tmp_path: Path, folder: str
) -> None:
    shutil.copytree(tmp_path / "images", tmp_path / "project" / folder)
    before = contents(tmp_path / "project")

    code, told = loracle(*planned("project"))

    assert code == 2
    assert f"is no run, and holds {folder}" in told
    assert contents(tmp_path / "project") == before
