"""The command line of `loracle tag`. `wizard.app` has the other commands."""

from __future__ import annotations

from typing import Annotated

import typer

from wizard.exit_codes import exit_on_error
from wizard.options import Json, Run

tagging = typer.Typer()


@tagging.command("tag", short_help="Captions for pictures, by a tagger.")
def tag_command(
    run: Run,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="A WD14-style tagger: its .onnx, or e.g. wd-vit-tagger-v3.  [default: the one used last]",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="SHARE", help="How sure it has to be of a tag.  [default: 0.35]")
    ] = None,
    character_threshold: Annotated[
        float | None, typer.Option(metavar="SHARE", help="The same for names of characters.  [default: 0.85]")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="TAG,TAG", help="Never these tags; may be given several times.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Only these pictures, e.g. '*.png' or 'outdoors/*'.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add tags behind captions that are there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Tags in place of captions that are there.")] = False,
    ratings: Annotated[bool, typer.Option("--ratings", help="With the rating, last.")] = False,
    keep_underscores: Annotated[bool, typer.Option("--keep-underscores", help="As the tagger writes them.")] = False,
    escape_brackets: Annotated[bool, typer.Option("--escape-brackets", help="Write \\( and \\).")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and keep nothing.")] = False,
    device: Annotated[str | None, typer.Option(metavar="cpu", help="Tag on the processor.")] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures at once.  [default: as memory allows]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Download the named tagger, without being asked.")] = False,
    as_json: Json = False,
) -> None:
    """Have a tagger write captions for a run's pictures that have none; they are kept in the run, your files stay."""
    from wizard.commands.tag import tag
    from wizard.interview.pictures.tag_options import TagOptions

    options = TagOptions(
        model=model, threshold=threshold, character_threshold=character_threshold, without=tuple(without or ()),
        only=tuple(only or ()), append=append, replace=replace, ratings=ratings, underscores=keep_underscores,
        escape=escape_brackets, dry_run=dry_run, device=device, batch=batch,
    )  # fmt: skip
    with exit_on_error():
        tag(run, options, yes=yes, as_json=as_json)
