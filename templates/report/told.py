"""What a report is made of, as it was read from a run folder."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.choosing.picks import PickRanking
from advisor.errors import RunError
from advisor.run_folder.events import AnyEvent, Failed, Finished, RungTaken, Started, WarningGiven
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.picks_file import ranking_of, read_picks
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_outline import Outline, outline
from advisor.run_folder.plan_record import PlanFields
from templates.report.curve import Curve, curve_of


@dataclass(frozen=True)
class Told:
    """What lies in a run folder, read once."""

    run: RunFolder
    plan: PlanFields
    outline: Outline
    events: tuple[AnyEvent, ...]
    damaged_lines: int
    """Of the events."""
    grid: GridRecord | None
    picks: PickRanking | None = None
    """What follows from the user's blind picks; None: there are none that can be read."""

    @classmethod
    def of(cls, run: RunFolder) -> Told:
        """What lies in a run folder.

        Raises:
            RunError: the run has no plan.json or a damaged one, or a link in it leads out.
        """
        run.refuse_links_out()
        record, log = run.read_plan(), run.read_events()
        grid = run.known_grid()
        return cls(
            run, record.fields, outline(record.document), tuple(log.events), log.damaged_lines, grid, _picks(run, grid)
        )  # fmt: skip

    @property
    def name(self) -> str:
        """What the LoRA is called."""
        return self.plan.config.saving.name

    @property
    def trigger(self) -> str:
        """The word that calls the character."""
        return self.plan.config.run.trigger

    @property
    def curve(self) -> Curve:
        """The training's steps."""
        return curve_of(self.events)

    @property
    def is_on_card(self) -> bool:
        """Whether it was planned for a card."""
        return self.outline.machine is not None and self.outline.machine.gpu is not None

    @property
    def finished(self) -> Finished | None:
        """The training's end, if it reached it."""
        return next((event for event in reversed(self.events) if isinstance(event, Finished)), None)

    @property
    def failed(self) -> Failed | None:
        """Why the last start ended early; None: it did not, or nobody told."""
        ends = (event for event in reversed(self.events) if isinstance(event, Failed | Finished | Started))
        last = next(ends, None)
        return last if isinstance(last, Failed) else None

    @property
    def num_rungs(self) -> int:
        """How often memory ran out."""
        return sum(isinstance(event, RungTaken) for event in self.events)

    @property
    def warnings(self) -> list[str]:
        """Those of the training and of the plan, each once: every start gives them again."""
        given = (event.message for event in self.events if isinstance(event, WarningGiven))
        return list(dict.fromkeys((*given, *(warning.message for warning in self.plan.warnings))))


def _picks(run: RunFolder, grid: GridRecord | None) -> PickRanking | None:
    try:
        return None if grid is None else ranking_of(read_picks(run.grid.picks), grid)
    except RunError:
        return None
