"""The launcher with trainers of the tests' own: small scripts that write events and end in all ways there are."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError, MemoryFacts, OutOfMemory, RunError, TrainingStopped
from advisor.run_folder.events import Failed
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.place import PLACE_VARIABLE, RunPlace
from tests.support.fake_trainer import SCRIPT_HEAD, SilentScreen
from wizard.exit_codes import TrainerBroke
from wizard.processes.child import child_environment, own_home
from wizard.processes.interrupt_count import InterruptCount
from wizard.processes.launch import error_of_exit, log_tail, run_trainer
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress


def train(tmp_path: Path, script: str, screen: SilentScreen | None = None, **more: Any) -> TrainingProgress:
    trainer = tmp_path / "trainer.py"
    trainer.write_text(SCRIPT_HEAD + textwrap.dedent(script), encoding="utf-8")
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    job = TrainerJob(RunFolder(run))

    def command(job: TrainerJob) -> list[str]:
        return [sys.executable, "-P", str(trainer), str(job.run.path)]

    return run_trainer(job, screen or SilentScreen(), command=command, **more)


def test_events_are_followed_to_the_end(tmp_path: Path) -> None:
    screen = SilentScreen()

    progress = train(
        tmp_path,
        """
        send("phase", name="train", total=3)
        for number in (1, 2, 3):
            step(number)
            time.sleep(0.05)
        send("saved", path="model/mira.safetensors", step=3, epoch=1)
        send("finished", steps=3, seconds=1.5)
        """,
        screen,
    )

    assert (progress.step, progress.steps, progress.loras) == (3, 3, ("model/mira.safetensors",))
    assert progress.finished is not None
    assert (progress.finished.steps, progress.finished.seconds) == (3, 1.5)
    assert "Saved model/mira.safetensors" in screen.notes
    assert screen.is_closed


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.abort()", "sys.exit(2)"])
def test_who_has_finished_has_not_failed_however_the_process_ends(tmp_path: Path, end: str) -> None:
    screen = SilentScreen()

    progress = train(tmp_path, f'send("finished", steps=3, loras=["model/mira.safetensors"]); {end}', screen)

    assert progress.finished is not None
    (note,) = screen.notes
    assert note.startswith("! All is trained and saved, but its process did not end well: ")


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (
            "print(\"terminate called after throwing an instance of 'std::bad_alloc'\", flush=True); os.abort()",
            "memory",
        ),
        ("print('MemoryError', flush=True); sys.exit(1)", "no memory"),
        ("print('libgomp: Thread creation failed: Resource temporarily', flush=True); sys.exit(1)", "thread could be"),
    ],
)
def test_a_limit_of_the_machine_is_told_as_one_and_is_no_defect(tmp_path: Path, end: str, told: str) -> None:
    with pytest.raises(TrainingStopped, match=told) as stopped:
        train(tmp_path, end)

    assert stopped.value.exit_code == 3
    assert "ulimit" in str(stopped.value)


def test_events_of_an_earlier_training_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log"
    log.mkdir(parents=True)
    (log / "events.jsonl").write_text(json.dumps({"event": "saved", "path": "old"}) + "\n")

    assert train(tmp_path, "step(1)").loras == ()


def test_wrong_input_ends_with_2_and_the_trainers_words(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match="the model is gone") as caught:
        train(tmp_path, 'send("failed", code="model", message="the model is gone"); sys.exit(2)')

    assert caught.value.exit_code == 2


def test_training_that_stopped_itself_ends_with_3(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped, match="smaller pictures") as caught:
        train(tmp_path, 'send("failed", code="x", message="take smaller pictures"); sys.exit(3)')

    assert caught.value.exit_code == 3


def test_memory_that_ran_out_is_told_with_what_was_seen_of_it(tmp_path: Path) -> None:
    script = """
        step(4)
        send("failed", code="out_of_memory", message="full", memory={"phase": "step", "largest": [512, 512]})
        sys.exit(75)
        """
    with pytest.raises(OutOfMemory, match="full") as caught:
        train(tmp_path, script)

    assert caught.value.facts == MemoryFacts(phase="step", largest=(512, 512), step=4)


def test_a_defect_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(TrainerBroke, match="ValueError: of this time"):
        train(tmp_path, 'raise ValueError("of this time")')


def test_a_defect_shows_nothing_of_an_earlier_log(tmp_path: Path) -> None:
    log = tmp_path / "run" / "log"
    log.mkdir(parents=True)
    (log / "trainer.log").write_text("of an earlier time\n")

    with pytest.raises(TrainerBroke) as caught:
        train(tmp_path, "sys.exit(1)")

    assert "earlier" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_trainer_is_told_as_memory_run_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped, match=r"memory \(RAM\) ran out.*last LoRA saved is model/a"):
        train(tmp_path, 'send("saved", path="model/a"); os.kill(os.getpid(), signal.SIGKILL)')


def test_a_crash_below_python_names_the_doctor() -> None:
    for code in (-11, 0xC0000005):
        assert "loracle doctor" in str(error_of_exit(code, TrainingProgress(), ""))


def test_an_interruption_before_the_first_step_claims_no_saved_work() -> None:
    failed = Failed(code="interrupted", message="Training was interrupted; the work is saved")

    assert "nothing new to save" in str(error_of_exit(130, TrainingProgress(failed=failed), ""))
    assert str(error_of_exit(130, TrainingProgress(step=3, failed=failed), "")) == failed.message


def interrupting(count: InterruptCount, screen: SilentScreen, *, times: int) -> Callable[[], None]:
    """Presses Ctrl-C once the trainer has said something, and again for each note."""

    def press() -> None:
        deadline = time.monotonic() + 60
        for number in range(times):
            while (not screen.shown or screen.shown[-1].step == 0 or len(screen.notes) < number) and (
                time.monotonic() < deadline
            ):
                time.sleep(0.02)
            count.received += 1

    return press


SAVES = """
def end(number, frame):
    send("saved", path="model/mira-step1.safetensors")
    send("failed", code="interrupted", message="the work is saved")
    sys.exit(130)
for name in ("SIGINT", "SIGBREAK"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), end)
step(1)
time.sleep(60)
"""

DEAF = """
for name in ("SIGINT", "SIGBREAK"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
step(1)
time.sleep(60)
"""


def test_ctrl_c_is_handed_on_once_and_the_work_is_saved(tmp_path: Path) -> None:
    count, screen = InterruptCount(), SilentScreen()
    threading.Thread(target=interrupting(count, screen, times=1), daemon=True).start()

    with pytest.raises(KeyboardInterrupt, match="the work is saved"):
        train(tmp_path, SAVES, screen, interrupts=count)

    assert count.passed_on == 1
    assert any("then saving" in note for note in screen.notes)


def test_a_trainer_is_not_started_once_another_thread_was_asked_to_end_it(tmp_path: Path) -> None:
    count = InterruptCount()
    count.ask()
    job = TrainerJob(RunFolder(tmp_path), interrupts=count)

    with pytest.raises(KeyboardInterrupt, match="before its process was started"):
        run_trainer(job, SilentScreen(), command=lambda _: pytest.fail("started"))


def test_a_trainer_that_does_not_listen_is_killed_by_the_third_ctrl_c(tmp_path: Path) -> None:
    count, screen = InterruptCount(), SilentScreen()
    threading.Thread(target=interrupting(count, screen, times=3), daemon=True).start()
    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt, match="Ended at once"):
        train(tmp_path, DEAF, screen, interrupts=count)

    assert time.monotonic() - began < 50


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_signals_only_count_while_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.processes.interrupt_count.AS_ONE_SECONDS", 0.0)
    count, before = InterruptCount(), signal.getsignal(signal.SIGINT)

    deadline = time.monotonic() + 30
    with count.listening():
        for number, one in enumerate((signal.SIGINT, signal.SIGTERM), start=1):
            os.kill(os.getpid(), one)
            while count.received < number and time.monotonic() < deadline:
                time.sleep(0.01)  # another thread may have got it, and this one hears of it a little later

    assert count.received == 2
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_signals_that_come_together_are_one_request() -> None:
    count = InterruptCount()

    with count.listening():
        for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), one)
            time.sleep(0.05)

    assert count.received == 1


def test_the_child_finds_our_packages_and_nothing_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run" / "advisor").mkdir(parents=True)
    (tmp_path / "run" / "advisor" / "__init__.py").write_text("raise SystemExit('shadowed')")

    train(tmp_path, "import advisor.errors, wizard.cli")


@pytest.mark.parametrize("entries", [("", "/x"), (".",), ("",), ("..", "run")])
def test_the_child_runs_no_code_that_lies_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: tuple[str, ...]
) -> None:
    for folder in (tmp_path, tmp_path / "run"):
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))
    monkeypatch.chdir(tmp_path)

    train(tmp_path, "import advisor.errors, os, pathlib\nassert pathlib.Path.cwd() != pathlib.Path(run)")

    assert not (tmp_path / "executed").exists()


def test_the_users_own_absolute_folders_of_packages_stay(tmp_path: Path) -> None:
    given = os.pathsep.join(["", "rel", str(tmp_path)])

    found = child_environment({"PYTHONPATH": given})["PYTHONPATH"].split(os.pathsep)

    assert found == [str(own_home()), str(tmp_path)]


def test_the_chosen_card_is_the_only_one_seen() -> None:
    environment = child_environment({"PATH": "x"}, gpu_uuid="GPU-1")

    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in child_environment({})


def test_torchs_allocator_grows_its_segments_where_nvidias_driver_for_linux_is(tmp_path: Path) -> None:
    found = child_environment({}, nvidia_driver=tmp_path)

    assert found["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    assert "PYTORCH_ALLOC_CONF" not in child_environment({}, nvidia_driver=tmp_path / "none")


@pytest.mark.parametrize("name", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"])
def test_what_the_user_set_of_torchs_allocator_stays(name: str, tmp_path: Path) -> None:
    found = child_environment({name: "max_split_size_mb:128"}, nvidia_driver=tmp_path)

    assert {key: found[key] for key in found if "ALLOC" in key} == {name: "max_split_size_mb:128"}


def test_glibc_keeps_memory_for_the_next_step_on_a_processor_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))

    assert child_environment({}, on_processor=True)["MALLOC_MMAP_MAX_"] == "0"
    assert "MALLOC_MMAP_MAX_" not in child_environment({})
    assert "MALLOC_MMAP_MAX_" not in child_environment({"MALLOC_ARENA_MAX": "1"}, on_processor=True)
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert "MALLOC_MMAP_MAX_" not in child_environment({}, on_processor=True)


@pytest.mark.parametrize(
    ("last_minute", "percent_now", "on_processor", "policy"),
    [
        (0.0, 100.0, True, None),
        (2.0, 50.0, True, "PASSIVE"),
        (2.0, 2.0, True, None),  # the run before has just ended
        (0.0, 0.0, False, "PASSIVE"),
    ],
)
def test_waiting_threads_sleep_where_the_machine_has_other_work(
    last_minute: float, percent_now: float, on_processor: bool, policy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.getloadavg", lambda: (last_minute, 0.0, 0.0))
    monkeypatch.setattr("psutil.cpu_count", lambda: 4)
    monkeypatch.setattr("psutil.cpu_percent", lambda seconds: percent_now)

    assert child_environment({}, on_processor=on_processor).get("OMP_WAIT_POLICY") == policy
    assert child_environment({}, on_processor=on_processor, is_alone=False)["OMP_WAIT_POLICY"] == "PASSIVE"
    assert child_environment({"OMP_WAIT_POLICY": "x"}, on_processor=on_processor)["OMP_WAIT_POLICY"] == "x"


def test_the_command_names_the_run_and_what_was_asked_for(tmp_path: Path) -> None:
    job = TrainerJob(RunFolder(tmp_path), resume=True, device="cpu")

    assert job.command()[1:] == ["-P", "-m", "trainer", str(tmp_path), "--resume", "--device", "cpu"]
    assert replace(job, sharing=3).command()[-2:] == ["--sharing", "3"]


def test_a_child_is_told_which_run_folder_is_held_though_its_events_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()

    def started(_: object, environment: dict[str, str], *__: object, **___: object) -> None:
        told.append(environment[PLACE_VARIABLE])
        raise OSError

    monkeypatch.setattr("wizard.processes.launch.start_apart", started)
    for name in ("run", "events"):
        (tmp_path / name).mkdir()
    place = RunPlace.of(tmp_path / "run")
    for run in ("run", "events"):
        with pytest.raises(RunError):
            run_trainer(TrainerJob(RunFolder(tmp_path / run), place=place), SilentScreen())
    place.check()

    assert told == [place.mark, place.mark]
    assert told[0].endswith(str(tmp_path / "run"))
    place.close()


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))

    assert log_tail(log, 0).splitlines()[0] == "line 80"
    assert log_tail(tmp_path / "none", 0) == ""
