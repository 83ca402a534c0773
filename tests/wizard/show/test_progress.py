from __future__ import annotations

from advisor.run_folder.events import (
    AnyEvent,
    Failed,
    Finished,
    LoraSaved,
    PhaseBegun,
    PhaseProgress,
    Started,
    StepDone,
    WarningGiven,
)
from wizard.show.progress import TrainingProgress


def after(*events: AnyEvent) -> TrainingProgress:
    progress = TrainingProgress()
    for event in events:
        progress = progress.after(event)
    return progress


def test_the_time_left_is_that_of_the_middle_step() -> None:
    steps = [StepDone(step=n, loss=0.5, seconds=s) for n, s in enumerate((9.0, 1.0, 1.0), start=1)]

    progress = after(PhaseBegun(name="train", total=10), *steps)

    assert progress.seconds_per_step == 1.0
    assert progress.seconds_left == 7.0


def test_the_loss_is_smoothed() -> None:
    progress = after(StepDone(step=1, loss=1.0), StepDone(step=2, loss=0.0))

    assert progress.loss == 0.95


def test_a_loss_that_is_no_number_changes_nothing() -> None:
    assert after(StepDone(step=1, loss=1.0), StepDone(step=2, loss=None)).loss == 1.0


def test_saving_between_steps_does_not_lose_the_place() -> None:
    progress = after(
        PhaseBegun(name="train", total=10),
        StepDone(step=5),
        PhaseBegun(name="save", total=1),
        PhaseProgress(phase="save", done=1, total=1),
        StepDone(step=6),
    )

    assert (progress.phase, progress.done, progress.total) == ("train", 6, 10)


def test_progress_names_its_phase() -> None:
    progress = after(PhaseProgress(phase="cache_latents", done=3, total=30))

    assert (progress.phase, progress.done, progress.total) == ("cache_latents", 3, 30)


def test_the_peak_of_memory_is_kept() -> None:
    assert after(StepDone(step=1, memory_bytes=9), StepDone(step=1, memory_bytes=5)).peak_memory_bytes == 9


def test_the_phase_of_training_tells_how_many_epochs_there_are() -> None:
    assert after(PhaseBegun(name="train", total=60, epochs=10), StepDone(step=7, epoch=2)).epochs == 10


def test_going_on_keeps_what_was_reached_and_forgets_how_it_ended() -> None:
    begun = (Started(), LoraSaved(path="model/a.safetensors"), StepDone(step=6, epoch=2), Failed(code="interrupted"))

    progress = after(*begun, Started(resumed_from=5))

    assert (progress.step, progress.epoch, progress.loras) == (5, 2, ("model/a.safetensors",))
    assert progress.failed is None


def test_beginning_anew_forgets_the_training_before() -> None:
    progress = after(Started(), StepDone(step=6, epoch=2, loss=1.0), LoraSaved(path="a"), Finished(steps=6), Started())

    assert (progress.step, progress.epoch, progress.loss, progress.loras, progress.finished) == (0, 0, None, (), None)


def test_what_each_start_warns_of_again_is_kept_once() -> None:
    progress = after(
        WarningGiven(message="no caption"), WarningGiven(message="cropped"), WarningGiven(message="no caption")
    )

    assert progress.warnings == ("no caption", "cropped")
