"""Tags and the trigger word: duplicates, typos, spellings, what fuses with the trigger, where the trigger stands."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.dataset.captions import has_word, plain_tag
from advisor.dataset.clip_tokens import num_tokens, rarity_of_word
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import READER, FolderFacts
from advisor.dataset.report import COMMON_FIRST_TAGS
from advisor.units import counted, named

FUSED_SHARE = 0.85
"""Of the captions; a tag in so many says nothing that the trigger does not say."""
LEAST_FOR_SHARES = 8
"""Captions; of fewer no share means much."""
LEAST_FREQUENT, MOST_RARE, RARITY = 3, 2, 4
"""A typo is in MOST_RARE captions at most, and what was meant in LEAST_FREQUENT and in RARITY times as many."""
LEAST_LETTERS = 4
"""Of a word that may be a typo."""
LONGEST_TAG, MOST_ALIKE = 100, 8
"""Letters of a tag in which typos are looked for, and how many frequent tags a spelling may stand for."""
MUCH_RARER = 8
"""Times as far back in CLIP's vocabulary as the word that was meant is one that only lacks a double letter: *gren*, a
part of names, beside *green*; *loose* and *lose*, *dinner* and *diner* are nearer to each other."""


def duplicates(facts: FolderFacts) -> Iterator[Finding]:
    """Tags that stand twice in one caption."""
    twice = dict[str, str]()
    for path, tags in facts.tags.items():
        again = [tag for tag, number in Counter(map(plain_tag, tags)).items() if number > 1]
        if again:
            twice[path] = again[0]
    if twice:
        shown = named(f"{path}: {tag}" for path, tag in twice.items())
        message = f"{counted(len(twice), 'caption')} with a tag that stands there twice ({shown})"
        yield Finding(
            "tag_duplicate", "note", tuple(twice), message, "keep it once; it takes tokens and says nothing new"
        )


def typos(facts: FolderFacts) -> Iterator[Finding]:
    """Rare tags that are probably misspelt frequent ones."""
    for one in misspelt_tags(facts):
        message = f"{one.tag!r} is in {counted(len(one.files), 'caption')}, {one.meant!r} in {one.num_meant}"
        yield Finding("tag_typo", "warning", one.files, f"{message}: probably a typo", f"write {one.meant!r}")


@dataclass(frozen=True)
class MisspeltTag:
    """A tag that is probably another one, misspelt."""

    tag: str
    meant: str
    """The frequent tag; both as `plain_tag` has them."""
    files: tuple[str, ...]
    """The pictures whose captions have the misspelt one."""
    num_meant: int
    """Captions with the frequent one."""


def misspelt_tags(facts: FolderFacts) -> Iterator[MisspeltTag]:
    """Rare tags a letter away from frequent ones, whose own spelling is no word that CLIP knows; and further rare tags
    with the same misspelt words.
    """
    files = defaultdict[str, list[str]](list)
    for path, tags in facts.tags.items():
        for tag in dict.fromkeys(map(plain_tag, tags)):
            files[tag].append(path)
    found = _beside_frequent(files)
    words = {wrong: right for tag, meant in found.items() for wrong, right in differing_words(tag, meant)}
    for tag, paths in files.items():
        meant = found.get(tag) or " ".join(words.get(word, word) for word in tag.split())
        if meant != tag and meant in files and len(paths) <= MOST_RARE:
            yield MisspeltTag(tag, meant, tuple(paths), len(files[meant]))


def _beside_frequent(files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Each rare tag that is a frequent one misspelt, and that one; of several the most frequent.

    Args:
        files: of each tag, in how many pictures' captions it stands.
    """
    frequent, found = [tag for tag, paths in files.items() if len(paths) >= LEAST_FREQUENT], dict[str, str]()
    alike = defaultdict[str, list[str]](list)
    for tag in sorted(frequent, key=lambda one: -len(files[one])):
        for spelling in _spellings(tag):
            if len(alike[spelling]) < MOST_ALIKE:
                alike[spelling].append(tag)
    for tag, paths in files.items():
        if len(paths) > MOST_RARE:
            continue
        near = dict.fromkeys(one for spelling in _spellings(tag) for one in alike.get(spelling, ()))
        meant = [one for one in near if len(files[one]) >= RARITY * len(paths) and is_misspelt(tag, one)]
        if meant:
            found[tag] = max(meant, key=lambda one: len(files[one]))
    return found


def _spellings(tag: str) -> Iterator[str]:
    """Spellings of which two tags have one in common where a word of theirs differs by a letter, or blanks alone do:
    those without a letter, as a change, an addition and a swap all leave the same (Garbe's symmetric deletion).
    """
    words = tag.split()
    yield "".join(words)
    if len(tag) > LONGEST_TAG:
        return
    for place, word in enumerate(words):
        for shorter in {word, *(word[:letter] + word[letter + 1 :] for letter in range(len(word)))}:
            yield " ".join((*words[:place], f"{shorter}*", *words[place + 1 :]))


def differing_words(tag: str, meant: str) -> list[tuple[str, str]]:
    """The words of two tags that differ, side by side; none where the tags have different numbers of words."""
    words, right = tag.split(), meant.split()
    if len(words) != len(right):
        return []
    return [(one, other) for one, other in zip(words, right, strict=True) if one != other]


def is_misspelt(tag: str, meant: str) -> bool:
    """Whether one word of the tag is a letter away from the meant tag's, and no word itself."""
    words, right = tag.split(), meant.split()
    if "".join(words) == "".join(right):
        return len(words) != len(right) and num_tokens(tag) > num_tokens(meant)
    differing = differing_words(tag, meant)
    if len(differing) != 1:
        return False
    one, other = differing[0]
    if min(len(one), len(other)) < LEAST_LETTERS or not (one.isalpha() and other.isalpha()):
        return False
    if not is_a_letter_away(one, other):
        return False
    return num_tokens(one) >= num_tokens(other) if num_tokens(one) > 1 else _lacks_double(one, other)


def _lacks_double(one: str, other: str) -> bool:
    """Whether a word that CLIP knows is another one with a double letter written once, and far rarer."""
    doubled = (other[:place] + other[place + 1 :] for place in range(1, len(other)) if other[place] == other[place - 1])
    rarity, usual = rarity_of_word(one), rarity_of_word(other)
    return one in doubled and rarity is not None and usual is not None and rarity >= MUCH_RARER * usual


def is_a_letter_away(one: str, other: str) -> bool:
    """Whether a letter was left out, added, changed or swapped with its neighbour; a plural is no such."""
    if len(one) < len(other):
        return is_a_letter_away(other, one)
    if len(one) > len(other) + 1 or one in (other, f"{other}s"):
        return False
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))
    if len(one) > len(other):
        return one[start + 1 :] == other[start:]
    swapped = one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]
    return swapped or one[start + 1 :] == other[start + 1 :]


def styles(facts: FolderFacts) -> Iterator[Finding]:
    """Tags that are written with underscores here and with blanks there, or with and without escaped brackets."""
    written = defaultdict[str, dict[str, list[str]]](lambda: defaultdict(list))
    for path, tags in facts.tags.items():
        for tag in tags:
            written[plain_tag(tag)][tag.casefold()].append(path)
    mixed = {tag: spellings for tag, spellings in written.items() if len(spellings) > 1}
    if mixed:
        rare = [min(spellings.items(), key=lambda one: len(one[1])) for spellings in mixed.values()]
        files = tuple(dict.fromkeys(path for _, paths in rare for path in paths))
        shown = named(" and ".join(repr(one) for one in spellings) for spellings in mixed.values())
        message = (
            f"{counted(len(mixed), 'tag')} written in several ways ({shown}), which are different words to the model"
        )
        hint = (
            "write all in one way: blanks for most models, underscores and \\( \\) only where yours was trained on them"
        )
        yield Finding("tag_style", "note", files, message, hint)


def brackets(facts: FolderFacts) -> Iterator[Finding]:
    """Tags with brackets that are escaped, as prompts of web interfaces need it and captions do not."""
    escaped = {path: tag for path, tags in facts.tags.items() for tag in tags if "\\(" in tag or "\\)" in tag}
    if escaped:
        shown = named(dict.fromkeys(escaped.values()))
        message = f"{counted(len(escaped), 'caption')} with escaped brackets ({shown}): the \\ is trained as a letter"
        hint = "write ( and ) in captions; only prompts of web interfaces need \\( and \\), for the same words"
        yield Finding("tag_brackets", "note", tuple(escaped), message, hint)


def fused(facts: FolderFacts) -> Iterator[Finding]:
    """Tags in nearly all captions."""
    common, total = fused_in(facts), len(facts.tags)
    meant = [tag for tag in common if tag in facts.meant_to_fuse]
    common = {tag: number for tag, number in common.items() if tag not in meant}
    if meant:
        message = f"{counted(len(meant), 'tag')} meant to fuse with the trigger ({named(meant, len(meant))})"
        yield Finding("tag_fused", "note", (), message, "--waive says so", waived=True)
    if common:
        shown, word = named(f"{tag} ({number})" for tag, number in common.items()), facts.known_trigger or "the trigger"
        tags = f"{counted(len(common), 'tag')} in nearly all of {total:,} captions ({shown})"
        message = f"{tags}: {'it becomes' if len(common) == 1 else 'they become'} part of {word!r}"
        hint = (
            "remove what belongs to the character (hair, eyes), and she or he always has it; keep it, and a prompt can "
            "change it. Of anything else take pictures without it"
        )
        yield Finding("tag_fused", "note", (), message, f'{hint}. `--waive "tag_fused:TAG"` says that one is meant')


def fused_in(facts: FolderFacts) -> dict[str, int]:
    """The `fused_tags` of a folder."""
    counts = Counter(tag for tags in facts.tags.values() for tag in dict.fromkeys(map(plain_tag, tags)))
    return fused_tags(counts, len(facts.tags), trigger=facts.known_trigger)


def fused_tags(counts: Counter[str], total: int, *, trigger: str, share: float = FUSED_SHARE) -> dict[str, int]:
    """The tags in at least a share of the captions, but for the trigger and what taggers put first in every caption:
    each as `plain_tag` has it, with its number of captions; the most frequent first. None where there are fewer than
    `LEAST_FOR_SHARES` captions.

    Args:
        counts: how many captions have each tag, in one spelling of it.
        total: how many captions there are.
    """
    if total < LEAST_FOR_SHARES:
        return {}
    never = (plain_tag(trigger), *COMMON_FIRST_TAGS)
    common = ((plain_tag(tag), number) for tag, number in counts.most_common() if number >= share * total)
    return {tag: number for tag, number in common if tag not in never}


def trigger(facts: FolderFacts) -> Iterator[Finding]:
    """Captions without the trigger, with it inside another word, or not in front."""
    word = facts.known_trigger
    if not word or not facts.report.num_captioned:
        return
    captions = {image.path: READER.read(image.caption) for image in facts.report.image_files if image.caption}
    without = {path: caption for path, caption in captions.items() if not has_word(caption, word)}
    inside = tuple(path for path, caption in without.items() if word.casefold() in caption.casefold())
    if inside:
        message = f"{counted(len(inside), 'caption')} with {word!r} inside another word only ({named(inside)})"
        yield Finding(
            "trigger_inside_word", "warning", inside, message, f"write {word!r} as a word of its own, in front"
        )
    lacking = tuple(path for path, caption in without.items() if word.casefold() not in caption.casefold())
    if lacking:
        message = (
            f"{counted(len(lacking), 'caption')} of {len(captions):,} lack the trigger {word!r} ({named(lacking)})"
        )
        hint = "write it first in each, or set dataset.prepend_trigger, which puts it in front while training"
        yield Finding("trigger_missing", "warning", lacking, message, hint)
    behind = tuple(
        path for path, tags in facts.tags.items() if path not in without and tags and not has_word(tags[0], word)
    )
    if behind:
        message = f"{counted(len(behind), 'caption')} with the trigger {word!r} not in front ({named(behind)})"
        hint = "put it first: shuffled captions keep only the first tags in place"
        yield Finding("trigger_not_first", "warning", behind, message, hint)


CHECKS = (trigger, typos, duplicates, styles, brackets, fused)
