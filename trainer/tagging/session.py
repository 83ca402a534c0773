"""A tagger in onnxruntime: on the graphics card where that can be, else on the processor.

Letters: n pictures, t tags, s the side of the square.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from advisor.errors import HardwareError, ModelError
from advisor.shown_text import short_text
from advisor.tagging.tagger_model import TaggerModel, no_runtime
from trainer.runtime.interrupts import Interrupted
from trainer.tagging.pictures import Pixels

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "CUDAExecutionProvider": "CUDA",
    "ROCMExecutionProvider": "ROCm",
    "MIGraphXExecutionProvider": "MIGraphX",
    "DmlExecutionProvider": "DirectML",
    "CoreMLExecutionProvider": "CoreML",
    CPU: "processor",
}
"""What may compute, the best first, and its name for people. TensorRT would spend minutes on compiling first."""
CHECK_SECONDS = 0.1
TOLERANCE = 1e-3
"""By so much a number in half precision may lie outside of 0 to 1."""
ERRORS_ONLY = 3
"""onnxruntime's level of its log: what it finds strange in a model is not the user's business."""
ALLOCATION_SIGNS = (
    "failed to allocate memory",
    "out of memory",
    "bad_alloc",
    "available memory of",
    "not enough memory",
)
"""What onnxruntime and its providers say where memory runs out, in small letters."""

Shares = npt.NDArray[np.float32]
Warn = Callable[[str], None]


class OutOfRoom(Exception):
    """There is no memory for so many pictures at once."""


class Session(Protocol):
    """What is used of onnxruntime's InferenceSession."""

    def run(self, outputs: Sequence[str], inputs: dict[str, Any], options: Any) -> list[Any]:
        """Compute, until the options say `terminate`."""

    def get_providers(self) -> list[str]:
        """What computes, the first before the others."""


@dataclass(frozen=True)
class Tagger:
    """A tagger, ready to tell what pictures show."""

    model: TaggerModel
    session: Session
    provider: str
    """onnxruntime's name of what computes."""
    check: Callable[[], None] = lambda: None
    """Called about ten times a second while it computes; may raise to break off."""

    def shares(self, pictures: Sequence[Pixels]) -> Shares:
        """How sure it is of each tag, from 0 to 1, as [n, t] for n pictures of [s, s, 3].

        Raises:
            OutOfRoom: there is no memory for so many.
            ModelError: it gives something else.
        """
        batch = np.stack(pictures).astype(self.model.dtype)
        missing = (self.model.batch or len(batch)) - len(batch)
        if missing > 0:
            batch = np.concatenate([batch, np.full((missing, *batch.shape[1:]), 255, batch.dtype)])
        if self.model.layout == "NCHW":
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        try:
            (found,) = self._computed(batch)
        except Interrupted:
            raise
        except Exception as error:  # onnxruntime's own kinds of errors have no common ancestor but Exception
            if is_out_of_room(error):
                raise OutOfRoom from error
            raise ModelError(f"{self.model.path} cannot be computed: {short_text(str(error))}") from error
        return self._checked(np.asarray(found, dtype=np.float32)[: len(pictures)], len(pictures))

    def _computed(self, batch: npt.NDArray[Any]) -> list[Any]:
        """What the model gives; in a thread of its own, so that a model without an end can be broken off."""
        options = onnx_runtime().RunOptions()
        with ThreadPoolExecutor(1) as pool:
            outputs = pool.submit(self.session.run, [self.model.output_name], {self.model.input_name: batch}, options)
            try:
                while not wait((outputs,), timeout=CHECK_SECONDS).done:
                    self.check()
            except BaseException:
                options.terminate = True
                raise
        return outputs.result()

    def _checked(self, found: Shares, num_pictures: int) -> Shares:
        wanted = (num_pictures, len(self.model.tags))
        if found.shape != wanted:
            sizes = " x ".join(map(str, found.shape))
            raise ModelError(
                f"{self.model.path} gives {sizes} numbers for {num_pictures} pictures, and {self.model.tags_path.name} "
                f"has {len(self.model.tags):,} tags: they do not belong together"
            )
        if not np.isfinite(found).all() or found.min() < -TOLERANCE or found.max() > 1 + TOLERANCE:
            raise ModelError(
                f"{self.model.path} gives numbers from {found.min():.3g} to {found.max():.3g} and no shares from 0 to "
                "1, as WD14-style taggers do: it is another kind of model"
            )
        return np.clip(found, 0.0, 1.0)


def open_tagger(
    model: TaggerModel, device: str | None, threads: int, warn: Warn, check: Callable[[], None] = lambda: None
) -> Tagger:
    """Load a tagger.

    Args:
        device: `cpu`, or None for the best that there is.
        threads: to compute with on a processor; 0: as OMP_NUM_THREADS says, else half of them.
        warn: is told where the graphics card is not used.
        check: called now and then while it computes; may raise to break off.

    Raises:
        HardwareError: onnxruntime is missing, or there is no memory for the model.
        ModelError: onnxruntime cannot load it.
    """
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or usual_threads(os.environ)
    for provider in usable_providers(runtime.get_available_providers(), device):
        try:
            chain = [provider] if provider == CPU else [provider, CPU]
            session = runtime.InferenceSession(str(model.path), sess_options=options, providers=chain)
            used = session.get_providers()[0]
        except Exception as error:  # as above
            if provider != CPU:
                warn(f"{PROVIDERS[provider]} cannot be used ({short_text(str(error))}): trying what else there is")
                continue
            if is_out_of_room(error):
                raise HardwareError(
                    f"There is not enough memory for {model.path.name}: close other programs"
                ) from error
            raise ModelError(
                f"{model.path} cannot be loaded by onnxruntime {runtime.__version__}: {short_text(str(error))}"
            ) from error
        if used == CPU and provider != CPU:
            warn(f"{PROVIDERS[provider]} cannot be used here; tagging on the processor, which is slower")
        return Tagger(model, session, used, check)
    raise HardwareError(f"onnxruntime {runtime.__version__} cannot compute on a processor: install it anew")


def usual_threads(environment: Mapping[str, str]) -> int:
    """Threads to compute with where nobody says how many: half of them, so that the machine stays usable."""
    given = environment.get("OMP_NUM_THREADS", "")
    there = os.cpu_count() or 1
    return max(1, min(int(given), there) if given.isdecimal() else there // 2)


def usable_providers(available: Sequence[str], device: str | None) -> tuple[str, ...]:
    """What to try, one after the other."""
    if device == "cpu":
        return (CPU,)
    return tuple(provider for provider in PROVIDERS if provider in available)


def available_providers() -> list[str]:
    """What the installed onnxruntime can compute with.

    Raises:
        HardwareError: it is not installed, or does not load.
    """
    found: list[str] = onnx_runtime().get_available_providers()
    return found


def is_out_of_room(error: BaseException) -> bool:
    """Whether an error of onnxruntime says that memory ran out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in ALLOCATION_SIGNS)


def onnx_runtime() -> Any:
    """onnxruntime, which finds the libraries of CUDA that came with torch where it needs them, and reports to nobody.

    Of itself it keeps an identity of the device in the user's home and queues events for its makers, unless the
    variable is set before it is imported; builds for Windows are told by a call.

    Raises:
        HardwareError: it is not installed, or does not load.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise HardwareError(no_runtime()) from None
    except ImportError as error:
        raise HardwareError(
            f"The package onnxruntime does not load ({short_text(str(error))}): `pip install --force-reinstall "
            "onnxruntime`"
        ) from error
    onnxruntime.disable_telemetry_events()
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers() and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    return onnxruntime
