from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ray_nodes import Nodes, needs_ray, two_nodes
from trainer.cluster.connect import ClusterError, connected, has_token, unlike_versions

CODE = """
import sys
from trainer.cluster.connect import ClusterError, connected
try:
    with connected(sys.argv[1], print):
        print("joined")
except ClusterError as error:
    print("refused:", error)
"""


def joined(address: str, **environment: str) -> str:
    """What is said of joining a cluster, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, address], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.stdout


def test_where_ray_finds_a_token(tmp_path: Path) -> None:
    assert not has_token({}, tmp_path)
    assert has_token({"RAY_AUTH_TOKEN": "x"}, tmp_path)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    assert has_token({}, tmp_path)


def test_machines_with_other_versions_are_named_with_what_they_have() -> None:
    here = {"Python": "3.11.7", "torch": "2.13.0"}

    assert unlike_versions(here, {"a": dict(here)}) == []
    assert unlike_versions(here, {"a": dict(here), "b": {"Python": "3.11.7", "torch": "2.12.0"}, "c": {}}) == [
        "b has torch 2.12.0 (here 2.13.0)",
        "c has Python missing (here 3.11.7), torch missing (here 2.13.0)",
    ]


@needs_ray
@pytest.mark.parametrize("address", ["", "cluster", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:70000", "ray://10.0.0.1:6379"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match="HOST:PORT"), connected(address):
        pass


@needs_ray
def test_where_nothing_listens_that_is_said_at_once() -> None:
    with pytest.raises(ClusterError, match="cannot be reached"), connected("127.0.0.1:1"):
        pass


def test_without_ray_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ClusterError, match=r"loracle\[cluster\]"), connected("127.0.0.1:6379"):
        pass


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with two_nodes(tmp_path_factory.mktemp("guarded")) as nodes:
        yield nodes


@needs_ray
@pytest.mark.slow
def test_a_cluster_with_a_token_lets_in_who_has_it(guarded: Nodes) -> None:
    assert joined(guarded.address, **guarded.environment) == "joined\n"
    assert "token" in joined(guarded.address, **{**guarded.environment, "RAY_AUTH_TOKEN": "e" * 64})


@needs_ray
@pytest.mark.slow
def test_one_without_a_token_is_warned_of_here_and_refused_elsewhere(tmp_path: Path) -> None:
    with two_nodes(tmp_path, token=False) as nodes:
        here = joined(nodes.address, **nodes.environment)
        outside = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        elsewhere = joined(nodes.address.replace("127.0.0.1", outside[0]), **nodes.environment) if outside else ""

    assert "takes orders from everybody" in here
    assert here.endswith("joined\n")
    assert not outside or elsewhere.startswith("refused:")
