"""Pictures in their buckets: how much of each is cropped and how far it is enlarged, and from when on that is told.

Plan, trainer and data-set doctor tell of it by the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.dataset.buckets import Bucketing, Placement
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.settings.config import DatasetConfig

TOO_FEW_IMAGES = 10
"""Under so many, poses and backgrounds are learned along with the character."""
CLEARLY_SMALLER = 0.9
"""Of the resolution's square: training sizes of other shapes, like 832 x 1216, have a little less than it."""
MUCH_CROPPED = 0.15
"""Of a picture's area. Of usual pictures, bucketing with steps of 64 px at 512 crops a seventh at most."""
MUCH_ENLARGED = 1.5
"""Times a picture's sides; blur is then plain to see."""


@dataclass(frozen=True)
class PlacedImage:
    """An image and its bucket."""

    image: ImageFile
    placement: Placement

    @property
    def enlarged(self) -> float:
        """Times its sides."""
        scaled = self.placement.scaled
        return max(scaled[0] / self.image.width_px, scaled[1] / self.image.height_px)

    @property
    def text(self) -> str:
        """Its path and size."""
        return f"{self.image.path} {self.image.width_px} x {self.image.height_px}"


def placed_images(report: DatasetReport, dataset: DatasetConfig) -> list[PlacedImage]:
    """All images of a report, in their order, each in its bucket."""
    bucketing, known = Bucketing.of(dataset), dict[tuple[int, int], Placement]()
    for width, height, _ in report.sizes:
        known[width, height] = known.get((width, height)) or bucketing.place(width, height)
    return [PlacedImage(image, known[image.width_px, image.height_px]) for image in report.image_files]
