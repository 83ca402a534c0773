"""What the GUI's JSON and sd-scripts' TOML say alike, in the same keys."""

from __future__ import annotations

from templates.importing.ledger import Ledger
from templates.importing.readers import flag
from templates.kohya.words import (
    rate_of,
    settle_bucket_step,
    settle_buckets,
    settle_keep_last,
    settle_masks,
    settle_prediction,
    settle_rates,
    settle_resolution,
    settle_seed,
    settle_tracking,
)

SAMPLE_KEYS = ("sample_prompts", "sample_every_n_epochs", "sample_sampler")


def settle_model_and_sizes(ledger: Ledger, family: str, resolution_key: str) -> None:
    """What the model predicts, the pictures' sizes, the seed and masks."""
    settle_prediction(ledger, family)
    settle_resolution(ledger, resolution_key)
    settle_buckets(ledger, default_upscale=None)
    settle_bucket_step(ledger, ledger.spoken("bucket_reso_steps"), family)
    settle_seed(ledger)
    settle_masks(ledger)


def settle_learning_rates(ledger: Ledger, *, otherwise: float, is_gui: bool) -> None:
    """The three rates, each of which may follow from another.

    Args:
        otherwise: the learning rate where none is given.
        is_gui: the file stands for the GUI's whole form, so that rates that it leaves out are settled too.
    """
    rate = rate_of(ledger, "learning_rate", "optimizer.learning_rate")
    unet = rate_of(ledger, "unet_lr", "optimizer.unet_learning_rate")
    text_encoder = rate_of(ledger, "text_encoder_lr", "optimizer.text_encoder_learning_rate")
    if is_gui or rate is not None or unet is not None or text_encoder is not None:
        settle_rates(ledger, otherwise if rate is None else rate, unet, text_encoder, is_gui=is_gui)


def settle_saves(ledger: Ledger) -> None:
    """How many files are kept, and where curves go."""
    settle_keep_last(ledger)
    settle_tracking(ledger)


def no_samples(ledger: Ledger) -> None:
    """The keys of samples, where none are drawn."""
    for key in SAMPLE_KEYS:
        ledger.idle(key, "no samples are drawn")


def settle_text_cache(ledger: Ledger, key: str, family: str) -> None:
    """Whether captions are encoded once; kohya looks at it for SDXL only."""
    if family != "sdxl":
        ledger.idle(key, "looked at for SDXL only")
    elif (cached := ledger.read(key, flag)) is not None:
        ledger.settle(key, "memory.cache_text", cached)
