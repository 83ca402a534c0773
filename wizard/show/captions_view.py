"""Captions of a data set: how they stand, their tags, and what an edit changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from advisor.dataset.caption_edits.caption_set import CaptionChange, CaptionSet
from advisor.dataset.caption_edits.overview import CaptionOverview
from advisor.dataset.captions import SEPARATOR
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.run_folder.pictures.edits_file import Change
from advisor.shown_text import visible_line
from advisor.units import counted, first_of
from wizard.own_command import own_command

TAGS_SHOWN = 60
TAG_COLUMNS = 3
CHANGES_SHOWN = 5
"""Of an edit, with the captions before and after it."""
TAGS_AROUND = 2
"""So many unchanged tags are shown on each side of what changed."""
MOST_LETTERS = 240
"""Of a caption in a table."""
CHANGES_IN_WORDS = {
    "blanks": "blanks written for underscores",
    "dedupe": "tags kept once that stood twice",
    "unify": "each tag written in one way",
    "unescape": "plain brackets written for escaped ones",
}
"""Edits that are called by a word of the command line."""
NO_CAPTION = "(no caption)"


def overview_text(captions: CaptionSet, edited: Collection[str], *, is_prepended: bool = False) -> str:
    """How many pictures have captions, of which kind, and whether the trigger is in them.

    Args:
        edited: absolute paths of pictures whose caption was edited here; they may be of other pictures, too.
        is_prepended: training puts the trigger in front of captions that lack it.
    """
    found = CaptionOverview.of(captions)
    kind = "tags" if captions.report.captions_are_tags else "sentences"
    lines = [f"{captions.report.root}: {counted(found.num_images, 'picture')}"]
    lines[0] += f", {len(captions.report.excluded):,} more left out" if captions.report.excluded else ""
    parts = [f"{found.num_captioned:,} ({kind})"] if found.num_captioned else ["none"]
    parts += [f"{found.num_empty:,} empty"] if found.num_empty else []
    parts += [f"{found.num_without:,} without, trained on the trigger alone"] if found.num_without else []
    parts += [f"{found.num_unread:,} not readable"] if found.num_unread else []
    lines.append(f"captions  {', '.join(parts)}")
    if num_edited := len(edited_images(captions.report, edited)):
        lines.append(f"edited    {num_edited:,} of them here; your files stay as they are")
    if captions.trigger and found.num_captioned:
        lines.append(f"trigger   {_trigger(captions.trigger, found, is_prepended=is_prepended)}")
    return "\n".join(lines)


def _trigger(word: str, found: CaptionOverview, *, is_prepended: bool) -> str:
    total = found.num_captioned
    if found.num_trigger_first == total:
        return f'"{word}" comes first in all of them'
    missing, behind = total - found.num_with_trigger, found.num_with_trigger - found.num_trigger_first
    parts = [f"missing in {missing:,}"] if missing else []
    parts += [f"not first in {behind:,}"] if behind else []
    then = "; it is put in front when training" if missing and is_prepended else ""
    return f'"{word}" is {" and ".join(parts)} of {counted(total, "caption")}{then}'


def change_text(change: Change) -> str:
    """What a change was, in words, with the number of its captions or pictures."""
    noun = "caption" if all(edit.caption is not None for edit in change.edits) else "picture"
    return f"{CHANGES_IN_WORDS.get(change.what, change.what)} ({counted(len(change.edits), noun)})"


def tags_view(captions: CaptionSet, most: int | None = TAGS_SHOWN) -> Group:
    """The tags by frequency, each with its number of pictures.

    Args:
        most: so many are shown; None: all.
    """
    tags = list(captions.tags.items())
    shown = tags if most is None else tags[:most]
    height = -(-len(shown) // TAG_COLUMNS)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for _ in range(TAG_COLUMNS):
        table.add_column("number", justify="right", min_width=5)
        table.add_column("tag", ratio=1, overflow="fold", style="bold")
    for row in range(height):
        cells = [cell for tag, number in shown[row::height] for cell in (f"{number:,}", _cell(tag))]
        table.add_row(*cells)
    rest = len(tags) - len(shown)
    if not rest:
        return Group(table)
    command = own_command("captions", "RUN", "tags")
    return Group(table, Text(f"and {counted(rest, 'rarer tag')}: `{command}` shows all"))


def edited_images(report: DatasetReport, edited: Collection[str]) -> tuple[ImageFile, ...]:
    """Those of a report's pictures whose caption was edited.

    Args:
        edited: absolute paths of pictures whose caption was edited.
    """
    return tuple(image for image in report.image_files if report.path_of(image) in edited)


def captions_view(captions: CaptionSet, edited: Collection[str]) -> Table:
    """Each picture with its caption, those edited here with a mark.

    Args:
        edited: absolute paths of pictures whose caption was edited here.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("picture", ratio=1, overflow="fold", style="cyan")
    table.add_column("caption", ratio=3, overflow="fold")
    for image in captions.report.image_files:
        mark = " *" if captions.report.path_of(image) in edited else ""
        table.add_row(_cell(image.path + mark), Text(image.caption or NO_CAPTION))
    return table


def changes_view(changes: Sequence[CaptionChange]) -> Group:
    """The first changes, each with what stands around it before and after, and how many more there are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("picture", ratio=2, overflow="fold", style="cyan")
    table.add_column("before", ratio=4, overflow="fold")
    table.add_column("after", ratio=4, overflow="fold", style="bold")
    shown = first_of(changes, CHANGES_SHOWN)
    for change in shown:
        before, after = around_change(change.before or "", change.after)
        table.add_row(_cell(change.image.path), _cell(before or NO_CAPTION), _cell(after or NO_CAPTION))
    rest = len(changes) - len(shown)
    return Group(table, *([Text(f"and {rest:,} more")] if rest > 0 else []))


def around_change(before: str, after: str) -> tuple[str, str]:
    """Both captions without the tags that are the same in front and at the end, but for a few beside what differs."""
    old, new = before.split(SEPARATOR), after.split(SEPARATOR)
    shortest, start, end = min(len(old), len(new)), 0, 0
    while start < shortest and old[start].strip() == new[start].strip():
        start += 1
    while end < shortest - start and old[-1 - end].strip() == new[-1 - end].strip():
        end += 1
    front, back = max(0, start - TAGS_AROUND), max(0, end - TAGS_AROUND)
    shown = (SEPARATOR.join(tags[front : len(tags) - back]).strip() for tags in (old, new))
    first, second = ((f"..., {text}" if front else text) + (", ..." if back else "") for text in shown)
    return first, second


def _cell(text: str) -> Text:
    line = visible_line(text)
    return Text(line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]}...")
