"""start.py: which torch it takes, what it refuses, and that a broken-off installation is finished."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import start
from start import Driver, Problem, TorchChoice, choose_torch

CU126 = "https://download.pytorch.org/whl/cu126"
CU130 = "https://download.pytorch.org/whl/cu130"
CPU = "https://download.pytorch.org/whl/cpu"

TABLE = [
    # system, machine, driver, capabilities, index, kind
    ("Linux", "x86_64", None, [], CPU, "cpu"),
    ("Linux", "aarch64", None, [], CPU, "cpu"),
    ("Windows", "AMD64", None, [], None, "cpu"),
    ("Darwin", "arm64", None, [], None, "cpu"),
    ("Linux", "x86_64", (580, 65, 6), [(8, 6)], None, "cuda"),
    ("Linux", "x86_64", (580, 65, 6), [(12, 0)], None, "cuda"),
    ("Linux", "x86_64", (575, 57, 8), [(8, 9)], CU126, "cuda"),
    ("Linux", "x86_64", (570, 86), [(12, 0)], None, "cuda"),
    ("Linux", "x86_64", (535, 183, 1), [(7, 5)], CU126, "cuda"),
    ("Linux", "x86_64", (580, 65, 6), [(6, 1)], CU126, "cuda"),
    ("Linux", "x86_64", (580, 65, 6), [(7, 0)], CU126, "cuda"),
    ("Linux", "x86_64", (580, 65, 6), [(6, 1), (8, 6)], None, "cuda"),
    ("Linux", "x86_64", (470, 82, 1), [(8, 6)], CPU, "cpu"),
    ("Linux", "x86_64", (470, 82, 1), [(6, 1)], CPU, "cpu"),
    ("Linux", "aarch64", (580, 65, 6), [(9, 0)], CU130, "cuda"),
    ("Linux", "aarch64", (550, 54), [(9, 0)], CPU, "cpu"),
    ("Windows", "AMD64", (581, 29), [(8, 9)], CU130, "cuda"),
    ("Windows", "AMD64", (566, 36), [(8, 9)], CU126, "cuda"),
    ("Windows", "AMD64", (566, 36), [(6, 1)], CU126, "cuda"),
    ("Windows", "AMD64", (576, 2), [(12, 0)], CU130, "cuda"),
    ("Windows", "AMD64", (516, 94), [(7, 5)], None, "cpu"),
]


@pytest.mark.parametrize(("system", "machine", "version", "capabilities", "index", "kind"), TABLE)
def test_torch_is_chosen_for_the_machine(
    system: str,
    machine: str,
    version: tuple[int, ...] | None,
    capabilities: list[tuple[int, int]],
    index: str | None,
    kind: str,
) -> None:
    driver = Driver(version, None, tuple(capabilities)) if version else None

    choice = choose_torch(system, machine, driver)

    assert (choice.index_url, choice.kind) == (index, kind)
    assert choice.reason


@pytest.mark.parametrize(("cuda", "index"), [((13, 2), None), ((13, 0), None), ((12, 4), CU126), ((11, 8), CPU)])
def test_where_only_the_driver_library_answers_its_cuda_version_decides(
    cuda: tuple[int, int], index: str | None
) -> None:
    assert choose_torch("Linux", "x86_64", Driver(None, cuda, ())).index_url == index


def test_a_blackwell_card_with_an_old_driver_is_told_to_update() -> None:
    assert "update it to 580" in choose_torch("Windows", "AMD64", Driver((572, 16), None, ((12, 0),))).reason


def test_an_intel_mac_is_refused_in_a_sentence() -> None:
    with pytest.raises(Problem, match="Intel"):
        choose_torch("Darwin", "x86_64", None)


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("580.65.06, 8.6\n", Driver((580, 65, 6), None, ((8, 6),))),
        ("566.36, 8.9\n566.36, 6.1\n", Driver((566, 36), None, ((8, 9), (6, 1)))),
        ("470.82.01, [N/A]\n", Driver((470, 82, 1), None, ())),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", None),
        ("", None),
    ],
)
def test_what_nvidia_smi_prints_is_read(text: str, driver: Driver | None) -> None:
    assert start.parse_smi(text) == driver


@pytest.mark.parametrize(
    ("version", "bits", "words"),
    [((3, 11, 4), 32, "32-bit"), ((3, 10, 12), 64, "3.11 or newer"), ((3, 15, 0), 64, "no build yet")],
)
def test_a_python_that_cannot_work_is_refused(version: tuple[int, ...], bits: int, words: str) -> None:
    with pytest.raises(Problem, match=words):
        start.check_python(version, bits)


def test_the_pythons_that_work_pass() -> None:
    for minor in (11, 12, 13, 14):
        start.check_python((3, minor, 0), 64)


def test_too_small_a_disk_is_told_before_anything_is_downloaded() -> None:
    with pytest.raises(Problem, match=r"2\.0 GiB free .* needs 14"):
        start.check_disk(2 << 30, "cuda")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: [Errno -2] Name or service not known", "cannot be reached"),
        ("ReadTimeoutError: Read timed out.", "cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build"),
        ("PermissionError: [WinError 5] Access is denied", "cannot be written"),
    ],
)
def test_why_pip_failed_is_said_in_a_sentence(output: str, words: str) -> None:
    assert words in start.explain_pip(output)


class FakePip:
    """Stands where pip does: remembers what it was asked for, and fails where told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.calls: list[list[str]] = []
        self.fail_on = ""
        (folder / "requirements").mkdir(exist_ok=True)
        for name in ("requirements/base.txt", "requirements/dev.txt", "pyproject.toml"):
            (folder / name).write_text(name, "utf-8")
        venv = folder / ".venv"
        for name, value in {
            "ROOT": folder,
            "VENV": venv,
            "STATE": venv / "loracle-setup.json",
            "LOG": venv / "loracle-setup.log",
            "REQUIREMENTS": folder / "requirements",
        }.items():
            monkeypatch.setattr(start, name, value)
        monkeypatch.setattr(start, "find_driver", lambda: None)
        monkeypatch.setattr(start, "choose_torch", lambda *_: TorchChoice(CPU, "cpu", "a test", fallback="no index"))
        monkeypatch.setattr(start.Setup, "_pip", self.pip)
        monkeypatch.setattr(start.Setup, "_make_venv", self.make_venv)
        monkeypatch.setattr(start.Setup, "python", Path(sys.executable))

    def pip(self, arguments: list[str]) -> None:
        self.calls.append(arguments)
        if self.fail_on and any(self.fail_on in argument for argument in arguments):
            raise Problem("no network")

    def make_venv(self, _version: str, _kind: str) -> None:
        start.VENV.mkdir(exist_ok=True)

    def setup(self, development: bool = False) -> start.Setup:
        setup = start.Setup(lambda _: None)
        setup.done.setdefault("venv", f"Python {sys.version.split()[0]} in {start.VENV}")
        setup.run(development)
        return setup


def test_a_finished_setup_calls_pip_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = FakePip(monkeypatch, tmp_path)
    pip.setup()
    first = len(pip.calls)

    pip.setup()

    assert first == 3
    assert len(pip.calls) == first


def test_a_broken_off_step_is_installed_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = FakePip(monkeypatch, tmp_path)
    pip.fail_on = "base.txt"
    with pytest.raises(Problem):
        pip.setup()
    assert json.loads(start.STATE.read_text("utf-8"))["base"].startswith("begun")
    pip.fail_on, pip.calls = "", []

    pip.setup()

    assert "--force-reinstall" in pip.calls[0]
    assert not any("--index-url" in call for call in pip.calls), "torch was finished and is left alone"
    assert not any("begun" in value for value in json.loads(start.STATE.read_text("utf-8")).values())


def test_where_the_cpu_index_cannot_be_reached_pypi_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = FakePip(monkeypatch, tmp_path)
    pip.fail_on = CPU

    pip.setup()

    assert "--index-url" in pip.calls[0]
    assert pip.calls[1][-1] == "torch==2.13.0"


class MadeVenv:
    """Stands where `python -m venv` does."""

    returncode, stdout = 0, b""

    def __init__(self, command: list[str], **_: object) -> None:
        (Path(command[-1]) / "bin").mkdir()


def made_anew(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """What is said while the environment in `folder` is made."""
    make_venv = start.Setup._make_venv
    FakePip(monkeypatch, folder)
    monkeypatch.setattr(start.Setup, "_make_venv", make_venv)
    monkeypatch.setattr(start.Setup, "python", folder / ".venv" / "bin" / "python")
    monkeypatch.setattr(subprocess, "run", MadeVenv)
    said = list[str]()
    start.Setup(said.append).run(development=False)
    return said


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_an_environment_that_somebody_else_made_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    mine = tmp_path / ("elsewhere" if kind == "link" else ".venv")
    mine.mkdir()
    (mine / "notes.txt").write_text("mine", "utf-8")
    (tmp_path / ".venv.bak").mkdir()
    if kind == "link":
        (tmp_path / ".venv").symlink_to(mine)

    said = made_anew(monkeypatch, tmp_path)

    assert (tmp_path / ".venv.bak2" / "notes.txt").read_text("utf-8") == "mine"
    assert (mine.is_dir(), (tmp_path / ".venv" / "notes.txt").exists()) == (True, False)
    assert any(".venv was not made by start.py: it is kept as .venv.bak2." in line for line in said)


def test_one_that_was_made_here_is_replaced_also_where_that_was_broken_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made_anew(monkeypatch, tmp_path)
    for state in ('{"venv": "Python 3.11.1 in /where/it/was"}', '{"venv": "begun: Python 3.11.1"}'):
        start.STATE.write_text(state, "utf-8")
        made_anew(monkeypatch, tmp_path)

    assert [path.name for path in tmp_path.glob(".venv*")] == [".venv"]


def test_new_pins_are_installed_and_torch_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = FakePip(monkeypatch, tmp_path)
    pip.setup()
    pip.calls = []
    (tmp_path / "requirements" / "base.txt").write_text("rich==99", "utf-8")

    pip.setup()

    assert [call[0] for call in pip.calls] == ["-r", "--no-deps"]


def test_the_tests_command_adds_the_development_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = FakePip(monkeypatch, tmp_path)

    pip.setup(development=True)

    assert any(str(tmp_path / "requirements" / "dev.txt") in call for call in pip.calls)


def test_the_tests_share_the_cores_and_what_was_asked_for_comes_last() -> None:
    options, variables = start.test_options(["tests/advisor", "-n0"], 8)

    assert options[:2] == ["-n", "4"]
    assert options[-2:] == ["tests/advisor", "-n0"]
    assert variables == {"OMP_NUM_THREADS": "2"}


def test_one_core_and_the_slow_tests_have_one_process() -> None:
    assert start.test_options(["tests"], 1) == (["tests"], {})
    assert start.test_options(["--slow", "tests"], 8) == (["-m", "", "tests"], {})


def test_start_can_be_read_by_old_pythons() -> None:
    """Too old a Python shall see its sentence and no SyntaxError: 3.7's grammar is what ast can check."""
    import ast

    source = Path(start.__file__).read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 7))

    assert not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def test_long_messages_are_broken_between_words_and_paths_never() -> None:
    text = start.wrapped(
        "no NVIDIA driver found, see https://example.org/a-very/long-address\n  installing 3 packages", 14
    )

    assert text.splitlines() == [
        "no NVIDIA", "driver found,", "see", "https://example.org/a-very/long-address", "  installing 3", "  packages",
    ]  # fmt: skip


def test_pips_output_is_shown_in_short() -> None:
    line = "  Downloading https://example.org/torch-2.13.0%2Bcu130-cp311-cp311-linux_x86_64.whl (1.2 GB)"

    assert start.progress_line(line) == "downloading torch 2.13.0%2Bcu130 (1.2 GB)"
    assert start.progress_line("Installing collected packages: a, b, c") == "installing 3 packages"
    assert start.progress_line("Installing collected packages: a") == "installing 1 package"
    assert start.progress_line("Collecting rich") == ""
