"""What holds for all tests: the developer's own data is never touched, and no test hangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

SLOW_TIMEOUT_SECONDS = 3600
"""For tests marked `slow` that say nothing themselves; the others' stands in pyproject.toml."""

settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("slow", settings.get_profile("quick"), max_examples=1000)
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    """With the slow tests, those that name no number of examples make twenty times as many."""
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "slow")


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the developer's own runs left in the user's data folder is never read or changed."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LORACLE_DATA", str(tmp_path_factory.mktemp("data")))
    yield
    patch.undo()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_SECONDS))
