from __future__ import annotations

import pytest

from advisor.settings.shared_names import last_name, shared_folder


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        (".", "."),
        ("5_mira/close up", "5_mira/close up"),
        ("/home/bob/pics/mira", "mira"),
        ("C:\\Users\\bob\\mira", "mira"),
        ("\\\\server\\bob\\mira", "mira"),
        ("../bob/mira", "mira"),
        ("mira/../../bob", "bob"),
        ("..", ""),
        ("..\\..", ""),
    ],
)
def test_a_folder_elsewhere_is_told_by_its_name_alone(path: str, shared: str) -> None:
    assert shared_folder(path) == shared


@pytest.mark.parametrize("path", ["/models/base.safetensors", "D:\\models\\base.safetensors", "base.safetensors"])
def test_a_file_is_told_by_its_name(path: str) -> None:
    assert last_name(path) == "base.safetensors"
