"""Whether sd-scripts can read the files of an Anima, each of which it wants by itself."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.errors import ConfigError
from templates.exporting.published_layout import layout_errors
from templates.exporting.separate_parts import is_file_name
from templates.kohya.export_layout import ExportLayout
from templates.kohya.words import ANIMA

PREFIXES = ("net.", "")
"""What may stand before the names in a denoiser's file there."""


def file_errors(layout: ExportLayout, where: str) -> Iterator[ConfigError]:
    """What is wrong with the files for `where`."""
    if is_file_name(layout.model):
        yield from layout_errors(ANIMA, layout.model, where, PREFIXES)
    else:
        mend = f"{where} reads Anima from a .safetensors file, as ComfyUI has it: plan with that file"
        yield ConfigError("model.path", layout.model, mend)
    for path, file, what in (
        ("model.text_encoder_path", layout.text_encoder, "the text encoder (Qwen3-0.6B)"),
        ("model.vae_path", layout.vae, "the VAE (Qwen-Image)"),
    ):
        if not is_file_name(file) or file == layout.model:
            yield ConfigError(path, file, f"{where} reads {what} from a .safetensors file of its own: name that file")
