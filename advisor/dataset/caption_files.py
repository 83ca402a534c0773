"""Caption files: what they say, and what is wrong with those that cannot be read as UTF-8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.caption_encoding import guess_encoding
from advisor.files import open_regular
from advisor.same_place import resolved

MOST_CAPTION_BYTES = 64 * 1024
"""A longer file is no caption; the text encoder sees some 1,000 bytes of it at most."""

LINKED = "where its picture is not, and is not read: put the file itself there if it is a caption"
WAY_TO_UTF8 = "save it as UTF-8 (Notepad: Save as, Encoding UTF-8; VS Code: Save with Encoding)"


@dataclass(frozen=True, slots=True)
class CaptionText:
    """A caption file's text, or why there is none."""

    text: str | None
    """Without surrounding blanks; None where the file cannot be used."""
    code: str = ""
    """The problem's code in a report; empty where all is well."""
    message: str = ""


def read_caption(path: Path, image: Path) -> CaptionText:
    """What a picture's caption file says. A link that leads elsewhere than its picture may come from a stranger.

    A LoRA holds its captions, and so would anything else of the user's that such a link leads to.
    """
    try:
        if path.is_symlink() and not _goes_with(path, image):
            return CaptionText(None, "unreadable_caption", f"it is a link to {resolved(path)}, {LINKED}")
        with open_regular(path) as file:
            content = file.read(MOST_CAPTION_BYTES + 1)
    except OSError as error:
        return CaptionText(None, "unreadable_caption", f"the file cannot be read: {error.strerror or error}")
    return caption_text(content)


def _goes_with(link: Path, image: Path) -> bool:
    """Whether a caption's link stays in its folder, or leads to what beside the real picture is of the same name."""
    target = resolved(link)
    return target.parent == resolved(link.parent) or target.with_suffix("") == resolved(image).with_suffix("")


def caption_text(content: bytes) -> CaptionText:
    """What a caption file with this content says."""
    if len(content) > MOST_CAPTION_BYTES:
        size = MOST_CAPTION_BYTES // 1024
        return CaptionText(None, "long_caption", f"the file is over {size} KiB long, so it is no caption: shorten it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _wrong_encoding(content)
    if "\0" in text:
        return _wrong_encoding(content)
    text = text.strip()
    if not text:
        return CaptionText(
            "", "empty_caption", "the caption is empty: write what the picture shows, or delete the file"
        )
    return CaptionText(text)


def _wrong_encoding(content: bytes) -> CaptionText:
    guess = guess_encoding(content)
    looks = f"it looks like {guess}" if guess else "it is in no encoding we know, or no text at all"
    return CaptionText(None, "caption_encoding", f"the caption is not UTF-8 ({looks}) and is not used: {WAY_TO_UTF8}")
