"""`loracle demo`: plan, training and evaluation on the embedded base model and images, on any CPU, offline."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from advisor.answers import Answers
from advisor.checkpoints.identify import identify
from advisor.dataset.scan import scan
from advisor.facts import Facts
from advisor.machine.probe import probe_hardware
from advisor.planning.planner import make_plan
from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.settings.preset_file import PresetSetting, read_preset
from templates.native.run_folder import next_free_run, write_run
from trainer.demo.assets import CHARACTER_FOLDER, CLASS_FOLDER, MODEL_FOLDER, PRESET_FILE, TRIGGER
from wizard.interview.drawing.evaluation import Recommended, by_grid, recommendation_document
from wizard.interview.drawing.grid_loras import loras_by_epoch, thinned
from wizard.interview.drawing.grid_options import GridWish
from wizard.interview.drawing.grid_plan import plan_of_run
from wizard.output import print_json, say, show
from wizard.processes.after_training import completed, tried
from wizard.processes.child import child_command
from wizard.processes.launch import run_trainer
from wizard.processes.run_store import RunStore
from wizard.processes.trainer_job import TrainerJob
from wizard.show.notice import announced_end
from wizard.show.plan_view import plan_view
from wizard.show.progress import training_document
from wizard.show.run_report import try_run_report
from wizard.show.screen import make_screen

NAME = "loracle-demo"
"""The default run folder."""

EPOCHS_SHOWN, CALLING, OTHERS, SEEDS = 4, 4, 3, 2
"""Of the training, of captions with the trigger, of captions of other people: half a minute of drawing. Of four epochs
the last two lie three apart; those that lie two apart, while the rate falls to 0, so few pictures hardly tell apart."""

MEANT = frozenset({"cpu_training", "rate_of_another_optimizer"})
"""Warnings of what the demo does on purpose: its small base model learns on a processor, and at a high rate."""

HELLO = (
    "The demo teaches a small base model, which comes with Loracle, a character that it has never seen: {pictures} "
    "pictures of {trigger}, a green-skinned fox. It plans by the same rules as for your own pictures, trains on the "
    "processor, draws with several epochs and chooses one by what they show, draws before and after with the same "
    "seeds, and measures both. On two processor cores that takes up to three minutes; nothing is downloaded and only "
    "the folder {run} is written.\n"
)


def demo(out: Path | None = None, *, overwrite: bool = False, as_json: bool = False) -> None:
    """Plan, train, draw images before and after, score them, and write the report.

    Args:
        out: the run folder; None: a new one in the current folder.
        overwrite: replace files that the user changed or made, after keeping each beside it.

    Raises:
        LoraError: the run folder cannot be written, or training stopped itself.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
    """
    began = time.monotonic()
    run = (out or next_free_run(NAME, Path.cwd())).absolute()
    facts = demo_facts(run)
    announce = say if as_json else show
    announce(HELLO.format(pictures=facts.dataset.num_images, trigger=TRIGGER, run=run))
    plan = make_plan(facts)
    plan = replace(plan, warnings=tuple(found for found in plan.warnings if found.code not in MEANT))
    for kept in write_run(run, facts, plan, overwrite=overwrite):
        say(kept_sentence(kept))
    if not as_json:
        show(plan_view(facts, plan))
    folder = RunFolder(run)
    job = TrainerJob(folder, on_processor=True)
    with writing(folder, "loracle demo", say), announced_end("the demo"):
        RunStore().remember(run)
        progress = completed(run_trainer(job, make_screen(as_json=as_json)), folder)
        announce("Trained. Drawing with some of its epochs, to see which is the best ...")
        found = tried("Which epoch is the best is not known", partial(_recommended, job, as_json=as_json))
        use = recommendation_document(found, folder, progress.loras)
        announce("Drawing with the base model and with the LoRA, from the same seeds ...")
        lora = None if found is None else found.lora
        draw = partial(_scored, job, lora, as_json=as_json)
        scores = tried("The LoRA is there, but not what it learned in figures", draw)
    report = tried("No report was written", partial(try_run_report, folder))
    seconds = time.monotonic() - began
    if as_json:
        own = {**_document(scores), **use, "seconds": round(seconds, 1), "run": str(run)}
        print_json({**training_document(progress), **own})
        return
    if found is not None:
        show(found.choice.reason)
    show(_summary(scores, seconds))
    made = [] if use["use"] is None else [f"LoRA:     {run / str(use['use'])}"]
    made += [f"Pictures: {folder.before_after}"] if scores is not None else []
    made += [f"Report:   {report}"] if report is not None else []
    show("\n".join(made))


def demo_facts(run: Path) -> Facts:
    """The facts of the demo's plan: this machine's CPU, the embedded model and images."""
    preset = read_preset(PRESET_FILE)
    others = PresetSetting(
        "dataset.regularization_images",
        str(CLASS_FOLDER),
        "pictures of other people, so that the base model keeps what it knew: without them they turn green too",
    )
    preset = replace(preset, settings=(*preset.settings, others))
    answers = Answers(name=TRIGGER, trigger=TRIGGER, use_cpu=True)
    return Facts(probe_hardware(run), scan(CHARACTER_FOLDER), identify(MODEL_FOLDER), answers, preset)


def _recommended(job: TrainerJob, *, as_json: bool) -> Recommended | None:
    """The epoch to use, by pictures that are drawn for that alone."""
    config = job.run.read_config()
    epochs = thinned(tuple(loras_by_epoch(job.run, config)), EPOCHS_SHOWN)
    wish = GridWish(epochs=epochs, prompts=prompts_to_judge_by(), seeds=SEEDS)
    plan = plan_of_run(job, wish, probe_hardware(job.run.path))
    return by_grid(job, config, plan, make_screen(as_json=as_json))


def prompts_to_judge_by() -> tuple[str, ...]:
    """What the demo's epochs are judged by: captions of pictures that were trained on, with the trigger and without it.

    What the demo's own figures are measured on is none of these.
    """
    calling, others = (sorted(folder.glob("*.txt")) for folder in (CHARACTER_FOLDER, CLASS_FOLDER))
    return tuple(file.read_text("utf-8").strip() for file in (*calling[:CALLING], *others[:OTHERS]))


def _scored(job: TrainerJob, lora: Path | None, *, as_json: bool) -> DemoScores:
    """Draw images with and without the LoRA and score them, in a child process that imports torch."""
    given = [] if lora is None else ["--lora", str(lora)]
    run_trainer(
        job, make_screen(as_json=as_json),
        command=lambda job: child_command("trainer.demo.run", str(job.run.path), *given),
    )  # fmt: skip
    return job.run.read_demo_scores()


def _document(scores: DemoScores | None) -> dict[str, object]:
    if scores is None:
        return {"identity": None, "obedience": None, "leak": None}
    return {
        "identity": {
            "before": scores.identity_before, "after": scores.identity_after, "real": scores.identity_real,
        },
        "obedience": {"before": scores.obedience_before, "after": scores.obedience_after},
        "leak": scores.leak,
    }  # fmt: skip


def _summary(scores: DemoScores | None, seconds: float) -> str:
    took = f"All of it took {seconds:.0f} s."
    if scores is None:
        return took
    return (
        f"Identity   {scores.identity_before:.2f} before, {scores.identity_after:.2f} after "
        f"(real pictures of the character: {scores.identity_real:.2f})\n"
        f"Obedience  {scores.obedience_before:.2f} before, {scores.obedience_after:.2f} after "
        f"(1: everything else still follows the prompt)\n{took}"
    )
