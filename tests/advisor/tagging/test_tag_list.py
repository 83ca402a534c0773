from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ModelError
from advisor.tagging.tag_list import Tag, read_tag_list
from tests.support.taggers import DEMO_TAGGER


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "selected_tags.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_names_and_kinds_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = 'tag_id,name,category,count\n1,general,9,5\n2,1girl,0,4\n3,"a_,_b",0,4\n4,miku_(x),4,3\n5,someone,1,2\n'

    assert read_tag_list(written(tmp_path, rows)) == (
        Tag("general", "rating"),
        Tag("1girl", "general"),
        Tag("a_,_b", "general"),
        Tag("miku_(x)", "character"),
        Tag("someone", "other"),
    )


def test_columns_may_stand_in_another_order_and_behind_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_tag_list(written(tmp_path, "\ufeffcategory,NAME\r\n0,hat\r\n")) == (Tag("hat", "general"),)


def test_the_demos_list_has_ratings_tags_and_its_character() -> None:
    tags = read_tag_list(DEMO_TAGGER / "selected_tags.csv")

    assert [tag.kind for tag in tags] == ["rating"] * 4 + ["general"] * 72 + ["character"]
    assert tags[-1].name == "zuvi"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "its first line has no name and category"),
        ("id,title\n1,x\n", "its first line has no name and category"),
        ("tag_id,name,category,count\n", "it has no tags"),
        ("tag_id,name,category,count\n1,hat,0\n", "line 2 has 3 columns and not 4"),
        ('tag_id,name,category,count\n1,"two\nlines",0,1\n', "the tag of line 2 is empty, too long, or has letters"),
        ("tag_id,name,category,count\n1,,0,1\n", "the tag of line 2 is empty"),
        (f"tag_id,name,category,count\n1,{'x' * 400},0,1\n", "the tag of line 2 is empty, too long"),
        (b"tag_id,name,category\n1,h\xe4t,0\n", "it is not UTF-8"),
        ('tag_id,name,category\n1,"hat,0\n', "it is no list of tags|is no list of tags"),
    ],
)
def test_what_is_no_list_of_tags_is_refused_with_what_was_found(tmp_path: Path, content: str | bytes, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        read_tag_list(written(tmp_path, content))


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none.csv cannot be read"):
        read_tag_list(tmp_path / "none.csv")
