"""Captions that are not UTF-8: what is sure, and what is a guess."""

from __future__ import annotations

import pytest

from advisor.dataset.caption_encoding import DecodedText, guess_encoding, sure_text

JAPANESE = ("青い目の女の子", "猫耳、少女", "ミア, 黒髪, 笑顔", "1girl, 金髪, 制服, 学校", "制服")
CHINESE = ("1girl, 长发, 蓝色眼睛", "女孩, 微笑, 白色背景", "学校制服，黑色头发", "一个女孩站在街道上", "上海外滩")


@pytest.mark.parametrize("text", JAPANESE)
def test_japanese_is_told_from_chinese(text: str) -> None:
    content = text.encode("shift_jis")

    assert sure_text(content) == DecodedText(text, "Shift-JIS (Japanese)")
    assert guess_encoding(content) == "Shift-JIS (Japanese)"


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_is_told_from_japanese(text: str) -> None:
    content = text.encode("gbk")

    assert sure_text(content) == DecodedText(text, "GBK (Chinese)")
    assert guess_encoding(content) == "GBK (Chinese)"


@pytest.mark.parametrize("mark", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_sure_with_its_mark(mark: str) -> None:
    content = "blue hair, 猫".encode(mark)

    found = sure_text(content)

    assert found == (DecodedText("blue hair, 猫", "UTF-16") if mark == "utf-16" else None)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("파란 눈의 소녀 긴 머리", "euc_kr"),
        ("девушка, голубые глаза", "cp1251"),
        ("größe, weißes Kleid", "cp1252"),
        ("藍色眼睛的女孩", "big5"),
        ("青い目の女の子", "euc_jp"),
        ("猫", "shift_jis"),
        ("café", "cp1252"),
    ],
)
def test_what_could_be_another_encoding_is_no_more_than_a_guess(text: str, encoding: str) -> None:
    assert sure_text(text.encode(encoding)) is None


def test_bytes_that_are_no_text_are_none() -> None:
    assert sure_text(bytes(range(256))) is None
    assert sure_text(b"\xff\xfe") is None
    assert sure_text(b"\xff\xfea\0\0\0") is None
