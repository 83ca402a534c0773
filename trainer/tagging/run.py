"""`python -P -m trainer.tagging.run DIR`: tags the pictures that DIR/request.json names; the tags go to DIR/tags.json.

Events go to DIR. What the tagger told is kept in the user's data folder as it comes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import torch

from advisor.files import file_digest
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.tag_request import TagAnswer, TagRequest, read_tag_request, write_tag_answer
from advisor.tagging.batch_size import batch_size
from advisor.tagging.prediction_store import PredictionStore, model_key
from advisor.tagging.tagger_model import TaggerModel, read_tagger
from trainer.runtime.child_process import Work, run_process
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.tagging.memory_limit import limit_memory
from trainer.tagging.session import CPU, Tagger, available_providers, open_tagger, usable_providers
from trainer.tagging.tag_pictures import Tagging

KEPT = "The tagging was interrupted; what the tagger told is kept, and the next start goes on"
NO_CARD = (
    "The installed onnxruntime computes on the processor alone: `pip install onnxruntime-gpu` in its place uses the "
    "graphics card, which is many times faster"
)
MOST_DECODERS = 8


def tag(request: TagRequest, events: Events, interrupt: Interrupt) -> TagAnswer:
    """What the tagger tells of the pictures.

    Raises:
        LoraError: something that the user can mend.
        Interrupted: the user wanted to stop; what was told is kept.
    """
    model = read_tagger(Path(request.model))
    events.phase("load_tagger", 1)
    key = model_key(tuple(file_digest(path) for path in model.files))
    interrupt.check()
    events.progress("load_tagger", 1, 1)
    with PredictionStore(key, len(model.tags)) as store:
        tagging = Tagging(
            load=lambda: _loaded(model, request, events, interrupt.check),
            store=store,
            side_px=model.side_px,
            batch=_batch(model, request),
            threads=max(1, min(MOST_DECODERS, os.cpu_count() or 1)),
        )

        def progress(done: int, total: int) -> None:
            interrupt.check()
            events.progress("tag", done, total)

        events.phase("tag", len(request.pictures))
        pictures = tagging.tags(request.pictures, progress)
    return TagAnswer(pictures=tuple(pictures), provider=tagging.provider, num_computed=tagging.num_computed)


def _loaded(model: TaggerModel, request: TagRequest, events: Events, check: Callable[[], None]) -> Tagger:
    for note in model.notes:
        events.warning("tagger_model", note)
    if request.device != "cpu" and torch.cuda.is_available() and not _may_use_card():
        events.warning("tagger_device", NO_CARD)
    return open_tagger(
        model, request.device, request.threads, lambda message: events.warning("tagger_device", message), check
    )


def _may_use_card() -> bool:
    """Whether the installed onnxruntime has anything that computes on a graphics card."""
    return usable_providers(available_providers(), None) != (CPU,)


def _batch(model: TaggerModel, request: TagRequest) -> int:
    """Pictures at once: what the model's file says, else what was asked for, else what memory allows."""
    if model.batch is not None or request.batch:
        return model.batch or request.batch
    size = sum(path.stat().st_size for path in model.files)
    if request.device != "cpu" and torch.cuda.is_available() and _may_use_card():
        return batch_size(size, torch.cuda.mem_get_info()[0], on_gpu=True)
    return batch_size(size, int(psutil.virtual_memory().available), on_gpu=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tag, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -P -m trainer.tagging.run", description="Tags pictures.")
    parser.add_argument("folder", type=Path, help="where request.json lies, and events and tags go")
    folder = parser.parse_args(arguments).folder

    def prepare() -> tuple[RunFolder, Work]:
        request = read_tag_request(folder)
        limit_memory()
        run = RunFolder(Path(request.run) if request.run else folder)
        return run, lambda events, interrupt: write_tag_answer(folder, tag(request, events, interrupt))

    return run_process(folder, prepare, what="the tagging", kept=KEPT)


if __name__ == "__main__":
    sys.exit(main())
