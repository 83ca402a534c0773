"""The data set of a run: its pictures and captions with the user's edits laid over them.

Plan, check, captions, tags, training, exports and report all read it here, so that what one of them shows is what the
others use. The user's folder is only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from advisor.dataset.edits import Edits
from advisor.dataset.following_edits import FollowedEdits, followed
from advisor.dataset.report import DatasetReport
from advisor.dataset.scan import Tell
from advisor.errors import DatasetError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import edits_of, read_changes
from advisor.run_folder.pictures.run_files import run_files
from advisor.run_folder.pictures.seen_pictures import look_with
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class RunDataset:
    """A run's data set without edits and with them."""

    files: DatasetReport
    """What lies on the disk."""
    report: DatasetReport
    """The same as it is trained."""
    followed: FollowedEdits
    """The edits, by the paths that their pictures have now."""

    @classmethod
    def of(cls, files: DatasetReport, edits: Edits) -> RunDataset:
        """A folder's data set with edits laid over it, be it that they leave nothing."""
        if not edits:
            return cls(files, files, FollowedEdits(edits))
        paths = [files.path_of(image) for image in files.image_files]
        found = followed(edits, paths, look_with(edits))
        return cls(files, found.edits.applied(files), found)

    @property
    def edits(self) -> Edits:
        """What was decided of each picture, by its path now."""
        return self.followed.edits

    @cached_property
    def edited_captions(self) -> tuple[str, ...]:
        """Paths of the pictures, excluded ones too, whose caption comes from the edits."""
        paths = (self.files.path_of(image) for image in self.files.image_files)
        return tuple(path for path in paths if self.edits.get(path).caption is not None)

    @cached_property
    def stale_captions(self) -> tuple[str, ...]:
        """Those of them whose caption file has another text than when the caption was edited."""
        now = {self.files.path_of(image): image.caption for image in self.files.image_files}
        return tuple(path for path in self.edited_captions if self.edits.get(path).replaced != now[path])


def run_dataset(run: RunFolder, config: TrainingConfig | None = None, *, tell: Tell | None = None) -> RunDataset:
    """The data set of a run as it is trained.

    Args:
        config: the run's, or what it becomes; None: its loracle.toml is read.
        tell: called now and then with the progress.

    Raises:
        RunError: the edits, or the configuration, cannot be read.
        ConfigErrors: the configuration is wrong.
        DatasetError: there is no folder of pictures, it holds no usable one, or the edits leave out all of them.
    """
    edits = edits_in(run)
    return with_edits(run_files(run, config, tell=tell), edits)


def edits_in(run: RunFolder) -> Edits:
    """The edits that a run keeps; none where there is no such run yet.

    Raises:
        RunError: they cannot be read.
    """
    return edits_of(read_changes(run))


def with_edits(files: DatasetReport, edits: Edits) -> RunDataset:
    """A folder's data set with edits laid over it.

    Raises:
        DatasetError: the edits leave out every picture.
    """
    found = RunDataset.of(files, edits)
    if not found.report.image_files:
        raise DatasetError(
            f"all {files.num_images} pictures in {files.root} are left out by your edits of this run: "
            "`loracle pictures RUN take-in '*'` takes them in again, `loracle captions RUN undo` takes back "
            "the last change"
        )
    return found
