"""`python -P -m trainer.cluster.sweep FILE`: a sweep's trials on a Ray cluster, as many at once as it has room for.

FILE is JSON (`SweepSpec`). It talks in lines of JSON: trial_began and trial_ended of each, and at the end finished or
failed. Ray Tune gives the trials out, starts one anew whose machine was lost, and stops those that fall behind where
that is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from advisor.errors import HardwareError, LoraError
from trainer.cluster.connect import connected
from trainer.cluster.trial import TrialSettings, train_trial
from trainer.runtime.launcher import follow_launcher

MOST_FAILURES = 3
"""So often a trial is started anew whose machine or process was lost."""
REDUCTION = 2
"""Of those that are judged at a rung one in so many goes on."""
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1", "TUNE_DISABLE_SIGINT_HANDLER": "1",
}  # fmt: skip
"""Tune's variables by which it writes no results of its own, and leaves Ctrl-C to this."""


class SweepSpec(TypedDict):
    """What a sweep is started with."""

    address: str
    home: str
    """The folder of the trials, on every machine."""
    runs: list[str]
    module: str
    options: dict[str, Any]
    on_cards: bool
    """Each trial takes a card; else all processors of a machine."""
    rungs: list[int]
    """Epochs at which trials are judged; empty: all are trained to their end."""
    epochs: int
    """Of a whole trial."""


def say(event: str, **more: object) -> None:
    """A line for who started this."""
    print(json.dumps({"event": event, **more}), flush=True)  # noqa: T201


def main(arguments: list[str] | None = None) -> int:
    """Train all trials; the exit code."""
    (file,) = sys.argv[1:] if arguments is None else arguments
    spec: SweepSpec = json.loads(Path(file).read_text("utf-8"))
    os.environ.update(QUIET)
    follow_launcher(lambda _: os.kill(os.getpid(), signal.SIGINT))
    try:
        with (
            connected(spec["address"], lambda text: say("warning", message=text)),
            shared_mark(Path(spec["home"])) as (mark_file, mark),
        ):
            run_trials(spec, mark_file, mark)
    except LoraError as error:
        say("failed", message=str(error), code=error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        say("failed", message="Interrupted.", code=130)
        return 130
    say("finished")
    return 0


@contextmanager
def shared_mark(home: Path) -> Iterator[tuple[Path, str]]:
    """Within, a file in a folder that every machine should find there, and what stands in it."""
    mark, path = uuid.uuid4().hex, home / f".shared-{uuid.uuid4().hex}"
    path.write_text(mark, "ascii")
    try:
        yield path, mark
    finally:
        path.unlink(missing_ok=True)


def run_trials(spec: SweepSpec, mark_file: Path, mark: str) -> None:
    """Give the trials out, and tell what comes of each.

    Raises:
        HardwareError: no machine of the cluster could train one.
        KeyboardInterrupt: the sweep was ended; the trials save their work and end.
    """
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    settings = [
        TrialSettings(
            run=run, module=spec["module"], options=spec["options"], mark_file=str(mark_file), mark=mark,
            rungs=spec["rungs"],
        )
        for run in spec["runs"]
    ]  # fmt: skip
    scheduler = (
        ASHAScheduler(
            time_attr="epochs", metric="score", mode="max", grace_period=spec["rungs"][0],
            reduction_factor=REDUCTION, max_t=max(spec["epochs"], spec["rungs"][-1] + 1),
        )
        if spec["rungs"]
        else FIFOScheduler()
    )  # fmt: skip
    folder = tempfile.mkdtemp(prefix=".ray-", dir=spec["home"])  # of Ray's own notes, which every machine has to find
    try:
        tuner = tune.Tuner(
            tune.with_resources(_tunable, resources_of_trial(on_cards=spec["on_cards"])),
            param_space={"trial": tune.grid_search(settings)},
            tune_config=tune.TuneConfig(scheduler=scheduler, trial_dirname_creator=lambda trial: str(trial.trial_id)),
            run_config=tune.RunConfig(
                name="sweep", storage_path=folder, verbose=0, callbacks=[_telling()],
                failure_config=tune.FailureConfig(max_failures=MOST_FAILURES),
            ),
        )  # fmt: skip
        tuner.fit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tunable(config: dict[str, Any]) -> dict[str, Any]:
    return train_trial(config["trial"])


def resources_of_trial(*, on_cards: bool) -> dict[str, float]:
    """What a trial takes of the cluster.

    Raises:
        HardwareError: no machine has it.
    """
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if on_cards:
        if not any(machine.get("GPU") for machine in machines):
            raise HardwareError(
                "no machine of the cluster has a card, and the run is planned for one: `--device cpu` trains on "
                "processors"
            )
        return {"cpu": 1, "gpu": 1}
    if not machines:
        raise HardwareError("no machine of the cluster has a processor to give: start its nodes with --num-cpus")
    return {"cpu": min(machine["CPU"] for machine in machines)}


def _telling() -> Any:
    """What tells of each trial as Tune sees it begin and end."""
    from ray.tune import Callback

    class Telling(Callback):  # type: ignore[misc]
        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:  # noqa: ARG002
            say("trial_began", run=trial.config["trial"]["run"])

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:  # noqa: ARG002
            found = trial.last_result or {}
            say("trial_ended", run=trial.config["trial"]["run"], outcome=found.get("outcome"),
                machine=found.get("machine", ""), epochs=found.get("epochs"), score=found.get("score"))  # fmt: skip

        def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:  # noqa: ARG002
            say("trial_lost", run=trial.config["trial"]["run"])

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:  # noqa: ARG002
            message = f"Ray could not train it in {MOST_FAILURES + 1} attempts"
            outcome = {"outcome": "failed", "exit_code": 3, "message": message}
            say("trial_ended", run=trial.config["trial"]["run"], outcome=outcome)

    return Telling()


if __name__ == "__main__":
    sys.exit(main())
