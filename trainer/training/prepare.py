"""From a run's configuration to a training that is ready for its first step."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator

from advisor.adapters.layout import block_rates
from advisor.errors import ConfigErrors
from advisor.families import family
from advisor.planning.limits import limits_of_training, missing_inputs
from advisor.run_folder.events import Started
from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.state_manifest import BEGINNING, Position
from advisor.settings.config import TrainingConfig
from trainer.adapters.network import Network
from trainer.data.load import OnBroken, gather_images
from trainer.data.training_set import TrainingSet
from trainer.device.choose import Place, choose_place, slow_numbers, usable_gpu, use_threads
from trainer.device.device_memory import cap_memory, room_of
from trainer.device.mover import mover_for
from trainer.device.offload import offload_device
from trainer.device.swapped_blocks import swap_blocks
from trainer.lora_files.model_hashes import Hashes, hashed_aside
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.optim.optimizer import TRAINED_PARTS, Group, make_optimizer, trained_groups
from trainer.optim.schedule import Schedule
from trainer.ranks.ranks import ALONE, Ranks
from trainer.runtime.disk_space import DiskRoom, waiting_for
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.seeds import generator
from trainer.training.context import Data, make_context, make_data
from trainer.training.failures import LOADING
from trainer.training.length import Length
from trainer.training.read_texts import with_denoiser_instead
from trainer.training.reporter import Reporter
from trainer.training.resuming import Resuming, begun_on_processor, config_hash, restore_weights
from trainer.training.spill_watch import spills_here
from trainer.training.state import State, States
from trainer.training.stepper import Stepper

VAE_DTYPE = torch.float32
"""Images go through the VAE once; half precision saves little there and gives some models NaN."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    device: str | None = None
    resume: bool = False
    threads: int | None = None
    sharing: int = 1
    """So many trainings share the processor's cores."""
    tolerate_sysmem_fallback: bool = False
    """Keep training, however slowly, where the GPU's driver moves its memory into system memory."""
    is_probe: bool = False
    """Steps are only timed and nothing is saved: states are ignored and the model's files not hashed."""
    skip_broken: bool = False
    """Leave out images that cannot be decoded, at every later start too."""

    @property
    def on_broken(self) -> OnBroken:
        """What is done about images that cannot be decoded."""
        if self.is_probe:
            return "leave out once"
        return "leave out" if self.skip_broken else "refuse"


@dataclass(frozen=True)
class Prepared:
    """A training that is ready for its first step."""

    reporter: Reporter
    """Its configuration is the one that is trained: adjusted to the device and by the memory ladder."""
    planned: TrainingConfig
    """The configuration before the memory ladder."""
    options: Options
    ladder: Ladder
    stepper: Stepper
    """With base model, network and data in its `context`."""
    length: Length
    states: States
    resumed_at: Position | None
    """The position of the state that it goes on from; None where it begins."""
    seconds_before: float
    """How long it had trained before it was resumed."""
    disk: DiskRoom
    hashes: Future[Hashes] | None
    """Of the model's files, computed in a thread; None for a probe."""
    started: float
    """Unix seconds."""
    ranks: Ranks = ALONE
    """The processes that train it together."""


def prepare(
    run: Path,
    config: TrainingConfig,
    options: Options,
    *,
    events: Events,
    interrupt: Interrupt,
    hashes: Future[Hashes] | None = None,
    ranks: Ranks = ALONE,
) -> Prepared:
    """Choose the device, load data and base model, fill the caches, make network and optimizer, restore a state.

    Args:
        hashes: of the model's files, where they were begun before; else they are made beside, but for a probe.
        ranks: the processes that train together, each of which prepares; files are written by the first, which looks
            at the pictures for all of them and fills the caches before the others read them.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user wanted to stop.
        RanksEnded: another process has ended.
    """
    started, ladder = time.time(), RunFolder(run).read_ladder()
    check_supported(ladder.applied(config))
    begun_in = begun_on_processor(run) if options.resume else None
    place = choose_place(config, options.device, usable_gpu(), dtype=begun_in)
    planned, config = place.config, RunFolder(run).located(ladder.applied(place.config))
    states = States(run)
    resuming = Resuming(run, states, planned, ladder, events)
    state = None if options.is_probe else resuming.state(wanted=options.resume)
    reporter = Reporter(run, config, place.device, events, interrupt, room_of(place.device))
    _tell_started(reporter, config_hash(planned), state, processes=ranks.world_size)
    if sentence := slow_numbers(place):
        events.warning("slow_half_precision", sentence)
    disk = DiskRoom(events, interrupt)
    with waiting_for(disk):
        with reporter.during(LOADING):
            training_set = ranks.from_first(
                lambda: gather_images(config, run, events, progress=reporter.progress, broken=options.on_broken)
            )
        reporter = replace(reporter, largest=max(training_set.bucket_counts(), key=lambda size: size[0] * size[1]))
        interrupt.check()
        if hashes is None and ranks.is_first and not options.is_probe:
            hashes = hashed_aside(config.model)
        with reporter.during(LOADING):
            base = _base_model(place, reporter)
            use_threads(options.threads, place.device, base.denoiser, processes=ranks.world_size * options.sharing)
            stepper = _stepper(base, training_set, state, reporter, batch_parts=ladder.batch_parts, ranks=ranks)
            if state is not None:
                resuming.load(stepper, state)
                resuming.tell_schedule(state, partial(_schedule, training_set, begins=state.position))
            ranks.as_first(list(stepper.context.network.parameters()))
    return Prepared(
        reporter=reporter,
        planned=planned,
        options=options,
        ladder=ladder,
        stepper=stepper,
        length=Length.of(training_set, config, _begins(state)),
        states=states,
        resumed_at=None if state is None else state.position,
        seconds_before=0.0 if state is None else state.seconds,
        disk=disk,
        hashes=hashes,
        started=started,
        ranks=ranks,
    )


def check_supported(config: TrainingConfig) -> None:
    """Refuse by name what this trainer would otherwise leave out.

    Raises:
        ConfigErrors: all settings that this trainer has no code for.
    """
    errors = [*missing_inputs(config), *(error for _, error in limits_of_training(config))]
    if errors:
        raise ConfigErrors(errors)


def _tell_started(reporter: Reporter, planned_hash: str, state: State | None, *, processes: int) -> None:
    """Limit the memory that torch may take, then send the event `started`."""
    cap = cap_memory(reporter.device, reporter.memory_before, spills=spills_here())
    resumed_from = None if state is None else state.position.step
    started = Started(config_hash=planned_hash, resumed_from=resumed_from, memory_cap_bytes=cap)
    if processes > 1:
        started = started.model_copy(update={"processes": processes})
    reporter.events.send(started)


def _base_model(place: Place, reporter: Reporter) -> BaseModel:
    events, config = reporter.events, reporter.config
    events.phase("load", 1)
    device = offload_device(_placed(place.device))
    base = load_base_model(
        config.model, dtype=place.dtype, vae_dtype=VAE_DTYPE, device=device, quantised=config.memory.quantised
    )
    for note in base.notes:
        events.warning("base_model", note)
    events.progress("load", 1, 1)
    reporter.interrupt.check()
    return base.with_slices(config.memory)


def _stepper(
    base: BaseModel,
    training_set: TrainingSet,
    state: State | None,
    reporter: Reporter,
    *,
    batch_parts: int,
    ranks: Ranks,
) -> Stepper:
    """Adapters with their weights, data, a new optimizer and the schedule."""
    config = reporter.config
    base, network, data = _attached(base, training_set, state, reporter, ranks)
    groups = _groups(base, network, reporter)
    if config.memory.gradient_checkpointing:
        base.family.enable_gradient_checkpointing(
            base, text_encoder=network.has_text_encoder, blocks=config.memory.checkpointed_blocks
        )
    context = make_context(base, network, data, training_set, reporter)
    optimizer = make_optimizer(
        config.optimizer,
        groups,
        device=context.device,
        relative_step=config.schedule.name == "adafactor",
        warn=reporter.events.warning,
    )
    schedule = _schedule(training_set, config, begins=_begins(state))
    return Stepper(context, groups, optimizer, schedule, batch_parts=batch_parts, ranks=ranks)


def _attached(
    base: BaseModel, training_set: TrainingSet, state: State | None, reporter: Reporter, ranks: Ranks
) -> tuple[BaseModel, Network, Data]:
    """The whole base model with its adapters, and the data.

    Where the base model leaves its denoiser for later, captions are read first, and its text encoders make room for it.
    """

    def data_for(*, trains_text: bool) -> Data:
        return ranks.first_then_others(lambda: make_data(base, training_set, reporter, trains_text=trains_text))

    if base.load_denoiser is None:
        network = _network(base, reporter, state)
        return base, network, data_for(trains_text=network.has_text_encoder)
    data = data_for(trains_text=False)
    base = with_denoiser_instead(base, data.texts, reporter)
    return base, _network(base, reporter, state), data


def _begins(state: State | None) -> Position:
    return BEGINNING if state is None else state.position


def _schedule(training_set: TrainingSet, config: TrainingConfig, *, begins: Position) -> Schedule:
    return Schedule.of(
        config.schedule,
        num_steps=Length.of(training_set, config, begins).steps,
        learning_rate=config.optimizer.learning_rate,
        optimizer=config.optimizer.name,
    )


def _network(base: BaseModel, reporter: Reporter, state: State | None) -> Network:
    """The adapters, attached to the denoiser as it lies in memory; with the state's weights where there is one."""
    config = reporter.config
    swap_blocks(base.denoiser, base.structure, config, mover_for(reporter.device))
    network = Network.attach(
        base,
        config.network if state is None else config.network.model_copy(update={"start_from": None}),
        text_encoder=config.optimizer.trains_text_encoder,
        clip_skip=config.model.clip_skip,
        generator=generator(config.run.seed, "adapters"),
    )
    if state is not None:
        restore_weights(network, state)
    for note in network.start_notes:
        reporter.events.warning("start_from", note)
    return network


def _groups(base: BaseModel, network: Network, reporter: Reporter) -> tuple[Group, ...]:
    """What is trained, by learning rate; all other parameters of the network are frozen."""
    config = reporter.config.optimizer
    block_rates(config.block_learning_rates, family(base.family.name).num_blocks(base.structure))
    groups = trained_groups(
        config, {part: network.parameters_of(part) for part in TRAINED_PARTS}, network.parameters_by_block()
    )
    trained = {id(parameter) for group in groups for parameter in group.parameters}
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    if not groups:
        message = "All learning rates are 0: the steps are made, but nothing is learned"
        reporter.events.warning("all_rates_zero", message)
    return groups


def _placed(device: torch.device) -> torch.device:
    """The device as accelerate names it: with several GPUs, the one of this process."""
    onloaded: torch.device = Accelerator(mixed_precision="no", cpu=device.type == "cpu").device
    return onloaded if onloaded.type == device.type and device.index is None else device
