"""A run planned and trained by the ordinary code, on one thread: two of them side by side keep two cores busy."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from advisor.answers import Answers
from advisor.checkpoints.identify import identify
from advisor.dataset.scan import scan
from advisor.facts import Facts
from advisor.machine.probe import probe_hardware
from advisor.planning.planner import make_plan
from advisor.run_folder.events import Finished, LoraSaved
from advisor.run_folder.layout import RunFolder
from advisor.settings.preset_file import PresetSetting, read_preset
from benchmarks.choice.cast import write_cast_member, write_others
from benchmarks.choice.design import Spec
from templates.native.run_folder import write_run
from trainer.demo.assets import MODEL_FOLDER, PRESET_FILE
from trainer.evaluate.cells import EpochLora
from wizard.processes.child import child_command, child_environment

VALIDATION_SHARE = 0.17
"""Four of 24 pictures are held out: the lowest loss on them is one of the rules that the choice is compared with."""
GRID_STEPS = 6
"""Of the recommender's pictures, as of the truth's."""
COMPUTE_DTYPE = "bfloat16"
"""A quarter faster than float32 on processors that have instructions for it, with losses that are the same."""
WHY = "what this run of the benchmark tries"


def facts_of(spec: Spec, work: Path, run: Path) -> Facts:
    """The facts of a plan: the demo's model and preset, and what the run tries instead; pictures lie below `work`."""
    tries: dict[str, str | int | float] = {
        "network.rank": spec.rank,
        "network.alpha": spec.rank,
        "network.conv_rank": spec.rank,
        "network.conv_alpha": spec.rank,
        "optimizer.learning_rate": spec.rate,
        "optimizer.text_encoder_learning_rate": spec.rate * spec.text_share,
        "optimizer.weight_decay": 0.01,
        "dataset.repeats": spec.repeats,
        "schedule.epochs": spec.epochs,
        "schedule.name": spec.course,
        "memory.compute_dtype": COMPUTE_DTYPE,
        "saving.every_epochs": 1,
        "saving.keep_last": 0,
        "validation.share": VALIDATION_SHARE,
        "run.seed": spec.seed,
        "sampling.steps": GRID_STEPS,
    }
    if spec.prior != "none":
        tries["dataset.regularization_images"] = str(write_others(work, brief=spec.prior == "brief"))
    preset = read_preset(PRESET_FILE)
    kept = tuple(setting for setting in preset.settings if setting.path not in tries)
    preset = replace(preset, settings=(*kept, *(PresetSetting(path, value, WHY) for path, value in tries.items())))
    character = write_cast_member(work, spec.character)
    images = scan(character.images if spec.calls else character.uncalled_images)
    answers = Answers(name=spec.character, trigger=spec.character, use_cpu=True)
    return Facts(probe_hardware(run), images, identify(MODEL_FOLDER), answers, preset)


def train(spec: Spec, work: Path, run: Path) -> float:
    """Plans and trains into `run`; the seconds that the training took.

    Raises:
        subprocess.CalledProcessError: The trainer failed; its log lies beside the run.
    """
    run.parent.mkdir(parents=True, exist_ok=True)
    facts = facts_of(spec, work, run)
    write_run(run, facts, make_plan(facts), overwrite=True)
    began = time.monotonic()
    with (run.parent / "train.log").open("wb") as log:
        subprocess.run(
            child_command("trainer", str(run), "--threads", "1"),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=child_environment({**os.environ, "OMP_NUM_THREADS": "1"}),
        )
    return time.monotonic() - began


def epoch_loras(run: Path) -> tuple[EpochLora, ...]:
    """The LoRA of each epoch, in order; none where the training did not come to its end."""
    events = RunFolder(run).read_events().events
    if not any(isinstance(event, Finished) for event in events):
        return ()
    found = {event.epoch: run / event.path for event in events if isinstance(event, LoraSaved)}
    return tuple(EpochLora(epoch, found[epoch]) for epoch in sorted(found))
