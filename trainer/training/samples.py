"""The pictures drawn during a training: by the base model before the first step, by the LoRA after epochs.

Drawing never changes what is trained, to the bit, and never ends it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import torch
from PIL.PngImagePlugin import PngInfo

from advisor.choosing.cells import BASE_EPOCH
from advisor.dataset.picture_file import opened_picture
from advisor.files import is_file
from advisor.run_folder.events import SampleDrawn
from advisor.run_folder.keep import write_own
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.written import WrittenFiles
from advisor.settings.config import TrainingConfig
from trainer.device.choose import free_memory
from trainer.diffusion.sampling import Request, draw
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training.stepper import Stepper

MADE_OF = "loracle"
"""The PNG's entry that says what its picture was made of."""


@dataclass(frozen=True)
class Samples:
    """Draws what a configuration asks for into the run folder, and sends the events of it."""

    run: Path
    stepper: Stepper
    events: Events
    interrupt: Interrupt

    def draw_epoch(self, epoch: int) -> None:
        """The LoRA's pictures, as it is now; whatever goes wrong is a warning.

        Raises:
            Interrupted: the user wants to stop.
        """
        self._draw_all(epoch, self.stepper.weights_for_drawing())

    def draw_base(self) -> None:
        """The base model's pictures from the same seeds, unless they are there; whatever goes wrong is a warning.

        Raises:
            Interrupted: the user wants to stop.
        """
        self._draw_all(BASE_EPOCH, self.stepper.context.network.detached())

    def _draw_all(self, epoch: int, weights: AbstractContextManager[None]) -> None:
        context = self.stepper.context
        requests = Request.all_of(context.config)
        self.events.phase("sample", len(requests))
        try:
            with _undisturbed(self.stepper), weights:
                for number, request in enumerate(requests):
                    self._draw(request, number, epoch)
                    self.events.progress("sample", number + 1, len(requests))
        except Interrupted:
            raise
        except Exception as error:  # a sample is never worth a training
            reason = (str(error).splitlines() or [""])[0]
            self.events.warning("sample_failed", f"No sample could be drawn ({type(error).__name__}: {reason})")
        finally:
            free_memory(context.device)

    def _draw(self, request: Request, number: int, epoch: int) -> None:
        context, run = self.stepper.context, RunFolder(self.run)
        path = run.sample(context.config.saving.name, epoch, number)
        made_of = base_digest(request, context.config) if epoch == BASE_EPOCH else ""
        if not made_of or _made_of(path) != made_of:
            image = draw(context.base, request, context.config, self.interrupt.check)
            information = PngInfo()
            if made_of:
                information.add_text(MADE_OF, made_of)
            content = BytesIO()
            image.save(content, format="PNG", pnginfo=information)
            if made_of:
                WrittenFiles(run.path).write(path, content.getvalue(), "sample")
            else:
                write_own(path, content.getvalue(), content.getvalue().startswith)
        self.events.send(SampleDrawn(path=run.within(path), prompt=request.prompt, seed=request.seed, epoch=epoch))


def keep_earlier(run: RunFolder, name: str) -> None:
    """Move what an earlier training drew after its epochs into a folder of its own, where the report shows it beside;
    what cannot be moved stays, and is drawn over.

    Args:
        name: the setting `saving.name`.
    """
    drawn = run.samples_of_epochs(name)
    if not drawn:
        return
    folder = next(one for one in map(run.earlier_samples, count(1)) if not os.path.lexists(one))
    with suppress(OSError):
        folder.mkdir()
        for path in drawn:
            path.rename(folder / path.name)


def base_digest(request: Request, config: TrainingConfig) -> str:
    """What the base model's picture is made of, as 64 hexadecimal digits: the request, the model's file, how it is read
    and computed."""
    found = Path(config.model.path).stat()
    memory = config.memory
    parts: dict[str, object] = {
        "request": asdict(request),
        "model": config.model.model_dump(),
        "file": [found.st_size, found.st_mtime_ns],
        "numbers": [memory.compute_dtype, memory.base_dtype, config.loss.zero_terminal_snr, config.dataset.chunks],
    }
    if memory.decode_slices > 1:
        parts["slices"] = memory.decode_slices
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _made_of(path: Path) -> str | None:
    """What a picture in the run folder was made of; None: it is not there, or does not tell."""
    if not is_file(path):
        return None
    try:
        with opened_picture(path) as image:
            found = image.info.get(MADE_OF)
    except Exception:  # Pillow has many; a picture that cannot be read is drawn again
        return None
    return found if isinstance(found, str) else None


@contextmanager
def _undisturbed(stepper: Stepper) -> Iterator[None]:
    """Within, adapters are without dropout; afterwards they and torch's random state are as they were."""
    context = stepper.context
    trained = context.network.training
    cards = [context.device] if context.device.type == "cuda" else []
    with torch.random.fork_rng(cards):
        context.network.eval()
        try:
            yield
        finally:
            context.network.train(trained)
