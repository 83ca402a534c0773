"""A tagger on disk: an ONNX file with its list of tags beside it, and how pictures go into it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.errors import ModelError
from advisor.files import is_file, is_folder, is_there
from advisor.shell import shell_words
from advisor.tagging.tag_list import Tag, read_tag_list
from advisor.tensor_files.onnx_outline import OnnxValue, read_onnx_outline

MODEL_NAME, TAGS_NAME = "model.onnx", "selected_tags.csv"
"""What both are called on the hub."""
EXTENSION = ".onnx"
USUAL_SIDE_PX = 448
"""Of the WD14 taggers; where a file leaves the size open, it is made for this one."""
SIDES_PX = range(16, 4097)
MOST_BATCH = 1024
CHANNELS = 3
INPUT_DTYPES = ("float32", "float16")
OUTPUT_DTYPES = ("float32", "float16")
RUNTIME = "onnxruntime"
"""The package that computes taggers; the extra `tagger` names it, too."""
WANTED = (
    "WD14-style taggers take one picture of height x width x 3 (or 3 x height x width) and give a number for each tag: "
    "take one of those, e.g. --model wd-vit-tagger-v3"
)

Layout = Literal["NHWC", "NCHW"]


def no_runtime() -> str:
    """What is said where that package is missing, with the command that adds it to the Python that is running."""
    return f"Tagging needs the package {RUNTIME}, which is not installed: `{shell_words(install_runtime())}` adds it"


def install_runtime() -> tuple[str, ...]:
    """The words of that command."""
    return (sys.executable or "python", "-m", "pip", "install", RUNTIME)


@dataclass(frozen=True)
class TaggerModel:
    """A tagger, and what its file says of its input."""

    path: Path
    tags_path: Path
    weight_files: tuple[Path, ...]
    """Further files with its weights."""
    tags: tuple[Tag, ...]
    input_name: str
    output_name: str
    layout: Layout
    """Where the three channels, blue, green and red of 0 to 255, stand."""
    side_px: int
    """Width and height of the square that it takes."""
    dtype: str
    """Of its input, as numpy calls it."""
    batch: int | None
    """Pictures that it takes at once, neither more nor fewer; None: as many as one likes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files whose content decides what it tells of a picture."""
        return (self.path, *self.weight_files, self.tags_path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about it, a sentence each."""
        found = list[str]()
        if self.layout == "NCHW":
            found.append(
                f"{self.path.name} takes 3 x {self.side_px} x {self.side_px}, unlike the WD14 taggers: it is given "
                "blue, green and red from 0 to 255 as they are; look whether its tags are right"
            )
        if not any(tag.kind == "rating" for tag in self.tags):
            found.append(f"{self.tags_path.name} has no ratings (category 9), as the lists of the WD14 taggers do")
        return tuple(found)


def read_tagger(path: Path) -> TaggerModel:
    """The tagger of a file, or of a folder with one.

    Raises:
        ModelError: there is none, a part of it is missing or damaged, or it is a model of another kind.
    """
    file = model_file(path)
    tags_path = tags_file(file)
    outline = read_onnx_outline(file)
    tags = read_tag_list(tags_path)
    if len(outline.inputs) != 1:
        raise ModelError(f"{file} is no tagger: {len(outline.inputs)} things go into it, not one picture; {WANTED}")
    (given,) = outline.inputs
    layout, side_px = _layout(file, given)
    output = _output(file, outline.outputs, tags_path, len(tags))
    batch = given.shape[0]
    if batch is not None and batch > MOST_BATCH:
        raise ModelError(f"{file} takes {batch:,} pictures at once, more than {MOST_BATCH:,}: choose another model")
    return TaggerModel(
        path=file, tags_path=tags_path, weight_files=outline.weight_files, tags=tags, input_name=given.name,
        output_name=output.name, layout=layout, side_px=side_px, dtype=given.dtype, batch=batch,
    )  # fmt: skip


def model_file(path: Path) -> Path:
    """The ONNX file that a path means.

    Raises:
        ModelError: there is none.
    """
    if is_file(path):
        if path.suffix.lower() != EXTENSION:
            raise ModelError(f"{path} is no {EXTENSION} file: name a tagger's {MODEL_NAME}, or the folder with it")
        return path
    if not is_there(path):
        raise ModelError(f"{path} does not exist: name a tagger's {MODEL_NAME}, or the folder with it")
    if not is_folder(path):
        raise ModelError(f"{path} is neither a file nor a folder: name a tagger's {MODEL_NAME}")
    if is_file(path / MODEL_NAME):
        return path / MODEL_NAME
    try:
        found = sorted(one for one in path.iterdir() if one.suffix.lower() == EXTENSION and is_file(one))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}: name a tagger's {MODEL_NAME}") from None
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in found[:5])
    what = f"holds several models ({names}): name one of them" if found else f"holds no {EXTENSION} file"
    raise ModelError(f"{path} {what}")


def tags_file(model: Path) -> Path:
    """The list of tags beside an ONNX file, under the model's own name or that of the hub.

    Raises:
        ModelError: there is none.
    """
    for candidate in (model.with_suffix(".csv"), model.parent / TAGS_NAME):
        if is_file(candidate):
            return candidate
    raise ModelError(f"{model} has no {TAGS_NAME} beside it, without which nobody knows its tags: download that too")


def _layout(file: Path, given: OnnxValue) -> tuple[Layout, int]:
    """Where the channels stand, and the side of the square."""
    shape = given.shape
    if len(shape) != 4 or given.dtype not in INPUT_DTYPES:
        raise ModelError(f"{file} is no such tagger: it takes {_told(given)}; {WANTED}")
    layout: Layout
    if shape[3] == CHANNELS:
        layout, sides = "NHWC", shape[1:3]
    elif shape[1] == CHANNELS:
        layout, sides = "NCHW", shape[2:4]
    else:
        raise ModelError(f"{file} is no such tagger: it takes {_told(given)}; {WANTED}")
    known = {side for side in sides if side is not None}
    if len(known) > 1 or any(side not in SIDES_PX for side in known):
        raise ModelError(f"{file} is no such tagger: it takes {_told(given)}, no square of a sane size; {WANTED}")
    return layout, next(iter(known), USUAL_SIDE_PX)


def _output(file: Path, outputs: tuple[OnnxValue, ...], tags_path: Path, num_tags: int) -> OnnxValue:
    """The output that has a number for each tag."""
    fitting = [
        one
        for one in outputs
        if one.dtype in OUTPUT_DTYPES and (not one.shape or (len(one.shape) == 2 and one.shape[1] in (None, num_tags)))
    ]
    if not fitting:
        gives = "; ".join(_told(one) for one in outputs)
        raise ModelError(
            f"{file} gives {gives}, and {tags_path.name} beside it has {num_tags:,} tags: they do not belong together, "
            f"or the model is no tagger; {WANTED}"
        )
    return fitting[0]


def _told(value: OnnxValue) -> str:
    """E.g. `? x 448 x 448 x 3 of float32`."""
    sizes = " x ".join("?" if size is None else str(size) for size in value.shape) or "something without a size"
    return f"{sizes} of {value.dtype}"
