from __future__ import annotations

import re

from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "docs" / "decisions"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_decision_stands_in_the_index_by_its_title() -> None:
    rows = re.findall(r"^\| (\d{4}) \| \[(.+?)\]\((.+?)\) \| .+ \|$", INDEX, re.MULTILINE)
    pages = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in pages]

    assert rows == [(page.name[:4], title, page.name) for page, title in zip(pages, titles, strict=True)]


def test_numbers_that_no_page_has_are_explained() -> None:
    numbers = {int(path.name[:4]) for path in FOLDER.glob("0*.md")}
    explained = {
        int(number)
        for number in re.findall(r"\b0\d{3}\b", INDEX.partition("Numbers left out: ")[2].partition(" were")[0])
    }

    assert explained == set(range(1, max(numbers) + 1)) - numbers
