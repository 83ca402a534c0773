"""What configurations mean that were written before some settings existed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.run_folder.config_file import read_config
from advisor.settings.config import blank_config, setting_paths, with_values
from advisor.settings.earlier import ADDED_SETTINGS, completed, unsaid_before
from tests.support.runs import write_toml


def written_before(folder: Path, **settings: Any) -> Path:
    """A loracle.toml as it was written before `network.dora_axis` was a setting."""
    config = with_values(
        blank_config(family="sd1", images="/p"), settings and {f"network.{k}": v for k, v in settings.items()}
    )
    path = write_toml(folder / "loracle.toml", config)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("dora_axis")), "utf-8")
    return path


def test_a_dora_of_before_has_lengths_by_output(tmp_path: Path) -> None:
    assert read_config(written_before(tmp_path, kind="dora")).network.dora_axis == "output"


def test_a_plain_lora_of_before_means_what_it_means_now(tmp_path: Path) -> None:
    assert read_config(written_before(tmp_path)) == blank_config(family="sd1", images="/p")


def test_an_axis_that_is_written_stands() -> None:
    tree = {"network": {"kind": "dora", "dora_axis": "input"}}

    assert completed(tree) == tree


@pytest.mark.parametrize("tree", [{}, {"network": 3}, {"network": {"kind": ["dora"]}}])
def test_what_is_no_configuration_is_left_for_the_parser(tree: dict[str, Any]) -> None:
    assert completed(tree) == tree


@pytest.mark.parametrize(
    ("network", "is_unsaid"),
    [
        ({"network.kind": "dora", "network.dora_axis": "output"}, True),
        ({"network.kind": "dora", "network.dora_axis": "input"}, False),
        ({}, True),
        ({"network.dora_axis": "output"}, False),
    ],
)
def test_a_setting_counts_where_it_changes_what_was_done_before(network: dict[str, Any], is_unsaid: bool) -> None:
    config = with_values(blank_config(family="sd1"), network)

    assert ("dora_axis" in unsaid_before(config)["network"]) == is_unsaid


def test_all_that_were_added_are_settings() -> None:
    assert set(ADDED_SETTINGS) <= set(setting_paths())
