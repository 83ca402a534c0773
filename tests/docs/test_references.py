from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.references import documents, missing, remarks, sources


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", list(documents()), ids=named)
def test_what_a_document_names_is_there(path: Path) -> None:
    assert missing(path.read_text(encoding="utf-8"), path.parent) == []


def test_what_docstrings_and_comments_name_is_there() -> None:
    found = {named(path): missing(remarks(path.read_text(encoding="utf-8")), REPOSITORY) for path in sources()}

    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        "see INTERFACE.md", "[a page](docs/no.md)", "`advisor/rules/no.py`", "`advisor.rules.no`", "`tests/no/`",
        "`advisor/rules/*_no.py`", "`advisor.units.no_such_name`", "`advisor/units.py` (`gib` and `no_such_name`)",
        "`gib` and `no_such_name`\nin `advisor/units.py`",
    ],
)  # fmt: skip
def test_what_is_not_there_is_found(text: str) -> None:
    assert missing(text, REPOSITORY)


@pytest.mark.parametrize(
    "text",
    [
        "docs/interface.md", "[rules](docs/rules.md#the-table)", "`advisor/rules/batch.py`", "`advisor.rules.batch`",
        "`advisor/families/NAME.py`", "`advisor.units.gib`", "`python -m docs.generate`", "https://example.org/no.md",
        "`advisor/units.py` (`gib`, `rate`)", "`gib` of `advisor/units.py`", "`memory.base_dtype`",
    ],
)  # fmt: skip
def test_what_is_there_passes(text: str) -> None:
    assert missing(text, REPOSITORY) == []


def test_remarks_are_docstrings_and_comments_alone() -> None:
    source = '"""A."""\nB = "b.md"\n"""C."""\nD = 1  # e\n'

    assert remarks(source).split() == ["#", "e", "A.", "C."]
