"""Looking at a data set for the doctor: pictures are decoded where they were not before, caption files are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.doctor.caption_sources import caption_sources
from advisor.dataset.doctor.folder_facts import BATCH_SIZE, READER, FolderFacts
from advisor.dataset.folders import find_files, find_named_files
from advisor.dataset.report import DatasetReport
from advisor.planning.caption_warnings import most_tokens
from advisor.settings.config import TOKEN_LIMITS, DatasetConfig, TrainingConfig
from wizard.processes.measured_pictures import measured_pictures

KEPT = "Interrupted. What was measured is kept: the same command goes on there."
RESOLUTION_PX = 512
"""Where none is named: what SD1's models are trained at."""


@dataclass(frozen=True)
class LookedFor:
    """What a data set is looked at for."""

    dataset: DatasetConfig
    trigger: str = ""
    """Empty: the word that most captions begin with."""
    batch_size: int = BATCH_SIZE
    caption_tokens: int | None = None
    """As `FolderFacts.caption_tokens`."""

    @classmethod
    def of_folder(cls, root: str, *, trigger: str = "", resolution_px: int | None = None) -> LookedFor:
        """A folder of which no plan is known: captions are read as a plan reads them where nobody chooses, with as many
        tokens as the longest has, up to the most that there are.
        """
        usual = DatasetConfig(
            images=root,
            resolution_px=resolution_px or RESOLUTION_PX,
            caption_lines=READER.lines,
            max_tokens=TOKEN_LIMITS[-1],
        )
        return cls(usual, trigger)

    @classmethod
    def of_run(cls, config: TrainingConfig, *, trigger: str = "", resolution_px: int | None = None) -> LookedFor:
        """What a run trains, but for what is named otherwise."""
        dataset = config.dataset
        if resolution_px is not None:
            dataset = dataset.model_copy(update={"resolution_px": resolution_px})
        return cls(dataset, trigger or config.run.trigger, config.schedule.batch_size, most_tokens(config))


def folder_facts(
    report: DatasetReport, looked_for: LookedFor, tell: Callable[[int, int], None], *, decodes: bool = True
) -> FolderFacts:
    """All that the checks need to know.

    Args:
        tell: called after each picture that is decoded, with the number done and of how many.
        decodes: without it only names, sizes and captions are looked at.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was measured is kept.
    """
    try:
        pixels = measured_pictures(report, tell) if decodes else {}
    except KeyboardInterrupt:
        raise KeyboardInterrupt(KEPT) from None
    root = Path(report.root)
    found = find_files(root) if report.only is None else find_named_files(root, report.only)
    return FolderFacts(
        report,
        pixels,
        looked_for.trigger,
        looked_for.dataset,
        caption_sources(report, found),
        looked_for.batch_size,
        looked_for.caption_tokens,
    )
