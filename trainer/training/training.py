"""A whole training: from a run folder to its LoRAs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from advisor.adapters.layout import block_rates
from advisor.dataset.buckets import Size
from advisor.errors import LoraError
from advisor.estimate.disk import planned_header_bytes
from advisor.families import family
from advisor.machine.memory_snapshot import Room
from advisor.run_folder.ladder_file import Ladder, read_ladder
from advisor.settings.config import TrainingConfig
from trainer.adapters.network import Network
from trainer.data.captions import CaptionStyle
from trainer.data.conditioning import Texts
from trainer.data.crops import Framings
from trainer.data.latents import FreshLatents, Latents, cache_latents
from trainer.data.load import gather_masks, gather_pictures
from trainer.data.masks import Masks
from trainer.data.training_set import TrainingSet
from trainer.device.card_memory import cap_memory, room_of
from trainer.device.choose import Place, choose_place, free_memory, peak_memory_bytes, usable_gpu, use_threads
from trainer.device.offload import placed, waiting_room
from trainer.lora_files.diffusers_copy import DiffusersCopy
from trainer.lora_files.metadata import FileHashes, Session, file_hashes
from trainer.lora_files.reload_check import ReloadCheck, check_saved
from trainer.lora_files.write import LoraFiles
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.optim.optimizer import Group, Part, make_optimizer, trained_groups
from trainer.optim.schedule import Schedule
from trainer.runtime.disk_space import DiskRoom, waiting_for
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.seeds import generator
from trainer.training.callbacks import RunDuties
from trainer.training.failures import (
    ENCODING,
    LOADING,
    TRAINING,
    Spilled,
    is_out_of_memory,
    memory_facts,
    out_of_memory,
    spilled,
)
from trainer.training.loop import Length, Loop
from trainer.training.resuming import Resuming, config_hash, restore_weights
from trainer.training.spill_watch import spills_here, watch_for
from trainer.training.state import Position, State, States
from trainer.training.stepper import Material, Stepper
from trainer.training.supported import check_supported

VAE_DTYPE = torch.float32
"""Pictures go through the VAE once; half precision saves little there and gives some models NaN."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    device: str | None = None
    resume: bool = False
    threads: int | None = None
    bears_spill: bool = False
    """Go on where the card's memory spills, however slow it is."""


class Training:
    """One training, from its configuration to its end."""

    def __init__(self, run: Path, config: TrainingConfig, events: Events, interrupt: Interrupt) -> None:
        """Nothing is done yet."""
        self._run, self._config, self._events, self._interrupt = run, config, events, interrupt
        self._states = States(run)
        self._started = time.time()
        self._doing = LOADING
        self._planned, self._ladder = config, Ladder()
        self._largest: Size | None = None
        self._before: Room | None = None

    def execute(self, options: Options) -> None:
        """Train, save and check.

        Raises:
            LoraError: something that the user can mend.
            Interrupted: the user ended it.
        """
        self._ladder = read_ladder(self._run)
        check_supported(self._ladder.applied(self._config))
        place = choose_place(self._config, options.device, usable_gpu())
        self._planned, self._config = place.config, self._ladder.applied(place.config)
        self._resuming = Resuming(self._run, self._states, self._planned, self._ladder, self._events)
        state = self._state_to_resume(options)
        resumed_from = None if state is None else state.position.step
        self._before = room_of(place.device)
        cap = cap_memory(place.device, self._before, spills=spills_here())
        self._events.send(
            "started", config_hash=config_hash(self._planned), resumed_from=resumed_from, memory_cap_bytes=cap
        )
        room = DiskRoom(self._events, self._interrupt)
        with self._memory_errors(place.device), waiting_for(room):
            self._train(place, state, options)

    def _train(self, place: Place, state: State | None, options: Options) -> None:
        config = self._config
        pictures = self._pictures()
        with ThreadPoolExecutor(1) as aside:
            hashes = aside.submit(_hashes_of, config)
            base = self._base_model(place)
            use_threads(options.threads, place.device, base.denoiser)
            groups, network = self._network(base, state)
            material = self._material(base, network, pictures, place.device)
            length = Length.of(pictures, config)
            stepper = self._stepper(material, groups, length, state)
            duties = self._duties(stepper, pictures, length, hashes, state)
            watch = watch_for(self._run, config, base.structure, place.device, only_tells=options.bears_spill)
            loop = Loop(
                config, pictures, stepper, duties.table(), events=self._events, interrupt=self._interrupt, watch=watch
            )
            self._doing = TRAINING
            position = loop.run(state.position if state else Position())
            self._doing = "saving and checking the LoRA"
            lora = duties.save_last(position)
            check = self._check(lora, stepper, pictures, groups)
        self._events.send(
            "finished",
            steps=position.step,
            seconds=round(duties.seconds(), 3),
            epochs=position.epoch + (1 if position.step_in_epoch else 0),
            loras=[path.relative_to(self._run).as_posix() for path in duties.files.existing()],
            seconds_per_step=statistics.median(loop.step_seconds) if loop.step_seconds else 0.0,
            peak_memory_bytes=peak_memory_bytes(place.device),
            ladder=[rung.model_dump() for rung in self._ladder.taken],
            reload_check=asdict(check),
        )

    def _state_to_resume(self, options: Options) -> State | None:
        return self._resuming.state(wanted=options.resume)

    def _pictures(self) -> TrainingSet:
        pictures = gather_pictures(self._config, self._run, self._events)
        self._largest = max(pictures.bucket_counts(), key=lambda size: size[0] * size[1])
        self._interrupt.check()
        return pictures

    def _base_model(self, place: Place) -> BaseModel:
        self._events.phase("load", 1)
        device = waiting_room(_placed(place.device))
        config = self._config
        base = load_base_model(
            config.model, dtype=place.dtype, vae_dtype=VAE_DTYPE, device=device, quantised=config.memory.quantised
        )
        for note in base.notes:
            self._events.warning("base_model", note)
        self._events.progress("load", 1, 1)
        self._interrupt.check()
        return base

    def _network(self, base: BaseModel, state: State | None) -> tuple[tuple[Group, ...], Network]:
        """The adapters, and those of them that are trained."""
        config = self._config
        network = Network.attach(
            base,
            config.network if state is None else config.network.model_copy(update={"start_from": None}),
            text_encoder=config.optimizer.text_encoder_learning_rate > 0,
            clip_skip=config.model.clip_skip,
            generator=generator(config.run.seed, "adapters"),
        )
        if state is not None:
            restore_weights(network, state)
        parts: tuple[Part, ...] = ("text_encoder", "unet")
        block_rates(config.optimizer.block_learning_rates, family(base.family.name).num_blocks(base.structure))
        groups = trained_groups(
            config.optimizer, {part: network.parameters_of(part) for part in parts}, network.parameters_by_block()
        )
        trained = {id(parameter) for group in groups for parameter in group.parameters}
        for parameter in network.parameters():
            parameter.requires_grad_(id(parameter) in trained)
        if not groups:
            self._events.warning(
                "all_rates_zero", "All learning rates are 0: the steps are made, but nothing is learned"
            )
        if config.memory.gradient_checkpointing:
            base.family.enable_gradient_checkpointing(base, text_encoder=network.has_text_encoder)
        return groups, network

    def _material(self, base: BaseModel, network: Network, pictures: TrainingSet, device: torch.device) -> Material:
        with placed((base.vae,), device):
            latents = self._latents(base, pictures)
        texts = Texts(base, pictures, self._config)
        framings, masks = Framings(pictures.items, self._config), self._masks(base, pictures)
        if self._config.memory.cache_text and self._can_cache_text(network):
            self._doing = "encoding the captions"
            self._events.phase("cache_text", len(pictures.items))
            with placed(base.text_encoders, device):
                texts.cache(self._run, self._progress("cache_text"))
        else:
            for encoder in base.text_encoders:
                encoder.to(device)
        base.denoiser.to(device)
        network.to(device)
        if isinstance(latents, FreshLatents):
            base.vae.to(device)
            return Material(self._config, base, network, latents, texts, framings, device, pictures, masks)
        if not (self._config.sampling.prompts and self._config.sampling.every_epochs):
            base = replace(base, vae=None)
        free_memory(device)
        return Material(self._config, base, network, latents, texts, framings, device, pictures, masks)

    def _masks(self, base: BaseModel, pictures: TrainingSet) -> Masks | None:
        if self._config.dataset.masks:
            self._doing = "reading the masks"
            self._events.phase("cache_masks", len(pictures.items))
        return gather_masks(
            self._config,
            self._run,
            pictures,
            self._events,
            latent_px=base.structure.vae.factor,
            progress=self._progress("cache_masks"),
        )

    def _latents(self, base: BaseModel, pictures: TrainingSet) -> Latents:
        if self._config.memory.cache_latents and not self._config.dataset.random_crop:
            self._doing = ENCODING
            self._events.phase("cache_latents", len(pictures.items) * (2 if self._config.dataset.flip else 1))
            return cache_latents(base, pictures, self._config, run=self._run, progress=self._progress("cache_latents"))
        if self._config.memory.cache_latents:
            message = "Random crops differ each time, so pictures are encoded anew each time: slower, and more memory"
            self._events.warning("latents_not_cached", message)
        return FreshLatents(base, pictures, self._config)

    def _can_cache_text(self, network: Network) -> bool:
        if network.has_text_encoder:
            why = "the text encoder is trained"
        elif not CaptionStyle.of(self._config.dataset).is_fixed:
            why = "captions differ each time"
        else:
            return True
        self._events.warning("text_not_cached", f"Captions are encoded in each step, because {why}")
        return False

    def _stepper(self, material: Material, groups: tuple[Group, ...], length: Length, state: State | None) -> Stepper:
        config = self._config
        optimizer = make_optimizer(
            config.optimizer,
            groups,
            device=material.device,
            relative_step=config.schedule.name == "adafactor",
            warn=self._events.warning,
        )
        schedule = Schedule.of(
            config.schedule,
            num_steps=length.steps,
            learning_rate=config.optimizer.learning_rate,
            optimizer=config.optimizer.name,
        )
        stepper = Stepper(material, groups, optimizer, schedule, batch_parts=self._ladder.batch_parts)
        if state is not None:
            self._resuming.load(stepper, state)
        return stepper

    def _duties(
        self,
        stepper: Stepper,
        pictures: TrainingSet,
        length: Length,
        hashes: Future[tuple[FileHashes, FileHashes | None]],
        state: State | None,
    ) -> RunDuties:
        structure = stepper.material.base.structure

        def session() -> Session:
            model, vae = hashes.result()
            return Session(self._config, pictures, model, vae, length.steps, length.batches_per_epoch, self._started)

        return RunDuties(
            run=self._run,
            stepper=stepper,
            files=LoraFiles(
                self._run,
                self._config.saving,
                planned_header_bytes(self._config, structure),
                DiffusersCopy.of(self._config, structure),
            ),
            states=self._states,
            session=session,
            config_hash=config_hash(self._planned),
            events=self._events,
            interrupt=self._interrupt,
            seconds_before=state.seconds if state else 0.0,
            kept=state.position if state else None,
        )

    def _check(self, lora: Path, stepper: Stepper, pictures: TrainingSet, groups: tuple[Group, ...]) -> ReloadCheck:
        self._events.phase("check", 1)
        material = stepper.material
        for encoder in material.base.text_encoders:
            encoder.to(material.device)
        caption = material.texts.plain_caption(pictures.items[0])
        clip_skip = self._config.model.clip_skip
        with stepper.weights_for_use():
            check = check_saved(lora, material.base, material.network, caption, clip_skip=clip_skip)
        self._events.send("reload_check", **asdict(check))
        parts = {group.part for group in groups}
        complaints = check.complaints(unet="unet" in parts, text_encoder="text_encoder" in parts)
        if complaints:
            self._events.warning("reload_check", f"{lora.name} was read back, and {'; '.join(complaints)}")
        self._events.progress("check", 1, 1)
        return check

    def _progress(self, phase: str) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            self._events.progress(phase, done, total)
            self._interrupt.check()

        return tell

    @contextmanager
    def _memory_errors(self, device: torch.device) -> Iterator[None]:
        try:
            yield
        except LoraError:
            raise
        except Spilled as error:
            raise spilled(error, memory_facts(device, self._doing, self._largest, self._before)) from error
        except (RuntimeError, MemoryError, OSError) as error:
            if is_out_of_memory(error):
                facts = memory_facts(device, self._doing, self._largest, self._before)
                raise out_of_memory(self._config, device, self._doing, facts) from error
            raise


def _placed(device: torch.device) -> torch.device:
    """The device as accelerate names it: with several cards, the one of this process."""
    placed: torch.device = Accelerator(mixed_precision="no", cpu=device.type == "cpu").device
    return placed if placed.type == device.type and device.index is None else device


def _hashes_of(config: TrainingConfig) -> tuple[FileHashes, FileHashes | None]:
    vae = file_hashes(Path(config.model.vae_path)) if config.model.vae_path else None
    return file_hashes(Path(config.model.path)), vae


def execute(run: Path, config: TrainingConfig, options: Options, events: Events, interrupt: Interrupt) -> None:
    """Train what the configuration says, in the run folder.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user ended it.
    """
    Training(run, config, events, interrupt).execute(options)
