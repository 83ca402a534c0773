"""Text conditioning of samples: token ids, or text states encoded once and cached on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from advisor.errors import TrainingStopped
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from trainer.data.captions import CaptionStyle, caption_for
from trainer.data.tensor_cache import TensorCache, cache_key, module_digest
from trainer.data.training_set import Item, SampleRef, TrainingSet
from trainer.models.families.family import BaseModel, Conditioning
from trainer.runtime.events import ReportProgress
from trainer.seeds import rng

TEXT_VERSION = 1
"""Goes up when the way from a caption to text states changes."""


@dataclass(frozen=True)
class Text:
    """A batch's captions, in one of two forms, on the CPU."""

    token_ids: tuple[Tensor, ...] = ()
    states: Conditioning | None = None
    weights: Tensor | None = None
    """Of weighted captions that come as token numbers, [B, T]; the same for every text encoder."""


class Texts:
    """The captions of every sample, a function of seed, epoch and sample alone."""

    def __init__(self, base: BaseModel, training_set: TrainingSet, config: TrainingConfig) -> None:
        """Tokenize captions in each step; `cache` makes their text states once instead."""
        self._base, self._items, self._config = base, training_set.items, config
        self._style = CaptionStyle.of(config.dataset)
        self._cache: TensorCache | None = None
        self._keys: dict[str, str] = {}

    def caption(self, ref: SampleRef, epoch: int) -> str:
        """One sample's caption."""
        item = self._items[ref.item]
        choices = rng(self._config.run.seed, "caption", epoch, ref.item, ref.repeat)
        if not self._variants:
            return caption_for(item.caption, self._style, choices)
        if self._style.dropout and choices.random() < self._style.dropout:
            return ""
        return self._variant(item, epoch * max(1, item.repeats) + ref.repeat)

    def plain_caption(self, item: Item) -> str:
        """A caption of the image that has no dropout; with tags that change, one of its forms."""
        if self._variants:
            return self._variant(item, 0)
        never_dropped = replace(self._style, dropout=0.0)
        return caption_for(item.caption, never_dropped, rng(self._config.run.seed, "plain caption", item.index))

    @property
    def _variants(self) -> int:
        """How many forms of each caption take turns; 0: it is another one each time, or always the same."""
        return 0 if self._style.is_fixed else self._config.memory.text_variants

    def _variant(self, item: Item, number: int) -> str:
        """One of a caption's forms; they take turns as numbers grow."""
        never_dropped = replace(self._style, dropout=0.0)
        choices = rng(self._config.run.seed, "caption variant", item.index, number % self._variants)
        return caption_for(item.caption, never_dropped, choices)

    def cut(self) -> dict[str, int]:
        """Tokens of the captions that are longer than the text encoders read, by their picture's file name."""
        found, style = dict[str, int](), CaptionStyle(wildcards=self._style.wildcards)
        for item in self._items:
            choices = rng(self._config.run.seed, "plain caption", item.index)
            captions = [caption_for(line, style, choices) for line in item.caption.split("\n")]
            number = max(self._num_tokens_too_long(caption) for caption in captions)
            if number:
                found[item.path.name] = max(number, found.get(item.path.name, 0))
        return found

    @property
    def has_clip_tokens(self) -> bool:
        """Whether the base model reads the tokens of CLIP's own vocabulary, in which plans count."""
        tokenizers = self._base.tokenizers
        return bool(tokenizers) and all(tokenizer.has_clip_vocabulary for tokenizer in tokenizers)

    def _num_tokens_too_long(self, caption: str) -> int:
        dataset = self._config.dataset
        return self._base.family.num_tokens_too_long(
            self._base, caption, chunks=dataset.chunks, weighted=dataset.weighted_captions
        )

    def of(self, refs: Sequence[SampleRef], epoch: int) -> Text:
        """The captions of a batch."""
        return self._text([self.caption(ref, epoch) for ref in refs])

    def plain(self, item: Item, count: int) -> Text:
        """An image's plain caption, so many times."""
        return self._text([self.plain_caption(item)] * count)

    def _text(self, captions: Sequence[str]) -> Text:
        if self._cache is None:
            return self._tokens(captions)
        entries = [self._cache.get(self._keys[caption]) or self._made(caption) for caption in captions]
        return Text(states=Conditioning.joined([Conditioning(entry) for entry in entries]))

    @property
    def can_be_cached(self) -> bool:
        """Whether it is known beforehand which captions there will be."""
        return self._style.is_fixed or self._variants > 0

    def cache(self, run: Path, progress: ReportProgress) -> None:
        """Encode every caption whose text states the run's cache lacks, and read them from it from then on.

        Raises:
            RunError: the cache cannot be written.
        """
        assert self.can_be_cached, "captions that change cannot be encoded once"
        self._cache = TensorCache(RunFolder(run).cache("text"))
        forms = range(self._variants) if self._variants else ()
        captions = {self.plain_caption(item) for item in self._items}
        captions |= {self._variant(item, number) for item in self._items for number in forms}
        captions |= {""} if self._style.dropout else set()
        encoders = [module_digest(encoder) for encoder in self._base.text_encoders]
        reading = self._base.family.text_version
        for number, caption in enumerate(sorted(captions), start=1):
            self._keys[caption] = cache_key(
                version=TEXT_VERSION,
                caption=caption,
                encoders=encoders,
                dtype=self._base.dtype,
                clip_skip=self._config.model.clip_skip,
                max_tokens=self._config.dataset.max_tokens,
                weighted=self._config.dataset.weighted_captions,
                **({"reading": reading} if reading else {}),
            )
            if not self._cache.has(self._keys[caption]):
                self._made(caption)
            progress(number, len(captions))
        self._cache.remember()

    def release(self) -> None:
        """Let go of the text encoders: captions come from the cache alone from now on."""
        assert self._cache is not None, "captions are encoded in each step"
        self._base = replace(self._base, text_encoders=())

    def _made(self, caption: str) -> dict[str, Tensor]:
        assert self._cache is not None
        if not self._base.text_encoders:
            raise TrainingStopped("A file in the run's cache folder was removed or damaged while training: start again")
        with torch.no_grad():
            text = self._tokens([caption])
            place = next(self._base.text_encoders[0].parameters()).device
            ids = tuple(tokens.to(place) for tokens in text.token_ids)
            states = self._base.family.encode_text(
                self._base, ids, clip_skip=self._config.model.clip_skip, weights=text.weights
            )
        entry = {name: tensor.cpu() for name, tensor in states.tensors.items()}
        self._cache.put(self._keys[caption], entry)
        return entry

    def _tokens(self, captions: Sequence[str]) -> Text:
        base, chunks = self._base, self._config.dataset.chunks
        if not self._config.dataset.weighted_captions:
            return Text(base.family.tokenize(base, captions, chunks=chunks))
        ids, weights = base.family.tokenize_weighted(base, captions, chunks=chunks)
        return Text(ids, weights=weights)
