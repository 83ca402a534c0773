"""The options of `loracle tag`, checked."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.dataset.caption_edits.selection import Selection
from advisor.dataset.captions import tags_of
from advisor.errors import ConfigError, Mistakes
from advisor.shell import shell_words
from advisor.tagging.choose_tags import CHARACTER_THRESHOLD, LEAST_THRESHOLD, THRESHOLD, TagChoice
from advisor.tagging.tagged import Mode
from advisor.tagging.tagger_model import MOST_BATCH


@dataclass(frozen=True)
class TagOptions:
    """As they were given."""

    model: str | None = None
    threshold: float | None = None
    character_threshold: float | None = None
    without: tuple[str, ...] = ()
    """Each may name several tags, separated by commas."""
    only: tuple[str, ...] = ()
    append: bool = False
    replace: bool = False
    ratings: bool = False
    underscores: bool = False
    escape: bool = False
    dry_run: bool = False
    device: str | None = None
    batch: int | None = None

    def choice(self, trigger: str) -> TagChoice:
        """Which tags are wanted.

        Raises:
            LoraError: options cannot be, or not together.
        """
        mistakes = Mistakes()
        for option, value in (("--threshold", self.threshold), ("--character-threshold", self.character_threshold)):
            if value is not None and not LEAST_THRESHOLD <= value <= 1:
                mistakes.add(ConfigError(option, value, f"give a share from {LEAST_THRESHOLD} to 1"))
        if self.append and self.replace:
            mistakes.add(
                ConfigError("--append", True, "it keeps the captions that --replace replaces: give one of them")
            )
        if self.device not in (None, "cpu"):
            mistakes.add(ConfigError("--device", self.device, "take cpu, or leave it out for what is there"))
        if self.batch is not None and not 1 <= self.batch <= MOST_BATCH:
            mistakes.add(ConfigError("--batch", self.batch, f"give a number from 1 to {MOST_BATCH}"))
        mistakes.refuse()
        return TagChoice(
            threshold=THRESHOLD if self.threshold is None else self.threshold,
            character_threshold=CHARACTER_THRESHOLD if self.character_threshold is None else self.character_threshold,
            without=tuple(tag for part in self.without for tag in tags_of(part)),
            trigger=trigger,
            ratings=self.ratings,
            underscores=self.underscores,
            escaped=self.escape,
        )  # fmt: skip

    @property
    def mode(self) -> Mode:
        """Which captions change."""
        return "append" if self.append else "replace" if self.replace else "missing"

    @property
    def selection(self) -> Selection:
        """Which pictures are tagged."""
        return Selection(only=self.only, without_caption=self.mode == "missing")

    def command(self, run: str, model: str) -> str:
        """The command that does this, for the log of edits."""
        words = ["loracle", "tag", run, "--model", model]
        for option, value in (("--threshold", self.threshold), ("--character-threshold", self.character_threshold)):
            words += [] if value is None else [option, f"{value:g}"]
        words += Selection(only=self.only).words()
        words += [word for tags in self.without for word in ("--without", tags)]
        flags = {"append": self.append, "replace": self.replace, "ratings": self.ratings,
                 "keep-underscores": self.underscores, "escape-brackets": self.escape}  # fmt: skip
        return shell_words(words + [f"--{flag}" for flag, is_given in flags.items() if is_given])
