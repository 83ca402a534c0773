"""Captions: what the text encoder reads."""

from __future__ import annotations

from advisor.dataset.captions import CaptionReader, lines_of
from advisor.dataset.long_captions import long_captions
from advisor.facts import Facts
from advisor.families import family
from advisor.rules.card_class import text_rate
from advisor.rules.defaults_table import defaults_for
from advisor.rules.fitting import TEXT_RATE_PATH
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import COLAB, COLAB_XL, OURS, SD_SCRIPTS, SD_SCRIPTS_SDXL, THE_IMAGES
from advisor.settings.config import CHUNK_TOKENS, TOKEN_LIMITS, TrainingConfig
from advisor.units import counted


@rule(sets="dataset.caption_extension", source=THE_IMAGES)
def caption_extension(facts: Facts, _: TrainingConfig) -> Advice:
    """The ending that most captions have."""
    ending, number = facts.dataset.caption_extension, facts.dataset.num_captioned
    if not number:
        return Advice(ending, f"no picture has a caption yet; {ending} is what kohya's tools write")
    return Advice(ending, f"{counted(number, 'caption')} found, most of them {ending}")


@rule(sets="dataset.caption_lines", source=OURS)
def caption_lines(facts: Facts, config: TrainingConfig) -> Advice:
    """All of them; with wildcards one is drawn, as kohya has it."""
    several = sum(1 for image in facts.dataset.image_files if image.caption and len(lines_of(image.caption)) > 1)
    have = f"{counted(several, 'caption')} {'has' if several == 1 else 'have'} several lines"
    if config.dataset.wildcards:
        reason = f"{have}: with wildcards one is drawn each time, as kohya has it"
        return Advice("random", reason, SD_SCRIPTS)
    if several:
        return Advice("joined", f"{have}: all of them are trained, as one caption")
    return Advice("joined", "of several lines in a caption none is lost", origin="default")


@rule(sets="dataset.prepend_trigger", source=OURS)
def prepend_trigger(facts: Facts, config: TrainingConfig) -> Advice:
    """Off: files are trained as they are; the reason counts captions that lack the trigger."""
    dataset, trigger = facts.dataset, config.run.trigger
    lacking = dataset.num_captioned - dataset.num_with_trigger(trigger, CaptionReader(config.dataset.caption_lines))
    if config.run.subject == "style":
        return Advice(False, "a style is learned from all captions alike and needs no word in each", origin="default")
    if lacking:
        lack = f"{counted(lacking, 'caption')} {'lacks' if lacking == 1 else 'lack'} {trigger!r}"
        return Advice(
            False, f"captions are trained as they are; {lack}, dataset.prepend_trigger=true writes it in front"
        )
    have = f"no caption lacks {trigger!r}" if dataset.num_captioned else f"{trigger!r} stands in for captions already"
    return Advice(False, have, origin="default")


@rule(sets="dataset.shuffle_captions", source=COLAB)
def shuffle_captions(facts: Facts, config: TrainingConfig) -> Advice:
    """Where the table says so and captions are tags, whose order means nothing."""
    table = defaults_for(config)
    if table.why_order:
        return Advice(False, f"captions stay as they are: {table.why_order}", table.order_source)
    trains_words = TEXT_RATE_PATH in facts.chosen_paths and config.optimizer.trains_text_encoder
    if not table.shuffles and not (trains_words and table.notebook is COLAB_XL):
        if text_rate(config) == 0 and not trains_words:
            return Advice(False, "the text is encoded once and kept, which needs captions that stay", SD_SCRIPTS_SDXL)
        return Advice(False, "captions stay in their order; the tutorial does not speak of it", OURS)
    if facts.dataset.captions_are_tags:
        return Advice(True, "your captions are tags: another order each time, so that none is learned by its place")
    return Advice(False, "your captions are not lists of tags: sentences must stay whole")


@rule(sets="dataset.keep_tokens", source=COLAB)
def keep_tokens(_: Facts, config: TrainingConfig) -> Advice:
    """The trigger stays in front where tags are shuffled."""
    if config.dataset.shuffle_captions:
        return Advice(1, f"the first tag, {config.run.trigger!r}, stays in front while the others are shuffled")
    return Advice(0, "captions are not shuffled, so nothing has to be held in place")


@rule(sets="dataset.max_tokens", source=SD_SCRIPTS)
def max_tokens(facts: Facts, config: TrainingConfig) -> Advice:
    """75, one chunk of the text encoder; 150 or 225 where captions are longer, counted with CLIP's own vocabulary."""
    whole = family(config.model.family).caption_tokens
    if whole is not None:
        return Advice(CHUNK_TOKENS, f"not read: this base reads captions of up to {whole} tokens whole")
    found = long_captions(facts.dataset, config.dataset, config.run.trigger, most=CHUNK_TOKENS)
    longest = max(found.values(), default=0)
    if not longest:
        return Advice(CHUNK_TOKENS, f"one chunk of the text encoder; no caption has more than {CHUNK_TOKENS} tokens")
    value = next((limit for limit in TOKEN_LIMITS if limit >= longest), TOKEN_LIMITS[-1])
    read = f"the longest caption has {counted(longest, 'token')}, so {value // CHUNK_TOKENS} chunks are read"
    return Advice(value, f"{read}: nothing is cut" if value >= longest else f"{read}, the most there are")


RULES = (caption_extension, prepend_trigger, shuffle_captions, keep_tokens, max_tokens)
"""Captions first, since what may be cached follows from them."""
