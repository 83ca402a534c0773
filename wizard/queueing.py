"""The command line of `loracle queue` and `loracle sweep`. `wizard.app` has the other commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wizard.exit_codes import exit_on_error
from wizard.options import Json, Run
from wizard.processes.process_options import ProcessOptions

queueing = typer.Typer(
    name="queue",
    short_help="A list of runs to train that outlives the terminal.",
    help="A list of runs to train, one after another, that outlives the terminal. Without an action: the list.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
sweeping = typer.Typer()
Gpus = Annotated[str | None, typer.Option(metavar="all|N", help="So many cards, each of which trains a run.")]
Gpu = Annotated[str | None, typer.Option(metavar="0,2", help="Which cards, as nvidia-smi counts; each trains a run.")]
Processes = Annotated[int | None, typer.Option(metavar="N", help="So many runs at once, on the processor.")]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN", help="A run folder, or its loracle.toml; several.")]


@queueing.callback(invoke_without_command=True)
def queue_command(context: typer.Context) -> None:
    """A list of runs to train, one after another, that outlives the terminal. Without an action: the list."""
    if context.invoked_subcommand is None:
        from wizard.commands.queue import show_list

        with exit_on_error():
            show_list()


@queueing.command("add", short_help="Add runs at its end.")
def add_command(
    runs: Runs,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="Train to N epochs in all.")] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read, from now on.")
    ] = False,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="Train on the processor.")] = None,
) -> None:
    """Add runs at the end of the queue; those that were begun are gone on with."""
    from wizard.commands.queue import add
    from wizard.show.queue_view import QueueOptions

    with exit_on_error():
        add(runs, QueueOptions(epochs, skip_broken, device))


@queueing.command("list", short_help="What has ended, what is trained, what waits.")
def list_command(as_json: Json = False) -> None:
    """Show the queue: what has ended, what is trained, and what waits, in its order."""
    from wizard.commands.queue import show_list

    with exit_on_error():
        show_list(as_json=as_json)


@queueing.command("remove", short_help="Take runs out; their folders stay.")
def remove_command(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Runs, or their numbers in the list.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="All that have ended.")] = False,
) -> None:
    """Take runs out of the queue; their folders stay as they are."""
    from wizard.commands.queue import remove

    with exit_on_error():
        remove(runs or (), ended=ended)


@queueing.command("move", short_help="Give a run another place.")
def move_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or its number in the list.")],
    place: Annotated[str, typer.Argument(metavar="PLACE", help="first, last, or which of those that wait, from 1.")],
) -> None:
    """Give a run another place among those that wait."""
    from wizard.commands.queue import move

    with exit_on_error():
        move(run, place)


@queueing.command("start", short_help="Train what waits, one after another or one per card.")
def start_command(
    background: Annotated[
        bool, typer.Option("--background", help="In a process of its own, which outlives this terminal.")
    ] = False,
    gpus: Gpus = None,
    gpu: Gpu = None,
    processes: Processes = None,
) -> None:
    """Train the runs that wait, one after another, until none does; those that were begun are gone on with.

    With --gpus, --gpu or --processes several are trained at the same time, each by one card or process; to let several
    cards train one run together is `loracle train RUN --gpus`.
    """
    from wizard.commands.queue_start import start

    with exit_on_error():
        start(ProcessOptions(gpus, gpu, processes), background=background)


@queueing.command("stop", short_help="End the training; what is at hand is saved.")
def stop_command(
    after_run: Annotated[bool, typer.Option("--after-run", help="Once what is at hand is trained.")] = False,
) -> None:
    """End what `start` began: what is at hand is saved, and waits on at its place."""
    from wizard.commands.queue import stop

    with exit_on_error():
        stop(after_run=after_run)


@sweeping.command("sweep", short_help="Other values of some settings, compared.")
def sweep_command(
    run: Run,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=V1,V2", help="A setting and the values to try; repeatable: all together."),
    ],
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Only so many of the combinations, drawn at random.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to.  [default: RUN-sweep]")] = None,
    add_only: Annotated[
        bool, typer.Option("--add-only", help="Put them into the queue, and train nothing here.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read, from now on.")
    ] = False,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="Train on the processor.")] = None,
    gpus: Gpus = None,
    gpu: Gpu = None,
    processes: Processes = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Let a Ray cluster train them, several at once.")
    ] = None,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="On a cluster: stop trials whose pictures fall behind.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a planned run with other values of some settings, each as a run of its own; compare them on one page.

    With --gpus, --gpu or --processes several trials are trained at the same time, each by one card or process.
    """
    from wizard.commands.sweep import SweepOptions, sweep

    several = ProcessOptions(gpus, gpu, processes)
    with exit_on_error():
        sweep(
            run,
            SweepOptions(tuple(vary), trials, out, add_only, skip_broken, device, several, cluster, stop_early),
            as_json=as_json,
        )
