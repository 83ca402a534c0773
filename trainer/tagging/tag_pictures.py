"""All pictures of a request through a tagger: some are decoded while others are computed, and what is known is not
computed again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from advisor.errors import DatasetError, HardwareError
from advisor.run_folder.pictures.tag_request import PictureTags, PictureToTag
from advisor.tagging.choose_tags import LEAST_THRESHOLD, Confidences
from advisor.tagging.prediction_store import PredictionStore, picture_key
from trainer.data.image_files import content_digest
from trainer.runtime.events import ReportProgress
from trainer.tagging.pictures import Pixels, square_pixels
from trainer.tagging.session import OutOfRoom, Shares, Tagger

BATCHES_AHEAD = 2
"""So many batches of pictures are decoded before they are needed."""


@dataclass(frozen=True)
class Ready:
    """A picture, decoded unless it is known or broken."""

    picture: PictureToTag
    key: str = ""
    pixels: Pixels | None = None
    known: Confidences | None = None
    why_not: str = ""


@dataclass
class Tagging:
    """Tags pictures."""

    load: Callable[[], Tagger]
    """Loads the tagger; called once there is a picture that is not known."""
    store: PredictionStore
    side_px: int
    batch: int
    """Pictures at once; fewer where memory does not suffice."""
    threads: int
    """To decode with."""
    num_computed: int = 0
    provider: str = ""
    """What computed; empty: nothing was."""
    _tagger: Tagger | None = field(default=None, init=False)

    def tags(self, pictures: Sequence[PictureToTag], progress: ReportProgress) -> list[PictureTags]:
        """What the tagger tells of each, in their order.

        Args:
            progress: called after each; may raise to break off. What was computed is kept.

        Raises:
            HardwareError: there is not even memory for one picture.
            ModelError: the tagger gives something else than shares of tags.
        """
        found = dict[int, PictureTags]()
        waiting = list[tuple[int, Ready]]()
        for index, ready in enumerate(self._ready(pictures)):
            if ready.pixels is not None:
                waiting.append((index, ready))
            else:
                found[index] = _without_computing(ready)
            if len(waiting) >= self.batch:
                found.update(self._computed(waiting))
                waiting = []
            progress(len(found), len(pictures))
        if waiting:
            found.update(self._computed(waiting))
            progress(len(found), len(pictures))
        return [found[index] for index in range(len(pictures))]

    def _computed(self, batch: Sequence[tuple[int, Ready]]) -> Mapping[int, PictureTags]:
        """The tags of a batch, each kept at once."""
        found = dict[int, PictureTags]()
        shares = self._shares([ready.pixels for _, ready in batch if ready.pixels is not None])
        for (index, ready), one in zip(batch, shares, strict=True):
            confidences = {int(place): float(one[place]) for place in (one >= LEAST_THRESHOLD).nonzero()[0]}
            self.store.put(ready.key, confidences)
            found[index] = PictureTags.of(ready.picture.path, self.store.get(ready.key) or {})
        self.num_computed += len(batch)
        return found

    def _shares(self, pixels: Sequence[Pixels]) -> list[Shares]:
        """How sure the tagger is, a row a picture; in smaller batches where memory runs out."""
        if self._tagger is None:
            self._tagger = self.load()
            self.provider = self._tagger.provider
        found = list[Shares]()
        while len(found) < len(pixels):
            part = pixels[len(found) : len(found) + self.batch]
            try:
                found += list(self._tagger.shares(part))
            except OutOfRoom as error:
                if len(part) == 1 or self._tagger.model.batch is not None:
                    raise HardwareError(
                        "There is not enough memory to tag a single picture with this model: close other programs, "
                        "take a smaller one, or the processor (--device cpu)"
                    ) from error
                self.batch = max(1, len(part) // 2)
        return found

    def _ready(self, pictures: Sequence[PictureToTag]) -> Iterator[Ready]:
        """The pictures in their order, some of them decoded ahead."""
        ahead = max(self.threads, BATCHES_AHEAD * self.batch)
        pool = ThreadPoolExecutor(self.threads)
        coming = deque[Future[Ready]]()
        try:
            for picture in pictures:
                coming.append(pool.submit(self._read, picture))
                if len(coming) > ahead:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, picture: PictureToTag) -> Ready:
        try:
            key = picture_key(content_digest(Path(picture.path)), picture.crop)
            known = self.store.get(key)
            if known is not None:
                return Ready(picture, key, known=known)
            return Ready(picture, key, square_pixels(picture, self.side_px))
        except DatasetError as error:
            return Ready(picture, why_not=str(error))


def _without_computing(ready: Ready) -> PictureTags:
    if ready.known is None:
        return PictureTags(path=ready.picture.path, why_not=ready.why_not)
    return PictureTags.of(ready.picture.path, ready.known)
