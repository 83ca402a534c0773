"""Caption files: what they say, and what is wrong with those that cannot be read as UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from advisor.files import open_regular

MOST_CAPTION_BYTES = 64 * 1024
"""A longer file is no caption; the text encoder sees some 1,000 bytes of it at most."""

KANA = re.compile("[\u3041-\u30ff]")
"""Japanese syllables: hardly any Japanese text is without."""

HANGUL_LEADS = range(0xB0, 0xC9)
"""First bytes of EUC-KR's syllables; Chinese text has other ones too."""
ENOUGH_SYLLABLES = 6
"""A shorter text proves nothing either way."""

HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
WITHIN_WORDS = re.compile(rb"[A-Za-z][\x80-\xff]{1,2}|[\x80-\xff]{1,2}[A-Za-z]")
CYRILLIC_SMALL = 0xE0
"""From here on Windows-1251 has the small letters, which are most of a Russian text."""

WAY_TO_UTF8 = "save it as UTF-8 (Notepad: Save as, Encoding UTF-8; VS Code: Save with Encoding)"


@dataclass(frozen=True, slots=True)
class CaptionText:
    """A caption file's text, or why there is none."""

    text: str | None
    """Without surrounding blanks; None where the file cannot be used."""
    code: str = ""
    """The problem's code in a report; empty where all is well."""
    message: str = ""


def read_caption(path: Path) -> CaptionText:
    """What a caption file says."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_CAPTION_BYTES + 1)
    except OSError as error:
        return CaptionText(None, "unreadable_caption", f"the file cannot be read: {error.strerror or error}")
    return caption_text(content)


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


def guess_encoding(content: bytes) -> str | None:
    """The name of the encoding that bytes which are not UTF-8 are probably in; None where nothing fits."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _has_every_other_byte_zero(content):
        return "UTF-16, which Windows calls Unicode"
    if b"\0" in content:
        return None
    if _decodes(content, "shift_jis") and KANA.search(content.decode("shift_jis")):
        return "Shift-JIS (Japanese)"
    runs = HIGH_BYTES.findall(content)
    if _is_western(content, runs):
        return "Windows-1252 (Western European)"
    high = b"".join(runs)
    if sum(byte >= CYRILLIC_SMALL for byte in high) > 0.8 * len(high) and _decodes(content, "cp1251"):
        return "Windows-1251 (Cyrillic)"
    if _decodes(content, "gbk"):
        leads = b"".join(run[0::2] for run in runs)
        is_korean = len(leads) >= ENOUGH_SYLLABLES and all(lead in HANGUL_LEADS for lead in leads)
        return "EUC-KR (Korean)" if is_korean else "GBK (Chinese)"
    for encoding, name in (("big5", "Big5 (Chinese)"), ("shift_jis", "Shift-JIS (Japanese)")):
        if _decodes(content, encoding):
            return name
    return None


def _is_western(content: bytes, runs: list[bytes]) -> bool:
    """Whether the bytes beyond ASCII stand as accented letters do: one or two, within words."""
    if any(len(run) > 2 for run in runs) or not _decodes(content, "cp1252"):
        return False
    return all(len(run) == 1 for run in runs) or 2 * len(WITHIN_WORDS.findall(content)) >= len(runs)


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _has_every_other_byte_zero(content: bytes) -> bool:
    """Whether it is Latin text in UTF-16 without its mark."""
    zeros = max(content[0::2].count(0), content[1::2].count(0))
    return len(content) >= 4 and zeros > 0.8 * (len(content) // 2)
