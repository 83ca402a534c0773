from __future__ import annotations

import re

import pytest

from advisor.tagging.known_models import KNOWN_MODELS, known_model, refuse_unknown


@pytest.mark.parametrize(
    "name",
    [
        "wd-vit-tagger-v3", "WD-ViT-tagger-v3", "SmilingWolf/wd-vit-tagger-v3",
        "https://huggingface.co/SmilingWolf/wd-vit-tagger-v3/",
    ],
)  # fmt: skip
def test_a_model_is_known_by_its_name_with_its_owner_or_its_page(name: str) -> None:
    found = known_model(name)

    assert found is not None
    assert found.name == "wd-vit-tagger-v3"


def test_each_is_at_one_revision_with_the_digests_of_its_files() -> None:
    for known in KNOWN_MODELS:
        assert re.fullmatch("[0-9a-f]{40}", known.revision)
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in known.files)
        assert known.address(known.files[1]) == (
            f"https://huggingface.co/{known.repository}/resolve/{known.revision}/selected_tags.csv"
        )


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    assert known_model("wd-best-tagger") is None
    assert "wd-eva02-large-tagger-v3" in str(refuse_unknown("wd-best-tagger"))
