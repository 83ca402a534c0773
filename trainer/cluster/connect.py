"""Joining a Ray cluster: who may be talked to, that it runs the same as this machine does, and nothing sent elsewhere.

Ray executes what reaches its ports. So a cluster that takes orders without its token (Ray 2.52 and newer:
docs.ray.io/en/latest/ray-security/token-auth.html) is used on this machine alone. Dashboard and usage statistics are
those of whoever started it; nothing of either is started from here.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version

from advisor.environment.packages import OURSELVES
from advisor.errors import LoraError
from advisor.files import is_file
from trainer.runtime.addresses import is_loopback

LEAST_RAY = Version("2.52")
"""The first with tokens."""
ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^\s:/]+):(?P<port>[0-9]{1,5})")
AUTH_MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Ray's variables."""
OWN_TOKEN = Path(".ray", "auth_token")
"""Where Ray keeps the token, in the user's home."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
COMPARED = (OURSELVES, "torch", "diffusers", "transformers")
"""Packages of which every machine has to have the same version."""
ANSWER_SECONDS = 60.0
"""So long a machine may take to say what it runs."""
HEALTH_SECONDS = 30.0
CONNECT_SECONDS = 10.0

TOKENS = (
    "make a token with `ray get-auth-token --generate`, put it on every machine as ~/.ray/auth_token, and start its "
    "nodes with RAY_AUTH_MODE=token"
)


class ClusterError(LoraError):
    """A cluster cannot be used."""


@contextmanager
def connected(address: str, warn: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Within, this process is joined to the cluster, whose machines all run what this one runs.

    Args:
        address: HOST:PORT of its head; this machine is one of its nodes.
        warn: is told where the cluster takes orders without a token, and is used all the same.

    Raises:
        ClusterError: Ray is missing or too old, the cluster cannot be reached, takes orders from anybody who reaches
            it, or has machines with other versions.
    """
    ray = _ray()
    host = _host_of(address)
    os.environ.update(QUIET)
    if AUTH_MODE not in os.environ and has_token(os.environ, Path.home()):
        os.environ[AUTH_MODE] = "token"
    _see_that_it_listens(host, address)
    if _takes_orders_without_token(address):
        told = f"{address} takes orders from everybody who reaches it, and Ray executes them: {TOKENS}"
        if not is_loopback(host):
            raise ClusterError(f"{told}. On this machine alone (127.0.0.1) it goes without")
        warn(f"{told}. Ray's ports are open to all networks of this machine, whatever address its nodes were given")
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, logging_level="ERROR")
    except Exception as error:
        raise _refused(address, error) from None
    try:
        _refuse_unlike(ray)
        yield
    finally:
        ray.shutdown()


def has_token(environment: Mapping[str, str], home: Path) -> bool:
    """Whether Ray would find a token."""
    return bool(environment.get(TOKEN) or environment.get(TOKEN_PATH)) or is_file(home / OWN_TOKEN)


def _host_of(address: str) -> str:
    match = ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ClusterError(
            f"{address!r} is no address of a Ray cluster: give HOST:PORT of its head, e.g. 10.0.0.1:6379"
        )
    return match["host"].strip("[]")


def _see_that_it_listens(host: str, address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would end this process after a minute.

    Raises:
        ClusterError: nothing does.
    """
    try:
        socket.create_connection((host, int(address.rpartition(":")[2])), CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"{address} cannot be reached ({error.strerror or error}): is the cluster's head running there? "
            "`ray start --head --port=6379` starts one"
        ) from None


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            f'Ray cannot be imported ({error}): pip install "loracle[cluster]" on every machine'
        ) from None
    if Version(ray.__version__) < LEAST_RAY:
        raise ClusterError(f"Ray {ray.__version__} has no tokens: install {LEAST_RAY} or newer on every machine")
    return ray


def _takes_orders_without_token(address: str) -> bool:
    """Whether the cluster answers one who has no token."""
    hidden = (TOKEN, TOKEN_PATH)
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | {AUTH_MODE: "disabled"}
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=HEALTH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False  # joining it tells why
    return asked.returncode == 0


def _refused(address: str, error: Exception) -> ClusterError:
    """What is told where the cluster does not let this process in."""
    text = " ".join(str(error).split())
    if "ersion mismatch" in text:
        return ClusterError(f"{address} runs another Ray or Python than this machine: {text}")
    if "uthenticat" in text or "token" in text.lower():
        return ClusterError(f"{address} wants a token that this machine does not have: {TOKENS}. Ray says: {text}")
    return ClusterError(
        f"{address} cannot be joined: is it a Ray cluster's head, this machine one of its nodes (`ray start "
        f"--address={address}`), and the token here that it was started with? Ray says: {text}"
    )


def versions_here() -> dict[str, str]:
    """What this machine runs, by package; Python among them."""
    found = {"Python": platform.python_version()}
    for name in COMPARED:
        with suppress(metadata.PackageNotFoundError):
            found[name] = Version(metadata.version(name)).public
    return found


def unlike_versions(here: Mapping[str, str], theirs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A sentence for each machine that runs other versions.

    Args:
        theirs: by machine.
    """
    told = []
    for machine, found in theirs.items():
        names = [name for name in {**here, **found} if here.get(name) != found.get(name)]
        if names:
            unlike = ", ".join(
                f"{name} {found.get(name, 'missing')} (here {here.get(name, 'missing')})" for name in names
            )
            told.append(f"{machine} has {unlike}")
    return told


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _refuse_unlike(ray: Any) -> None:
    """Refuse a cluster whose machines run something else than this one.

    Raises:
        ClusterError: one does, has no Loracle, or does not answer.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ask = ray.remote(num_cpus=0, max_retries=0)(versions_here).options(scheduling_strategy=there)
            asked[node["NodeManagerHostname"], node["NodeID"]] = ask.remote()
    theirs, silent = dict[str, Mapping[str, str]](), list[str]()
    for (machine, _), answer in asked.items():
        try:
            theirs[machine] = ray.get(answer, timeout=ANSWER_SECONDS)
        except Exception as error:
            cause = getattr(error, "cause", None) or error
            silent.append(f"{machine} cannot run Loracle ({type(cause).__name__}: {_last_line(str(cause))})")
    wrong = [*silent, *unlike_versions(versions_here(), theirs)]
    if wrong:
        raise ClusterError(f"The machines of the cluster are unlike: {'; '.join(wrong)}. Install the same on all")
