"""The command line of what edits captions and chooses pictures. `wizard.app` has the other commands."""

from __future__ import annotations

from typing import Annotated

import typer

from wizard.exit_codes import exit_on_error
from wizard.options import Json, Run, complete_words

captioning = typer.Typer()

ACTIONS = "list|tags|add|remove|rename|first|prune|replace|set|dedupe|unify|blanks|unescape|history|undo"
Patterns = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Only pictures with this path or name; * fits any.")
]


@captioning.command("captions", short_help="See and edit a run's captions; your files stay as they are.")
def captions_command(
    run: Run,
    action: Annotated[str, typer.Argument(metavar="ACTION", help=ACTIONS, autocompletion=complete_words(ACTIONS))] = "",
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="What the action is about.")] = None,
    only: Patterns = None,
    having: Annotated[
        list[str] | None, typer.Option("--with", metavar="TAG", help="Only pictures whose caption has this tag.")
    ] = None,
    lacking: Annotated[
        list[str] | None, typer.Option("--without", metavar="TAG", help="Only pictures whose caption lacks it.")
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only pictures without a caption.")] = False,
    front: Annotated[bool, typer.Option("--front", help="add: in front, behind the trigger.")] = False,
    after: Annotated[str, typer.Option(metavar="TAG", help="add: behind this tag, where it is.")] = "",
    over: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="prune: tags in so many captions.  [default: 85]")
    ] = None,
    within_words: Annotated[
        bool, typer.Option("--within-words", help="replace: also where it is a part of a longer word.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """See how a run's captions stand, and edit them. What is edited is kept in the run; your files stay as they are.

    \b
    (no action)          pictures with and without captions, the trigger, tags by frequency
    list, tags           each picture's caption; every tag
    add TAG...           at the end, where it lacks; --front, --after TAG
    remove TAG...        whole tags; * stands for any text: '*background'
    rename OLD NEW       one tag into another; what stands there twice then is kept once
    first [TAG]          to the front; without TAG the trigger, which is put before every caption
    prune [TAG...]       without TAG those in nearly all captions; --over PERCENT
    replace OLD NEW      any text, as a word; --within-words
    set TEXT             this caption, for the pictures that --only and the like name
    dedupe               each tag once
    unify                each tag written in one way, as most captions have it
    blanks               blanks for underscores
    unescape             ( for \\(
    history, undo [N]    what was changed; the last change taken back, or the last N
    """
    from advisor.dataset.caption_edits.selection import Selection
    from wizard.commands.captions import CaptionOptions, captions
    from wizard.interview.pictures.caption_words import EditOptions

    selection = Selection(tuple(only or ()), tuple(having or ()), tuple(lacking or ()), missing)
    edit = EditOptions(front=front, after=after, over=over, within_words=within_words)
    with exit_on_error():
        captions(run, action, words or (), CaptionOptions(selection, edit, dry_run=dry_run, as_json=as_json))


PICTURE_ACTIONS = "leave-out|take-in|crop"


@captioning.command("pictures", short_help="Leave pictures of a run out, or crop them; your files stay as they are.")
def pictures_command(
    run: Run,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help=PICTURE_ACTIONS, autocompletion=complete_words(PICTURE_ACTIONS))
    ] = "",
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="PATTERN", help="Paths or names of pictures; * fits any text.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="leave-out: why.")] = "left out by you",
    box: Annotated[str, typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="crop: in pixels; off: all of it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """See which pictures of a run are left out or cropped, and change that. It is kept in the run; your files stay.

    \b
    (no action)           what is left out and why, and what is cropped
    leave-out PATTERN...  not trained; --reason TEXT
    take-in PATTERN...    trained again
    crop PATTERN...       this part alone is trained; --box LEFT,TOP,RIGHT,BOTTOM
    """
    from wizard.commands.pictures import PictureOptions, pictures

    with exit_on_error():
        options = PictureOptions(reason=reason, box=box, dry_run=dry_run, as_json=as_json)
        pictures(run, action, patterns or (), options)
