"""The command line of what only looks: at runs, models, pictures, the machine. `wizard.app` has the other commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wizard.exit_codes import exit_on_error
from wizard.options import Json, Run

inspection = typer.Typer()


@inspection.command("runs", short_help="Your runs, and how each stands.")
def runs_command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Only the runs in it.  [default: those here and used before]")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runs in the current folder and those used before: planned, training, finished, interrupted, dead."""
    from wizard.commands.runs import runs

    with exit_on_error():
        runs(folder, as_json=as_json)


@inspection.command("status", short_help="How a run stands; follows it while it trains.")
def status_command(
    run: Run,
    once: Annotated[bool, typer.Option("--once", help="Tell it once, and do not follow the training.")] = False,
    as_json: Json = False,
) -> None:
    """Tell how a run stands, from its events. In a terminal it is followed while it trains; Ctrl-C leaves it."""
    from wizard.commands.status import status

    with exit_on_error():
        status(run, once=once, as_json=as_json)


@inspection.command("identify", short_help="What a checkpoint or LoRA is.")
def identify_command(file: Annotated[str, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Tell what a checkpoint or LoRA is, by its header alone."""
    from wizard.commands.identify import identify

    with exit_on_error():
        identify(file, as_json=as_json)


@inspection.command("check", short_help="Look through a folder of pictures.")
def check_command(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder of pictures, or a run's.")],
    trigger: Annotated[
        str, typer.Option(metavar="WORD", help="The trigger word.  [default: what most captions begin with]")
    ] = "",
    resolution: Annotated[
        int | None,
        typer.Option(metavar="PX", min=64, max=4096, help="What it is trained at.  [default: the run's, else 512]"),
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option(metavar="CODE[:FILE]", help="Keep a finding as it is; repeatable.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is kept.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="End with code 2 where there are errors.")] = False,
    html: Annotated[str, typer.Option(metavar="FILE", help="Write a page with all pictures and findings.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Look through a folder of pictures: sizes, captions, copies, blur and much more, each with what to do.

    The pictures are decoded once and only read; what was measured is kept in your data folder. A run's pictures are
    looked at with your edits of them.
    """
    from wizard.commands.check import CheckOptions, check

    with exit_on_error():
        options = CheckOptions(
            trigger=trigger,
            resolution_px=resolution,
            waive=tuple(waive or ()),
            reason=reason,
            strict=strict,
            html=html,
            overwrite=overwrite,
            as_json=as_json,
        )
        check(folder, options)


@inspection.command("doctor", short_help="Look at this machine: verdicts and mends.")
def doctor_command(as_json: Json = False) -> None:
    """Look at Python, driver, torch, precision and disk: a verdict each, and the mend."""
    from wizard.commands.doctor import doctor

    with exit_on_error():
        doctor(as_json=as_json)
