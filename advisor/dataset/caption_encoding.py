"""Which encoding a caption is in that is not UTF-8: a guess for the user, and the text where it is sure."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

HANGUL_LEADS = range(0xB0, 0xC9)
"""First bytes of EUC-KR's syllables; Chinese text has other ones too."""
ENOUGH_SYLLABLES = 6
"""A shorter text proves nothing either way."""

HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
WITHIN_WORDS = re.compile(rb"[A-Za-z][\x80-\xff]{1,2}|[\x80-\xff]{1,2}[A-Za-z]")
CYRILLIC_SMALL = 0xE0
"""From here on Windows-1251 has the small letters, which are most of a Russian text."""

LIKELY, UNLIKELY = 0.8, 0.4
"""Shares of a text's characters that are usual ones of a language: from LIKELY on it is that language, up to UNLIKELY
not."""
LEAST_CHARACTERS = 2
"""Beyond ASCII; of fewer nothing is sure."""
JAPANESE, CHINESE, KOREAN = "Shift-JIS (Japanese)", "GBK (Chinese)", "EUC-KR (Korean)"


@dataclass(frozen=True)
class DecodedText:
    """A text, and what it was decoded from."""

    text: str
    encoding: str
    """Its name for the user."""


def sure_text(content: bytes) -> DecodedText | None:
    """The text where only one encoding makes sense of it; None where that is a guess or nothing does."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decoded(content, "utf-16", "UTF-16")
    japanese, chinese = japanese_share(content), chinese_share(content)
    if japanese >= LIKELY and chinese <= UNLIKELY:
        return _decoded(content, "cp932", JAPANESE)
    if chinese >= LIKELY and japanese <= UNLIKELY and not _may_be_korean(content):
        return _decoded(content, "gbk", CHINESE)
    return None


def guess_encoding(content: bytes) -> str | None:
    """The name of the encoding that bytes which are not UTF-8 are probably in; None where nothing fits."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _has_every_other_byte_zero(content):
        return "UTF-16, which Windows calls Unicode"
    if b"\0" in content:
        return None
    japanese = japanese_share(content)
    if japanese >= LIKELY and japanese > chinese_share(content):
        return JAPANESE
    runs = HIGH_BYTES.findall(content)
    if _is_western(content, runs):
        return "Windows-1252 (Western European)"
    high = b"".join(runs)
    if sum(byte >= CYRILLIC_SMALL for byte in high) > 0.8 * len(high) and _decodes(content, "cp1251"):
        return "Windows-1251 (Cyrillic)"
    if _decodes(content, "gbk"):
        leads = b"".join(run[0::2] for run in runs)
        is_korean = len(leads) >= ENOUGH_SYLLABLES and all(lead in HANGUL_LEADS for lead in leads)
        return KOREAN if is_korean else CHINESE
    for encoding, name in (("big5", "Big5 (Chinese)"), ("shift_jis", JAPANESE)):
        if _decodes(content, encoding):
            return name
    return None


def japanese_share(content: bytes) -> float:
    """Which share of the characters beyond ASCII are syllables, signs and the usual kanji of Shift-JIS; 0 where it is
    none.

    JIS X 0208 has the usual kanji in its rows 16 to 47, whose first bytes are 0x88 to 0x98 here; syllables of half the
    width are what Chinese bytes look like.
    """
    pairs = _pairs(content, "cp932")
    return _share(pairs, lambda lead, _: lead in (0x81, 0x82, 0x83) or 0x88 <= lead <= 0x98)


def chinese_share(content: bytes) -> float:
    """The same for GBK: of signs and the usual hanzi, which GB 2312 has in its rows 16 to 55."""
    pairs = _pairs(content, "gbk")
    return _share(pairs, lambda lead, trail: trail >= 0xA1 and (0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3))


def _pairs(content: bytes, encoding: str) -> list[bytes]:
    """The bytes of each character beyond ASCII; none where it is not in that encoding."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return []
    return [one.encode(encoding) for one in text if one > "\x7f"]


def _share(characters: list[bytes], is_usual: Callable[[int, int], bool]) -> float:
    if len(characters) < LEAST_CHARACTERS:
        return 0.0
    return sum(1 for one in characters if len(one) == 2 and is_usual(one[0], one[1])) / len(characters)


def _may_be_korean(content: bytes) -> bool:
    """Whether all first bytes are those of EUC-KR's syllables."""
    leads = [one[0] for one in _pairs(content, "gbk") if len(one) == 2]
    return all(lead in HANGUL_LEADS or 0xA1 <= lead <= 0xA3 for lead in leads)


def _decoded(content: bytes, encoding: str, name: str) -> DecodedText | None:
    try:
        text = content.decode(encoding).strip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        return None
    return DecodedText(text, name) if text and "\0" not in text else None


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
