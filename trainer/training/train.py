"""A prepared training, to its end: the steps, the LoRAs, the check of the last one."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from pathlib import Path

from advisor.errors import LoraError
from advisor.estimate.disk import planned_header_bytes
from advisor.run_folder.events import Finished, Reloaded, ReloadFigures
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import BEGINNING
from trainer.device.choose import peak_memory_bytes, peak_reserved_bytes
from trainer.lora_files.diffusers_copy import DiffusersCopy
from trainer.lora_files.metadata import Session
from trainer.lora_files.original_names import original_names
from trainer.lora_files.reload_check import ReloadCheck, check_saved
from trainer.lora_files.write import LoraFiles
from trainer.runtime.disk_space import waiting_for
from trainer.training.callbacks import RunCallbacks
from trainer.training.failures import SAVING, TRAINING
from trainer.training.follower_callbacks import FollowerCallbacks
from trainer.training.loop import Callbacks, Loop
from trainer.training.prepare import Prepared
from trainer.training.resuming import config_hash
from trainer.training.samples import keep_earlier
from trainer.training.spill_watch import watch_for


def train(prepared: Prepared) -> None:
    """Train, save and check; of several processes the first saves and checks.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user ended it.
        RanksEnded: another process of the training has ended; a state is saved.
    """
    if not prepared.ranks.is_first:
        _follow(prepared)
        return
    reporter = prepared.reporter
    with waiting_for(prepared.disk):
        callbacks = _callbacks(prepared)
        with reporter.during(TRAINING):
            loop = _loop(prepared, callbacks)
            callbacks.files.make_way(steps=prepared.length.steps, resumed=prepared.resumed_at is not None)
            if prepared.resumed_at is None:
                keep_earlier(RunFolder(reporter.run), reporter.config.saving.name)
            position = loop.run(prepared.resumed_at or BEGINNING)
        reporter.events.tolerate_loss()
        with reporter.during(SAVING):
            last = callbacks.save_last(position)
    check = _tried_check(last, prepared)
    reporter.events.send(
        Finished(
            steps=position.step,
            seconds=round(callbacks.seconds(), 3),
            epochs=position.epoch + (1 if position.step_in_epoch else 0),
            loras=_loras(callbacks.files, last, reporter.run),
            seconds_per_step=statistics.median(loop.step_seconds) if loop.step_seconds else 0.0,
            peak_memory_bytes=peak_memory_bytes(reporter.device),
            peak_reserved_bytes=peak_reserved_bytes(reporter.device),
            ladder=prepared.ladder.taken,
            reload_check=None if check is None else ReloadFigures(**asdict(check)),
        )
    )


def _follow(prepared: Prepared) -> None:
    """Compute this process's share of each step."""
    with prepared.reporter.during(TRAINING):
        loop = _loop(prepared, FollowerCallbacks(prepared.stepper))
        loop.run(prepared.resumed_at or BEGINNING)


def _loop(prepared: Prepared, callbacks: Callbacks) -> Loop:
    reporter, context = prepared.reporter, prepared.stepper.context
    watch = watch_for(
        reporter.run,
        reporter.config,
        context.base.structure,
        context.device,
        only_warns=prepared.options.tolerate_sysmem_fallback,
    )
    return Loop(
        reporter.config,
        context.training_set,
        prepared.stepper,
        callbacks,
        length=prepared.length,
        events=reporter.events,
        interrupt=reporter.interrupt,
        watch=watch,
    )


def _loras(files: LoraFiles, last: Path, run: Path) -> tuple[str, ...]:
    """All LoRAs within the run, oldest first; where the folder cannot be read any more, the last."""
    try:
        found = files.existing()
    except (LoraError, OSError):
        found = [last]
    return tuple(path.relative_to(run).as_posix() for path in found)


def _callbacks(prepared: Prepared) -> RunCallbacks:
    reporter = prepared.reporter
    config, structure = reporter.config, prepared.stepper.context.base.structure
    copy = DiffusersCopy.of(config, structure)
    return RunCallbacks(
        run=reporter.run,
        stepper=prepared.stepper,
        files=LoraFiles(
            reporter.run,
            config.saving,
            planned_header_bytes(config, structure),
            copy,
            original=original_names(config, structure),
            moved=reporter.events.moved,
        ),
        states=prepared.states,
        session=lambda: _session(prepared),
        config_hash=config_hash(prepared.planned),
        events=reporter.events,
        interrupt=reporter.interrupt,
        seconds_before=prepared.seconds_before,
        kept=prepared.resumed_at,
    )


def _session(prepared: Prepared) -> Session:
    """What all LoRAs' metadata say alike; waits for the hashes."""
    assert prepared.hashes is not None, "a probe saves nothing"
    model, vae = prepared.hashes.result()
    length, config = prepared.length, prepared.reporter.config
    training_set = prepared.stepper.context.training_set
    return Session(config, training_set, model, vae, length.steps, length.batches_per_epoch, prepared.started)


def _tried_check(lora: Path, prepared: Prepared) -> ReloadCheck | None:
    """The check of the last LoRA; None, after a warning, where it fails, since the LoRA is saved."""
    try:
        return _check(lora, prepared)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        prepared.reporter.events.warning(
            "reload_check",
            f"{lora.name} is saved, but could not be read back and checked: {type(error).__name__}: {reason}",
        )
        return None


def _check(lora: Path, prepared: Prepared) -> ReloadCheck:
    """Read the LoRA back and compare it with the network; differences become a warning."""
    events, stepper = prepared.reporter.events, prepared.stepper
    context = stepper.context
    events.phase("check", 1)
    first, clip_skip = context.training_set.items[0], context.config.model.clip_skip
    text = None if context.base.family.trains_text_encoders else context.texts.plain(first, 1).states
    for encoder in context.base.text_encoders if text is None else ():
        encoder.to(context.device)
    caption = context.texts.plain_caption(first)
    with stepper.weights_for_use():
        check = check_saved(lora, context.base, context.network, caption, clip_skip=clip_skip, text=text)
    events.send(Reloaded(**asdict(check)))
    complaints = check.complaints(
        unet="unet" in stepper.trained_parts, text_encoder="text_encoder" in stepper.trained_parts
    )
    if complaints:
        events.warning("reload_check", f"{lora.name} was read back, and {'; '.join(complaints)}")
    events.progress("check", 1, 1)
    return check
