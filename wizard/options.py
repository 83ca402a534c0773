"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def complete_words(words: str) -> Callable[[str], list[str]]:
    """What the shell offers for an option that takes one of these words.

    Args:
        words: as the help has them, with `|` between.
    """

    def complete(incomplete: str) -> list[str]:  # typer wants that name
        return [word for word in words.split("|") if word.startswith(incomplete)]

    return complete


def complete_settings(incomplete: str) -> list[str]:
    """What the shell offers for `--set`: the settings' paths, each with its `=`."""
    from advisor.settings.config import setting_paths

    return [f"{path}=" for path in setting_paths() if path.startswith(incomplete)]


SUBJECTS, ADVICES = "character|flexible|style", "tutorial|current"

Images = Annotated[str | None, typer.Option(metavar="DIR", help="The folder with the pictures; it is only read.")]
Model = Annotated[str | None, typer.Option(metavar="FILE", help="The base model: .safetensors, or a diffusers folder.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="What the LoRA is called; becomes its file name.")]
Trigger = Annotated[str | None, typer.Option(metavar="WORD", help="The word that calls it up.  [default: NAME]")]
Subject = Annotated[
    str | None,
    typer.Option(
        metavar=SUBJECTS,
        help="A character, one that stays flexible, or a style.",
        autocompletion=complete_words(SUBJECTS),
    ),
]
Advice = Annotated[
    str | None,
    typer.Option(
        metavar=ADVICES,
        help="Whose rules of thumb are followed.  [default: tutorial]",
        autocompletion=complete_words(ADVICES),
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Choose a setting by name, e.g. network.rank=48; repeatable.",
        autocompletion=complete_settings,
    ),
]
Vram = Annotated[str | None, typer.Option(metavar="SIZE", help="Plan for a card with so much memory, e.g. 8GiB.")]
Capability = Annotated[
    str | None, typer.Option("--compute-capability", metavar="X.Y", help="Plan for a card of this kind, e.g. 8.6.")
]
CardName = Annotated[
    str | None, typer.Option("--card", metavar="NAME", help="Plan for a card by name, e.g. 'RTX 3060 12GB'.")
]
Threads = Annotated[int | None, typer.Option("--cpu-threads", metavar="N", help="Plan for a CPU with N threads.")]
GpuIndex = Annotated[
    int | None, typer.Option("--gpu", metavar="N", help="The card to use, as nvidia-smi counts.  [default: most free]")
]
Preset = Annotated[Path | None, typer.Option(metavar="FILE", help="A preset of your own, which beats the rules.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else there.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what you changed or made, too; each is kept as NAME.bak.")
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its loracle.toml.")]
