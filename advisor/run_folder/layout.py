"""A run folder: its files read into typed records, and written whole. Where they lie: `advisor.run_folder.paths`.

What parses a file is imported when that file is read, so that the first question waits for no pydantic model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.errors import RunError
from advisor.run_folder.paths import RunPaths

if TYPE_CHECKING:
    from advisor.answers import Answers
    from advisor.run_folder.demo_scores import DemoScores
    from advisor.run_folder.event_file import EventLog, EventTail, EventWriter
    from advisor.run_folder.grids.grid_record import GridRecord
    from advisor.run_folder.ladder_file import Ladder
    from advisor.run_folder.pictures.held_out import HeldOut
    from advisor.run_folder.pictures.left_out import LeftOut
    from advisor.run_folder.plan_record import PlanRecord
    from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class RunFolder(RunPaths):
    """A run folder: the path of each of its files, reading them into typed records, and writing them whole."""

    def read_config(self) -> TrainingConfig:
        """The settings of `loracle.toml`.

        Raises:
            RunError: there is no such file, or it is no TOML.
            ConfigErrors: settings are wrong; all are named, with the file.
        """
        from advisor.run_folder.config_file import read_config

        return read_config(self.config)

    def located(self, config: TrainingConfig) -> TrainingConfig:
        """The settings with every path absolute; relative ones begin in the run folder."""
        from advisor.settings.config import PATH_SETTINGS, setting, with_values

        given = {path: setting(config, path) for path in PATH_SETTINGS}
        found = {path: str(self.path / value) for path, value in given.items() if value}
        return with_values(config, {path: value for path, value in found.items() if value != given[path]})

    def read_plan(self) -> PlanRecord:
        """The record of the plan.

        Raises:
            RunError: there is none, or it is damaged; the file and the place in it are named.
        """
        from advisor.run_folder.plan_record import read_plan

        return read_plan(self.plan)

    def known_plan(self) -> PlanRecord | None:
        """The same for those who can do without: None where there is none that can be read."""
        try:
            return self.read_plan()
        except RunError:
            return None

    def write_plan(self, record: PlanRecord) -> None:
        """Put a record that was read and changed in its file's place; one that the user changed is kept beside it.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.plan_record import plan_text, was_written
        from advisor.run_folder.write_over import NewFile, write_over
        from advisor.run_folder.written import WrittenFiles

        text = plan_text(record.document).encode("utf-8")
        write_over([NewFile(self.plan, text, "run", was_written)], WrittenFiles(self.path), overwrite=True)

    def read_answers(self) -> Answers:
        """The answers that the folder keeps.

        Raises:
            RunError: there are none, or the file is damaged.
        """
        from advisor.run_folder.answers_file import read_answers

        return read_answers(self.answers)

    def read_ladder(self) -> Ladder:
        """What was changed because memory ran out; nothing where it never did.

        Raises:
            RunError: the file is damaged.
        """
        from advisor.run_folder.ladder_file import read_ladder

        return read_ladder(self.ladder)

    def write_ladder(self, ladder: Ladder) -> None:
        """Keep what was changed because memory ran out.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.ladder_file import write_ladder

        write_ladder(self.ladder, ladder)

    def read_left_out(self) -> LeftOut:
        """The images that are left out; none where the user was never asked.

        Raises:
            RunError: the file is damaged.
        """
        from advisor.run_folder.pictures.left_out import read_left_out

        return read_left_out(self.left_out)

    def write_left_out(self, left_out: LeftOut) -> None:
        """Keep which images are left out.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.pictures.left_out import write_left_out

        write_left_out(self.left_out, left_out)

    def read_held_out(self) -> HeldOut | None:
        """Which images the validation loss is measured on; None where that is not known."""
        from advisor.run_folder.pictures.held_out import read_held_out

        return read_held_out(self.held_out)

    def write_held_out(self, split: HeldOut) -> None:
        """Keep which images the validation loss is measured on.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.pictures.held_out import write_held_out

        write_held_out(self.path, self.held_out, split)

    def read_demo_scores(self) -> DemoScores:
        """What the demo measured.

        Raises:
            RunError: the file is not there or is damaged.
        """
        from advisor.run_folder.demo_scores import read_demo_scores

        return read_demo_scores(self.demo_scores)

    def write_demo_scores(self, scores: DemoScores) -> None:
        """Keep what the demo measured.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.demo_scores import write_demo_scores

        write_demo_scores(self.demo_scores, scores)

    def read_grid(self) -> GridRecord:
        """What was drawn of the run's LoRAs, measured and chosen.

        Raises:
            RunError: the file is not there or is damaged.
        """
        from advisor.run_folder.grids.grid_record import read_grid

        return read_grid(self.grid.record)

    def known_grid(self) -> GridRecord | None:
        """The same for those who can do without: None where there is none that can be read."""
        try:
            return self.read_grid()
        except RunError:
            return None

    def write_grid(self, record: GridRecord) -> None:
        """Keep what was drawn of the run's LoRAs, measured and chosen.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.grids.grid_record import write_grid

        write_grid(self.grid.record, record)

    def read_events(self) -> EventLog:
        """The events of every start; none where nothing was trained.

        Raises:
            RunError: the file is there and cannot be read.
        """
        from advisor.run_folder.event_file import read_events

        return read_events(self.events)

    def new_events(self) -> EventTail:
        """The events that are written from now on."""
        from advisor.run_folder.event_file import EventTail

        return EventTail(self.events)

    def event_writer(self) -> EventWriter:
        """The event file, opened to append to it.

        Raises:
            RunError: it cannot be written.
        """
        from advisor.run_folder.event_file import EventWriter

        return EventWriter(self.events)
