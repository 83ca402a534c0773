"""Sets Loracle up in a folder of its own and runs it: `python3 start.py` (Windows: `py start.py`).

    python3 start.py                the wizard
    python3 start.py demo           any other command of Loracle works the same way
    python3 start.py test [--slow]  the development tools, then the test suite

Standard library only, and syntax that old Pythons can read, so that they get a sentence and no traceback.
"""

import ctypes
import hashlib
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STATE = VENV / "loracle-setup.json"
LOG = VENV / "loracle-setup.log"
REQUIREMENTS = ROOT / "requirements"

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 14)
"""The newest Python that the pinned torch has builds for."""
TORCH = "2.13.0"
TORCH_INDEX = "https://download.pytorch.org/whl/"
INDEX_VARIABLE = "LORACLE_TORCH_INDEX"
"""An index to take torch from instead, for builds that are not chosen here (ROCm, XPU)."""

DEFAULT_CUDA = (13, 0)
"""What PyPI's build of torch 2.13 for Linux is made with (github.com/pytorch/pytorch/issues/178665)."""
CUDA_13_DRIVER = (580,)
CUDA_12_DRIVER = {"Linux": (525, 60), "Windows": (528, 33)}
"""Oldest drivers of CUDA 13.x and 12.x: docs.nvidia.com/cuda/cuda-toolkit-release-notes, table 2."""
TURING, BLACKWELL = (7, 5), (10, 0)
"""CUDA 13 builds run from Turing on; CUDA 12.6 builds up to Hopper (github.com/pytorch/pytorch/issues/190385)."""
MOST_WORKERS = 4
"""Processes that share the tests, at most: each takes more than 1 GiB of memory."""
NEEDED_GIB = {"cpu": 4, "cuda": 14}
"""Room for torch and the rest, with pip's temporary copy, in GiB."""


class Problem(Exception):
    """Something that the user can mend; the message is all they see."""


class Driver(NamedTuple):
    """What was found of NVIDIA's driver."""

    version: Optional[Tuple[int, ...]]
    """E.g. (580, 65, 6); None if only the library answered."""
    cuda: Optional[Tuple[int, int]]
    """The newest CUDA it runs, where it told."""
    capabilities: Tuple[Tuple[int, int], ...]
    """The cards' compute capabilities; empty if unknown."""


class TorchChoice(NamedTuple):
    """Which build of torch to install, and why."""

    index_url: Optional[str]
    """The index to take it from; None: PyPI."""
    kind: str
    """`cpu` or `cuda`."""
    reason: str
    fallback: Optional[str] = None
    """What to say when the index cannot be reached and PyPI is taken instead; None: give up then."""


def choose_torch(system: str, machine: str, driver: Optional[Driver]) -> TorchChoice:
    """The build of torch for a machine.

    Args:
        system: `Linux`, `Windows` or `Darwin`, as `platform.system()` has it.
        machine: as `platform.machine()` has it.
        driver: None if there is none of NVIDIA's.
    """
    if system == "Darwin":
        if machine != "arm64":
            raise Problem(
                "PyTorch has had no build for Macs with Intel processors since 2.2: use a Mac with an M processor, or another machine."
            )
        return TorchChoice(None, "cpu", "a Mac has one build, which uses its graphics processor")
    if driver is None:
        return _cpu(system, "no NVIDIA driver found")
    newest = max(driver.capabilities, default=None)
    runs_13 = _runs_cuda_13(driver)
    shown = _driver_name(driver)
    if newest is not None and newest < TURING:
        if machine not in ("x86_64", "AMD64") or not _runs_cuda_12(system, driver):
            return _cpu(system, shown + " is too old for this card's build: update it, then start again")
        return _cuda("cu126", "the last build for cards before the RTX 20 series")
    if runs_13 or (newest is not None and newest >= BLACKWELL):
        reason = shown + " runs CUDA 13.0"
        if not runs_13:
            reason = (
                "this card needs CUDA 13, and "
                + shown
                + " is too old for it: update it to 580 or newer before training"
            )
        if system == "Linux" and machine == "x86_64":
            return TorchChoice(None, "cuda", reason + ", as the default build does")
        return _cuda("cu130", reason)
    if machine in ("x86_64", "AMD64") and _runs_cuda_12(system, driver):
        return _cuda("cu126", shown + " runs CUDA 12 but not 13")
    return _cpu(system, shown + " is too old for any CUDA build of torch " + TORCH + ": update it, then start again")


def _cpu(system: str, reason: str) -> TorchChoice:
    if system == "Windows":
        return TorchChoice(None, "cpu", reason)
    return TorchChoice(TORCH_INDEX + "cpu", "cpu", reason, fallback="PyTorch's CPU index cannot be reached")


def _cuda(build: str, reason: str) -> TorchChoice:
    return TorchChoice(TORCH_INDEX + build, "cuda", reason)


def _runs_cuda_13(driver: Driver) -> bool:
    if driver.version is not None:
        return driver.version >= CUDA_13_DRIVER
    return driver.cuda is not None and driver.cuda >= (13, 0)


def _runs_cuda_12(system: str, driver: Driver) -> bool:
    if driver.version is not None:
        return driver.version >= CUDA_12_DRIVER.get(system, CUDA_12_DRIVER["Linux"])
    return driver.cuda is not None and driver.cuda >= (12, 0)


def _driver_name(driver: Driver) -> str:
    if driver.version is not None:
        return "the NVIDIA driver " + ".".join(str(part) for part in driver.version)
    return "the NVIDIA driver"


def parse_smi(text: str) -> Optional[Driver]:
    """The driver, from `nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader`."""
    versions, capabilities = [], []
    for line in text.splitlines():
        found = re.match(r"\s*(\d+(?:\.\d+)+)\s*(?:,\s*(\d+)\.(\d+))?", line)
        if found:
            versions.append(tuple(int(part) for part in found.group(1).split(".")))
            if found.group(2):
                capabilities.append((int(found.group(2)), int(found.group(3))))
    return Driver(versions[0], None, tuple(capabilities)) if versions else None


def find_driver() -> Optional[Driver]:
    """NVIDIA's driver as nvidia-smi tells it, else as its library does; None if there is neither."""
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if program:
        command = [program, "--query-gpu=driver_version,compute_cap", "--format=csv,noheader"]
        try:
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
            found = parse_smi(result.stdout.decode("utf-8", "replace"))
            if found:
                return found
        except (OSError, subprocess.SubprocessError):
            pass
    try:
        name = "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"
        library, number = ctypes.CDLL(name), ctypes.c_int(0)
        if library.cuDriverGetVersion(ctypes.byref(number)) == 0 and number.value > 0:
            return Driver(None, (number.value // 1000, number.value % 1000 // 10), ())
    except (OSError, AttributeError):
        pass
    return None


def check_python(version: Tuple[int, ...], bits: int) -> None:
    """Refuse a Python that cannot run Loracle, with what to do instead."""
    shown = ".".join(str(part) for part in version[:2])
    wanted = "install a 64-bit Python 3.13 from python.org and start again with it"
    if bits != 64:
        raise Problem("This is a 32-bit Python, for which PyTorch has no build: " + wanted + ".")
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise Problem("This is Python " + shown + "; Loracle needs 3.11 or newer: " + wanted + ".")
    if tuple(version[:2]) > NEWEST_PYTHON:
        raise Problem("This is Python " + shown + ", for which PyTorch " + TORCH + " has no build yet: " + wanted + ".")


def check_disk(free_bytes: int, kind: str) -> None:
    """Refuse to begin an installation that would fill the disk."""
    needed = NEEDED_GIB[kind]
    if free_bytes < needed << 30:
        raise Problem(
            "There are {:.1f} GiB free in {}, and the installation needs {}: free some space, or move this folder to another disk.".format(
                free_bytes / (1 << 30), ROOT, needed
            )
        )


def explain_pip(output: str) -> str:
    """One sentence on why pip failed, from what it printed."""
    lowered = output.lower()
    if "no space left" in lowered or "errno 28" in lowered or "not enough space" in lowered:
        return "The disk is full: free some space and start again; what is installed already is kept."
    if "hashes" in lowered and "do not match" in lowered:
        return "A download was damaged: start again."
    if (
        "connection" in lowered
        or "resolution" in lowered
        or "timed out" in lowered
        or "network" in lowered
        or "proxy" in lowered
    ):
        return "The package index cannot be reached: check the network (or the proxy) and start again; it goes on where it stopped."
    if "no matching distribution" in lowered:
        return "The package index has no build for this Python and system: try a 64-bit Python 3.13 from python.org."
    if "permission" in lowered or "access is denied" in lowered:
        return "Files cannot be written in {}: close programs that use it, or move the folder to where you may write.".format(
            ROOT
        )
    return "pip failed."


def progress_line(line: str) -> str:
    """What a line of pip's output is worth on the screen; empty: nothing."""
    found = re.match(
        r"\s*Downloading (?:\S*/)?([^/\s]+?)-(\d[^-]*)-\S+\.whl(?:\.metadata)? \((\d+(?:\.\d+)? [MG]B)\)", line
    )
    if found:
        return "downloading {} {} ({})".format(*found.groups())
    if line.startswith("Installing collected packages:"):
        number = line.count(",") + 1
        return "installing {} package{}".format(number, "" if number == 1 else "s")
    return ""


class Setup:
    """The environment in `.venv`, and which steps of its making are finished."""

    def __init__(self, say: Any = print) -> None:
        self.say = say
        self.done: Dict[str, str] = self._read()

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def _read(self) -> Dict[str, str]:
        try:
            found = json.loads(STATE.read_text("utf-8"))
            return {str(key): str(value) for key, value in found.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self) -> None:
        partial = STATE.with_suffix(".part")
        partial.write_text(json.dumps(self.done, indent=1), "utf-8")
        os.replace(str(partial), str(STATE))

    def run(self, development: bool) -> None:
        """Bring the environment up to what is wanted; does nothing, quickly, when it is."""
        base = _digest(REQUIREMENTS / "base.txt", ROOT / "pyproject.toml")
        dev = _digest(REQUIREMENTS / "dev.txt") if development else ""
        wanted = {
            "venv": "Python {} in {}".format(sys.version.split()[0], VENV),
            "base": base,
            **({"dev": dev} if development else {}),
        }
        override = os.environ.get(INDEX_VARIABLE, "")
        finished = all(self.done.get(key) == value for key, value in wanted.items())
        if finished and self.python.exists() and self.done.get("override", "") == override and "torch" in self.done:
            return
        driver = find_driver()
        choice = choose_torch(platform.system(), platform.machine(), driver)
        if override:
            choice = TorchChoice(override, "cuda", "you set " + INDEX_VARIABLE)
        self._make_venv(wanted["venv"], choice.kind)
        self._install_torch(choice)
        self._step("base", base, ["-r", str(REQUIREMENTS / "base.txt")])
        self._step("project", base, ["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
        if development:
            self._step("dev", dev, ["-r", str(REQUIREMENTS / "dev.txt")])
        self.done["override"] = override
        self._write()

    def _make_venv(self, version: str, kind: str) -> None:
        if self.done.get("venv") == version and self.python.exists():
            return
        check_disk(shutil.disk_usage(str(ROOT)).free, kind)
        self.say("Setting up: {} ...".format(version))
        self._clear()
        VENV.mkdir()
        self.done = {"venv": "begun: " + version}
        self._write()  # so that what is broken off is known as ours
        result = subprocess.run(
            [sys.executable, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if result.returncode != 0:
            text = result.stdout.decode("utf-8", "replace")
            if "ensurepip" in text:
                raise Problem("This Python lacks its venv part: `sudo apt install python3-venv`, then start again.")
            raise Problem("The environment {} cannot be made: {}".format(VENV, text.strip().splitlines()[-1:]))
        self.done = {"venv": version}
        self._write()

    def _clear(self) -> None:
        """Make way for a new environment: one that was made here is deleted, any other kept under another name."""
        if not os.path.lexists(str(VENV)):
            return
        if STATE.exists() and not VENV.is_symlink():
            shutil.rmtree(str(VENV))
            return
        number = 1
        while os.path.lexists(str(self._kept(number))):
            number += 1
        os.rename(str(VENV), str(self._kept(number)))
        self.say("{} was not made by start.py: it is kept as {}.".format(VENV, self._kept(number).name))

    @staticmethod
    def _kept(number: int) -> Path:
        return VENV.with_name(VENV.name + ".bak" + ("" if number == 1 else str(number)))

    def _install_torch(self, choice: TorchChoice) -> None:
        key = "{} from {}".format(TORCH, choice.index_url or "PyPI")
        if self.done.get("torch", "").startswith(key):
            return
        where = choice.index_url or "PyPI"
        self.say("torch {} ({} build, from {}): {}.".format(TORCH, choice.kind.upper(), where, choice.reason))
        arguments = ["torch==" + TORCH]
        if choice.index_url is None:
            self._step("torch", key, arguments)
            return
        quick = ["--retries", "1", "--timeout", "15"] if choice.fallback else []
        try:
            self._step("torch", key, [*arguments, "--index-url", choice.index_url, *quick])
        except Problem:
            if choice.fallback is None:
                raise
            self.say("{}: taking torch {} from PyPI.".format(choice.fallback, TORCH))
            self._step("torch", key + " (PyPI instead)", arguments)

    def _step(self, name: str, key: str, arguments: List[str]) -> None:
        """One installation: noted as begun, then as finished; one that was broken off is installed anew."""
        before = self.done.get(name)
        if before == key:
            return
        self.done[name] = "begun " + key
        self._write()
        if name == "torch":
            self._pip([*(["--force-reinstall"] if before else []), *arguments])
        else:
            if before and before.startswith("begun"):
                self._pip(["--force-reinstall", "--no-deps", *arguments])
            self._pip([*arguments, "torch==" + TORCH])
        self.done[name] = key
        self._write()

    def _pip(self, arguments: List[str]) -> None:
        """Run pip; its output goes to the log, downloads and installations are shown."""
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
        environment = {**os.environ, "PYTHONUTF8": "1", "PIP_REQUIRE_VIRTUALENV": "0"}
        output: List[str] = []
        with LOG.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=str(ROOT)
            )
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                output.append(line)
                log.write(line + "\n")
                shown = progress_line(line)
                if shown:
                    self.say("  " + shown)
            code = process.wait()
        if code != 0:
            raise Problem("{} The whole output is in {}.".format(explain_pip("\n".join(output)), LOG))


def _digest(*files: Path) -> str:
    """A mark that changes when one of the files does."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return whole.hexdigest()[:16]


class OneAtATime:
    """Held while an environment is made, so that a second start waits for the first."""

    def __enter__(self) -> "OneAtATime":
        self.file = (ROOT / ".venv.lock").open("a+b")
        if os.name == "nt":
            import msvcrt

            self.file.seek(0)
            msvcrt.locking(self.file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()


def test_options(arguments: List[str], cores: int) -> Tuple[List[str], Dict[str, str]]:
    """What pytest is started with, and the variables that keep its processes out of each other's way.

    A file's tests share what they train, and stay in one process; slow tests have the whole machine to themselves.
    """
    rest = [argument for argument in arguments if argument != "--slow"]
    if "--slow" in arguments:
        return ["-m", "", *rest], {}
    workers = min(cores, MOST_WORKERS)
    if workers == 1:
        return rest, {}
    shared = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    return [*shared, *rest], {"OMP_NUM_THREADS": str(cores // workers)}


def run_and_exit(command: List[str], environment: Dict[str, str], folder: Optional[Path]) -> NoReturn:
    """Hand the terminal over to `command`; Ctrl-C is its business."""
    if os.name != "nt":
        if folder is not None:
            os.chdir(str(folder))
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment, cwd=str(folder) if folder else None)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue


def say(text: str) -> None:
    """Print a message on stderr, wrapped between words if that is a terminal."""
    if sys.stderr.isatty():
        text = wrapped(text, shutil.get_terminal_size().columns)
    print(text, file=sys.stderr, flush=True)


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most this width; addresses and paths are never broken."""
    lines = []  # type: List[str]
    for line in text.splitlines():
        begin = line[: len(line) - len(line.lstrip())]
        parts = textwrap.wrap(line, width, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False)
        lines += parts or [""]
    return "\n".join(lines)


def main(arguments: List[str]) -> NoReturn:
    """Set up what is missing, then run Loracle or the tests."""
    testing = arguments[:1] == ["test"]
    try:
        check_python(sys.version_info[:3], struct.calcsize("P") * 8)
        with OneAtATime():
            setup = Setup(say)
            setup.run(development=testing)
    except Problem as problem:
        say(str(problem))
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped; the next start goes on from here.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        say("{}: {}".format(error.filename or ROOT, explain_pip(str(error))))
        sys.exit(2)
    environment = dict(os.environ)
    if not testing:  # children that are to stay offline are told so one by one: wizard/processes/child.py
        environment["LORACLE_COMMAND"] = "py start.py" if os.name == "nt" else "python3 start.py"
        run_and_exit([str(setup.python), "-P", "-m", "wizard.cli", *arguments], environment, None)
    options, threads = test_options(arguments[1:], os.cpu_count() or 1)
    run_and_exit([str(setup.python), "-m", "pytest", *options], {**threads, **environment, "HF_HUB_OFFLINE": "1"}, ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
