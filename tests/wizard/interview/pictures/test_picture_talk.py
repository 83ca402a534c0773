"""What was found of the pictures, in the conversation: asked only where it matters, mended by a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.dataset.doctor.examine import examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.measure import measure
from advisor.dataset.doctor.pixel_facts import PixelFacts
from advisor.dataset.report import DatasetReport
from advisor.units import named
from tests.support.factories import make_dataset
from tests.support.pictures import make_pictures
from tests.support.scripted import HAPPY, ScriptedAsk, default, make_probes, run_interview
from wizard.draft_edits import DraftEdits
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.pictures.picture_talk import GO_ON, Seen, seen
from wizard.interview.pictures.picture_work import PictureWork
from wizard.interview.questions import BACK
from wizard.show.check_view import findings_text

TEXTS = ["mira, 1girl, red hair, smile", "1girl, mira, hat", "mira, 1girl, smile, hat", "mira, 1girl, long hair, smile"]
"""Of the second the trigger is not first."""


def looking_probes(
    folder: Path, captions: Sequence[str | None], pixels: Mapping[str, PixelFacts] | None = None
) -> Probes:
    draft, report = DraftEdits(folder), make_dataset(len(captions), captions=captions)

    def pictures(state: InterviewState) -> PictureWork:
        assert state.report is not None
        is_prepended = state.answers.get("prepend_trigger") == "yes"
        return PictureWork(state.report, draft, state.answers.get("trigger", ""), is_prepended=is_prepended)

    def look(state: InterviewState, work: PictureWork) -> Seen:
        def found(report: DatasetReport) -> tuple[FolderFacts, tuple[Finding, ...]]:
            facts = FolderFacts(report, pixels or {}, work.trigger)
            return facts, examine(facts)

        return seen(work, found)

    return replace(make_probes(reports={"/pictures": report}), pictures=pictures, look=look)


def after(probes: Probes, *answers: Any) -> tuple[DatasetReport, ScriptedAsk]:
    """The data set after an interview with these answers about its pictures."""
    ask = ScriptedAsk(*HAPPY[:6], *answers, HAPPY[6])
    state = run_interview(ask, probes=probes)
    assert ask.is_done
    assert probes.pictures is not None
    return probes.pictures(state).report(), ask


def titles(ask: ScriptedAsk, number: int = -2) -> list[str]:
    return [option.title for option in ask.asked[number].options]


def test_a_clean_folder_is_asked_nothing(tmp_path: Path) -> None:
    _, ask = after(looking_probes(tmp_path, ["mira, 1girl, smile", "mira, 1girl, hat"] * 10))

    assert "pictures" not in ask.keys


def test_the_trigger_is_put_in_front_by_a_key(tmp_path: Path) -> None:
    found, ask = after(looking_probes(tmp_path, TEXTS * 5), default, GO_ON)

    assert found.image_files[1].caption == "mira, 1girl, hat"
    assert 'Put "mira" in front of all captions (5 captions)' in titles(ask, -3)
    assert "trigger 'mira' not in front" in ask.heard


def test_all_that_can_be_mended_is_mended_by_one_key(tmp_path: Path) -> None:
    texts = [*TEXTS * 5, "mira, 1girl, smlie", "mira, 1girl, hat, hat", "mira, long_hair"]

    found, ask = after(looking_probes(tmp_path, texts), "every", GO_ON)

    assert [image.caption for image in found.image_files[-3:]] == [
        "mira, 1girl, smile", "mira, 1girl, hat", "mira, long hair",
    ]  # fmt: skip
    assert ask.asked[-3].default == "every"
    assert not any(title.startswith(("Put", "Write", "Keep")) for title in titles(ask))


def test_pictures_that_cannot_be_decoded_and_copies_are_left_out(tmp_path: Path) -> None:
    captions = [None, *TEXTS]
    paths = [image.path for image in make_dataset(5).image_files]
    files = make_pictures(tmp_path / "pictures", 5, captions=False)
    pixels = {path: measure(file) for path, file in zip(paths, files, strict=True)}
    pixels[paths[0]] = pixels[paths[3]]
    pixels[paths[4]] = PixelFacts("truncated")

    found, ask = after(looking_probes(tmp_path, captions, pixels), "every", GO_ON)

    assert [one.image.path for one in found.excluded] == [paths[0], paths[4]]
    assert found.excluded[0].reason == f"the same picture as {paths[3]}"
    assert f"Leave out 1 copy ({paths[0]})" in titles(ask, -3)


def test_mends_are_taken_back(tmp_path: Path) -> None:
    found, _ = after(looking_probes(tmp_path, TEXTS * 5), "0", "undo", GO_ON)

    assert found.image_files[1].caption == "1girl, mira, hat"


def test_without_captions_one_is_written_for_all_or_the_trigger_is_trained_alone(tmp_path: Path) -> None:
    found, ask = after(looking_probes(tmp_path, [None] * 12), "one", "1girl, red dress", GO_ON)

    assert {image.caption for image in found.image_files} == {"mira, 1girl, red dress"}
    assert 'Go on: each is trained on "mira" alone' in titles(ask, -4)
    assert after(looking_probes(tmp_path / "b", [None] * 12), default)[0].num_captioned == 0


def test_without_captions_a_model_is_proposed_once(tmp_path: Path) -> None:
    probes = looking_probes(tmp_path, [None] * 12)
    work = probes.pictures
    assert work is not None
    probes = replace(probes, pictures=lambda state: replace(work(state), tag=lambda ask, captions: ()))

    _, ask = after(probes, default, default)

    assert [question.default for question in ask.asked[-3:-1]] == ["tag", GO_ON]


def test_captions_are_edited_from_here(tmp_path: Path) -> None:
    found, _ = after(looking_probes(tmp_path, TEXTS * 5), "captions", "remove", "hat", "yes", "done", GO_ON)

    assert found.image_files[1].caption == "1girl, mira"


def test_all_findings_are_shown(tmp_path: Path) -> None:
    texts = [*TEXTS * 5, "mira, 1girl, smlie", "mira, 1girl, hat, hat", "mira, long_hair", None]

    _, ask = after(looking_probes(tmp_path, texts), "all", GO_ON)

    assert "[tag_duplicate]" in ask.heard


def test_the_question_can_be_gone_back_from_and_keeps_what_was_decided(tmp_path: Path) -> None:
    found, ask = after(looking_probes(tmp_path, TEXTS * 5), "0", BACK, "mira")

    assert ask.keys[6:] == ["pictures", "pictures", "trigger", "machine"]
    assert found.image_files[1].caption == "mira, 1girl, hat"


def test_going_back_passes_over_a_question_that_a_mend_has_settled(tmp_path: Path) -> None:
    texts = ["mira, 1girl, smile", "1girl, hat, hat", "1girl, mira"] * 5
    ask = ScriptedAsk(*HAPPY[:6], "yes", "every", BACK, "mira", HAPPY[6])

    run_interview(ask, probes=looking_probes(tmp_path, texts))

    assert ask.keys[6:] == ["prepend_trigger", "pictures", "pictures", "trigger", "machine"]


def test_the_trigger_that_training_puts_in_front_is_not_missing(tmp_path: Path) -> None:
    probes = looking_probes(tmp_path, ["1girl, smile", "1girl, hat"] * 10)
    ask = ScriptedAsk(*HAPPY[:6], "yes", "gpu:0")

    run_interview(ask, probes=probes)

    assert "pictures" not in ask.keys


def test_an_answered_question_is_not_asked_again_on_resuming(tmp_path: Path) -> None:
    drafts = dict(zip(("subject", "images", "model", "lineage", "name", "trigger"), HAPPY, strict=False))
    ask = ScriptedAsk("gpu:0")

    run_interview(ask, probes=looking_probes(tmp_path, TEXTS * 5), drafts={**drafts, "pictures": GO_ON})

    assert ask.keys == ["machine"]


@pytest.mark.parametrize("captions", [["mira"], [None]])
def test_the_last_picture_is_not_left_out(tmp_path: Path, captions: list[str | None]) -> None:
    probes = looking_probes(tmp_path, captions, {"00000.png": PixelFacts("truncated")})

    found, ask = after(probes, "0", GO_ON)

    assert len(found.image_files) == 1
    assert "leave out every picture" in ask.heard


def test_all_mends_made_at_once_are_one_change_that_is_taken_back(tmp_path: Path) -> None:
    texts = [*TEXTS * 5, "mira, 1girl, smlie", "1girl, hat, mira, hat", "mira, long_hair"]

    found, ask = after(looking_probes(tmp_path, texts), "every", "undo", GO_ON)

    assert [image.caption for image in found.image_files] == texts
    assert "Take back: 4 mends at once (8 captions)" in titles(ask, -3)
    assert "Taken back: 4 mends at once" in ask.heard


def test_single_pictures_are_left_out_those_of_findings_named_first(tmp_path: Path) -> None:
    texts = [*TEXTS * 5, "mira, 1girl, smlie"]

    found, ask = after(looking_probes(tmp_path, texts), "leave_out", "00003.png", "nothing.png", "", GO_ON)

    assert [one.image.path for one in found.excluded] == ["00003.png"]
    (first, *_) = [question for question in ask.asked if question.key == "leave_out"]
    names = [candidate.name for candidate in first.candidates]
    assert names.index("00001.png") < names.index("00000.png")
    assert "There is no picture nothing.png" in ask.heard


def test_findings_in_a_question_are_wrapped_between_words_and_name_no_options() -> None:
    files = tuple(f"Mira Bild {number}.png" for number in range(8))
    message = f"8 pictures without a caption ({named(files)})"
    hint = f'write what they show. {"word " * 30}end. `loracle check x --waive "a b"` says that one is meant'
    text = findings_text([Finding("caption_missing", "warning", files, message, hint)], 60, is_asked=True)

    assert text.count(" more") == 1
    assert "--waive" not in text
    assert all(len(line) <= 60 for line in text.splitlines())
    assert all(line.startswith((" " * 9, "warning", "1 warning")) or not line for line in text.splitlines())
    told = findings_text([Finding("a", "note", (), "something", hint)], 60)
    assert '`loracle check x --waive "a b"`' in told
