"""musubi-tuner's file of prompts as it is written: one a line, each with options behind double dashes."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.settings.config import SamplingConfig

LEAST_GUIDANCE = 2.0
"""What it draws with by classifier-free guidance begins above this; up to it a prompt is drawn alone."""


def prompt_lines(sampling: SamplingConfig, side_px: int, shift: float) -> Iterator[str]:
    """One prompt a line with its options.

    `--l` is what is added to the prompt's own answer, so that it is 1 less than guidance is elsewhere.

    Args:
        shift: of the times on the way back.
    """
    negative = _one_line(sampling.negative)
    for number, prompt in enumerate(sampling.prompts):
        if not (text := _one_line(prompt)):
            continue  # its options would be taken for the prompt
        seed = (sampling.seed + number) % 2**32
        added = max(0.0, sampling.guidance - 1)
        options = f"--w {side_px} --h {side_px} --s {sampling.steps} --d {seed} --l {added:g} --fs {shift:g}"
        comment = " " if text.startswith("#") else ""  # a line that begins with # is none
        yield f"{comment}{text}{f' --n {negative}' if negative else ''} {options}"


def _one_line(text: str) -> str:
    """Without line ends, and without what would be taken for an option."""
    return " ".join(text.split()).replace(" --", " -")
