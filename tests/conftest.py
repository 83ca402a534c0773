"""What holds for all tests: what the developer's own runs left in the user's data folder is never read or changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("LORACLE_DATA", str(tmp_path_factory.mktemp("data")))
    yield
    patch.undo()
