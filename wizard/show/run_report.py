"""Writes a run's report.html, for a demo with the scores of its images."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import LoraError
from advisor.files import is_file
from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import UsersFiles
from templates.report.page import Score, write_report
from wizard.output import say
from wizard.own_command import own_command

HINT = "{command} draws the LoRA of each epoch beside the base model, measures the pictures and says which to take."


def write_run_report(run: RunFolder, *, page: Path | None = None, overwrite: bool = False) -> Path:
    """Write the page of a run; returns its path.

    Args:
        page: where to; None: `report.html` in the run folder.
        overwrite: replace a page that the user changed or made, after keeping it beside.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: the run has no plan.json, its scores are damaged, or the page cannot be written.
    """
    run.refuse_links_out()
    hint = HINT.format(command=own_command("grid", run.as_given))
    if not is_file(run.demo_scores):
        return write_report(run, hint=hint, page=page, overwrite=overwrite, tell=say)
    scores = _scores(run.read_demo_scores())
    note = "The demo, trained on the processor. Rows with the same seeds stand above each other."
    return write_report(run, scores=scores, note=note, hint=hint, page=page, overwrite=overwrite, tell=say)


def try_run_report(run: RunFolder) -> Path | None:
    """Write the report if the run has a plan.json; print an error instead of raising it.

    Returns:
        Its path; None where none was written.
    """
    try:
        return write_run_report(run) if is_file(run.plan) else None
    except UsersFiles as error:
        command = own_command("report", run.as_given)
        say(f"No report was written: {error.told}. {command} --overwrite writes it, and keeps that one beside")
    except LoraError as error:
        say(f"No report was written: {error}")
    return None


def _scores(scores: DemoScores) -> tuple[Score, ...]:
    return (
        Score(
            "Identity", scores.identity_before, scores.identity_after,
            f"0: nothing of the character; real pictures have {scores.identity_real:.2f}",
        ),
        Score(
            "Obedience", scores.obedience_before, scores.obedience_after,
            "1: backgrounds still follow the prompt, and people without the trigger stay as they were asked for",
        ),
    )  # fmt: skip
