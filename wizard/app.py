"""The command line: commands and options. Each command imports its module of `wizard.commands` when it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wizard.captioning import captioning
from wizard.exit_codes import exit_on_error
from wizard.inspection import inspection
from wizard.interview.machine_options import MachineOptions
from wizard.interview.request import PlanRequest
from wizard.options import (
    Advice,
    Capability,
    CardName,
    GpuIndex,
    Images,
    Json,
    Model,
    Name,
    Overwrite,
    Preset,
    Run,
    Set,
    Subject,
    Threads,
    Trigger,
    Vram,
    complete_words,
)
from wizard.queueing import queueing, sweeping
from wizard.tagging import tagging

app = typer.Typer(
    name="loracle",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Answer a few questions, get a character LoRA that fits your card. Without a command: the questions.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

TRAINERS = "kohya-gui|sd-scripts|onetrainer|ai-toolkit|musubi-tuner|skypilot"
"""The names in `templates.exporters`, whose import would delay every help text."""


@app.callback(invoke_without_command=True)
def loracle(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Answer a few questions, get a character LoRA that fits your card. Without a command: the questions."""
    if version:
        from advisor.environment.packages import own_version

        typer.echo(f"loracle {own_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from wizard.commands.new import new

        with exit_on_error():
            new()


@app.command("new", short_help="The questions, then plan, save and train.")
def new_command(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="The run folder.  [default: ./NAME]")] = None,
    images: Images = None,
    model: Model = None,
    name: Name = None,
    trigger: Trigger = None,
    subject: Subject = None,
    advice: Advice = None,
    settings: Set = None,
    vram: Vram = None,
    card: CardName = None,
    compute_capability: Capability = None,
    cpu_threads: Threads = None,
    gpu: GpuIndex = None,
    preset: Preset = None,
) -> None:
    """Ask about a new LoRA, then plan, save and train it. What the options answer is not asked."""
    from wizard.commands.new import new

    machine = MachineOptions(vram, compute_capability, cpu_threads, gpu, card)
    request = PlanRequest(
        images=images, model=model, name=name, trigger=trigger, subject=subject, advice=advice,
        settings=tuple(settings or ()), machine=machine, preset=preset,
    )  # fmt: skip
    with exit_on_error():
        new(run, request)


@app.command("plan", short_help="The plan, without questions.")
def plan_command(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A planned run, which answers what no option does.")
    ] = None,
    images: Images = None,
    model: Model = None,
    name: Name = None,
    trigger: Trigger = None,
    subject: Subject = None,
    advice: Advice = None,
    settings: Set = None,
    vram: Vram = None,
    card: CardName = None,
    compute_capability: Capability = None,
    cpu_threads: Threads = None,
    gpu: GpuIndex = None,
    preset: Preset = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Write the run folder here.")] = None,
    save_preset: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save what differs from the rules, as a preset to share.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="What tutorial and current advise differently, and why.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every setting with its reason, not only the main ones.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """The same without questions: the plan, each setting with its reason, and what --set changes in it."""
    from wizard.commands.plan import plan

    machine = MachineOptions(vram, compute_capability, cpu_threads, gpu, card)
    request = PlanRequest(
        images=images, model=model, name=name, trigger=trigger, subject=subject, advice=advice,
        settings=tuple(settings or ()), machine=machine, preset=preset,
    )  # fmt: skip
    with exit_on_error():
        plan(
            request, run=run, out=out, save_preset=save_preset, compare=compare, full=full, overwrite=overwrite,
            as_json=as_json,
        )  # fmt: skip


@app.command("train", short_help="Train a planned run, or several.")
def train_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="A run folder, or its loracle.toml; several one after another, or one per card."
        ),
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Train to N epochs in all; a finished run goes on.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read, from now on.")
    ] = False,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="Train on the processor.")] = None,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="all|N", help="So many cards: one run they train together, of several runs each trains one."
        ),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="0,2", help="Which cards, as nvidia-smi counts.  [default: the planned one]")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", help="On the processor: so many train one run together, or so many runs at once."),
    ] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="As one of the processes that torchrun starts, on several machines.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a planned run, in a process of its own; several one after another, whatever becomes of the others.

    With --gpus, --gpu or --processes one run is trained by all of them together, and of several runs each by one.
    """
    from wizard.processes.process_options import ProcessOptions

    together = ProcessOptions(gpus, gpu, processes)
    if distributed:
        from wizard.commands.train_distributed import train_distributed

        with exit_on_error():
            train_distributed(
                runs, resume=resume, epochs=epochs, skip_broken=skip_broken, device=device, processes=together,
                as_json=as_json,
            )  # fmt: skip
        return
    if len(runs) > 1:
        from wizard.commands.train_listed import ListedOptions
        from wizard.commands.train_several import train_several

        with exit_on_error():
            options = ListedOptions(resume, epochs, skip_broken, device)
            train_several(runs, options, processes=together, as_json=as_json)
        return
    from wizard.commands.train import train

    with exit_on_error():
        train(
            runs[0], resume=resume, epochs=epochs, skip_broken=skip_broken, device=device, processes=together,
            as_json=as_json,
        )  # fmt: skip


@app.command("measure", short_help="Some real steps, beside what was predicted.")
def measure_command(
    run: Run,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="On the processor.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Adjust the plan to what was measured, without asking.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a few real steps of a planned run, show them beside what was predicted, and offer to adjust the plan."""
    from wizard.commands.measure import measure

    with exit_on_error():
        measure(run, device=device, yes=yes, overwrite=overwrite, as_json=as_json)


@app.command("grid", short_help="Pictures of each epoch, and the one to use.")
def grid_command(
    target: Annotated[str, typer.Argument(metavar="RUN|LORA", help="A run folder, or a LoRA's .safetensors file.")],
    model: Annotated[
        str | None, typer.Option(metavar="BASE", help="The base model, for a LoRA's file: .safetensors or a folder.")
    ] = None,
    epochs: Annotated[
        str | None, typer.Option(metavar="3,6,10", help="Which epochs.  [default: all, or ten evenly spread]")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="0.6,0.8,1", help="How strongly the LoRA counts.  [default: 1]")
    ] = None,
    prompts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Prompts, one a line.  [default: the run's, or proposed ones]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Pictures of each prompt.  [default: 2 to 4]")] = None,
    out: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where to, for a LoRA's file.  [default: ./NAME-grid]")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="Draw on the processor.")] = None,
    vote: Annotated[
        bool, typer.Option("--vote", help="Pick yourself: two pictures at a time, and not which epoch drew them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw with each epoch of a run, or with anybody's LoRA, and with the base model alone, from the same seeds."""
    from wizard.commands.grid import grid
    from wizard.interview.drawing.grid_options import GridOptions

    options = GridOptions(
        model=model, epochs=epochs, weights=weights, prompts=prompts, seeds=seeds, out=out, device=device
    )
    with exit_on_error():
        grid(target, options, vote=vote, as_json=as_json)


@app.command("export", short_help="Write a run for another trainer.")
def export_command(
    run: Run,
    to: Annotated[
        str, typer.Option("--to", metavar=TRAINERS, help="Which trainer.", autocompletion=complete_words(TRAINERS))
    ],
    out: Annotated[Path | None, typer.Option(metavar="PATH", help="Where to; without it below RUN/exports.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copies of the pictures, no hard links to them.")] = False,
    with_prompts: Annotated[
        bool, typer.Option("--with-prompts", help="Have it draw pictures too, by the prompts that Loracle proposed.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a run's plan as another trainer's files."""
    from wizard.commands.export import export

    with exit_on_error():
        export(run, to=to, out=out, overwrite=overwrite, copy=copy, with_prompts=with_prompts, as_json=as_json)


@app.command("import", short_help="Take over another trainer's file.")
def import_command(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="kohya JSON, sd-scripts TOML, OneTrainer, ai-toolkit, or a LoRA.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run folder.")],
    images: Annotated[str | None, typer.Option(metavar="DIR", help="The pictures, instead of the file's.")] = None,
    model: Annotated[str | None, typer.Option(metavar="FILE", help="The base model, instead of the file's.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The LoRA's name, instead of the file's.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take what makes sense of a Dreambooth or similar file.")] = False,
    overwrite: Overwrite = False,
    outside_files: Annotated[
        bool, typer.Option("--outside-files", help="Read prompts it names outside its own folder, too.")
    ] = False,
    wandb: Annotated[bool, typer.Option("--wandb", help="Take over its project of Weights & Biases.")] = False,
    as_json: Json = False,
) -> None:
    """Make a run of another trainer's configuration, or of a LoRA's own metadata, and tell what became of each key."""
    from wizard.commands.import_ import import_

    with exit_on_error():
        import_(
            path, out=out, images=images, model=model, name=name, yes=yes, outside_files=outside_files, wandb=wandb,
            overwrite=overwrite, as_json=as_json,
        )  # fmt: skip


@app.command("report", short_help="One page of a run, or of several side by side.")
def report_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="The run folder; several are compared.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to; without it RUN/report.html, of several comparison.html there."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write RUN/report.html anew: pictures, the epoch to use, curves, and every setting with its reason.

    Of several runs one page: the same prompts' pictures beside each other, what came of each, which settings differ.
    """
    from wizard.commands.report import report

    with exit_on_error():
        report(runs, out=out, overwrite=overwrite, as_json=as_json)


app.add_typer(queueing)
for more in (captioning, inspection, tagging, sweeping):
    app.registered_commands += more.registered_commands


@app.command("convert", short_help="Make a .safetensors file of a .ckpt.")
def convert_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE.ckpt", help="A pickle: .ckpt, .pt, .bin. Or a LoRA in kohya's names.")
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE.safetensors", help="The new file.  [default: beside the old]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to reading a pickle, without being asked.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the weights of a pickled model as a .safetensors file; whatever else is in it is refused by name.

    A LoRA (.safetensors) in kohya's names is written in those of diffusers and peft.
    """
    from wizard.commands.convert import convert

    with exit_on_error():
        convert(file, out=out, yes=yes, overwrite=overwrite, as_json=as_json)


@app.command("demo", short_help="See the whole way on a built-in model.")
def demo_command(
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="The run folder.  [default: ./loracle-demo]")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """The whole way on a small built-in model: plan, train, draw before and after, measure. Offline, on any CPU."""
    from wizard.commands.demo import demo

    with exit_on_error():
        demo(out, overwrite=overwrite, as_json=as_json)
