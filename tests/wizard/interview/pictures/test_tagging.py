from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.edits import PictureEdit
from advisor.dataset.report import DatasetReport, Folder, ImageFile, PictureCrop, Problem
from advisor.errors import HardwareError, ModelError
from advisor.run_folder.pictures.tag_request import PictureTags, TagAnswer, TagRequest
from advisor.tagging.known_models import KnownModel
from tests.support.scripted import Answer, ScriptedAsk
from tests.support.taggers import write_tagger
from wizard.interview.pictures.tagger_choice import TaggerSources
from wizard.interview.pictures.tagging import TaggingTools, ask_tagging

TOLD = {"/p/a.png": {0: 0.9, 1: 0.4}, "/p/b.png": {1: 0.3}}
"""Blue and green, by `tests.support.taggers.COLOURS`."""


def report() -> DatasetReport:
    images = (
        ImageFile("a.png", 64, 64, 0),
        ImageFile("b.png", 32, 32, 0, "", crop=PictureCrop((1, 2, 33, 34), (64, 64))),
        ImageFile("c.png", 64, 64, 0, "hat"),
    )
    return DatasetReport("/p", images, (Folder(".", 3),))


def fetches_nothing(known: KnownModel) -> Path:
    raise AssertionError(known.name)


class World:
    """Tools that remember what was asked of them."""

    def __init__(self, folder: Path, tag: Callable[[TagRequest], TagAnswer] | None = None) -> None:
        self.file = write_tagger(folder)
        self.requests = list[TagRequest]()
        self.remembered = list[Path]()
        sources = TaggerSources(lambda: (self.file,), fetches_nothing, {})
        self.tools = TaggingTools(sources, tag or self.tag, self.remembered.append, lambda: None, lambda: None)

    def tag(self, request: TagRequest) -> TagAnswer:
        self.requests.append(request)
        return TagAnswer(pictures=tuple(PictureTags.of(one.path, TOLD[one.path]) for one in request.pictures))


def edits(world: World, *answers: Answer) -> tuple[tuple[PictureEdit, ...], ScriptedAsk]:
    ask = ScriptedAsk(str(world.file), *answers)
    found = ask_tagging(ask, CaptionSet(report(), "tok"), world.tools)
    assert ask.is_done
    return found, ask


def test_pictures_without_a_caption_get_one_that_the_user_has_seen(tmp_path: Path) -> None:
    world = World(tmp_path)

    found, ask = edits(world, "yes")

    assert found == (PictureEdit("/p/a.png", caption="tok, blue background, green background"),)
    assert "a.png: tok, blue background, green background" in ask.heard
    assert "sure of nothing (b.png)" in ask.heard
    assert world.remembered == [world.file]


def test_the_tagger_sees_of_a_picture_what_is_trained_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    edits(world, "yes")

    (request,) = world.requests
    assert [(one.path, one.crop) for one in request.pictures] == [("/p/a.png", None), ("/p/b.png", (1, 2, 33, 34))]


def test_another_threshold_is_looked_at_before_the_captions_are_taken(tmp_path: Path) -> None:
    world = World(tmp_path)

    assert [one.caption for one in edits(world, "0.25", "yes")[0]] == [
        "tok, blue background, green background",
        "tok, green background",
    ]
    assert [one.caption for one in edits(world, "0.5", "yes")[0]] == ["tok, blue background"]
    assert len(world.requests) == 2


@pytest.mark.parametrize("answer", ["no", "<"])
def test_captions_that_the_user_does_not_like_are_not_taken(tmp_path: Path, answer: str) -> None:
    assert edits(World(tmp_path), answer)[0] == ()


def test_a_tagger_that_fails_is_told_and_the_conversation_goes_on(tmp_path: Path) -> None:
    def fail(_: TagRequest) -> TagAnswer:
        raise ModelError("it is broken")

    found, ask = edits(World(tmp_path, fail))

    assert found == ()
    assert "it is broken" in ask.heard


def refuse() -> None:
    raise HardwareError("onnxruntime is missing")


def install_nothing() -> None:
    raise HardwareError("pip failed")


@pytest.mark.parametrize(("answer", "told"), [("no", "onnxruntime is missing"), ("yes", "pip failed")])
def test_where_tagging_is_not_possible_it_is_not_done(tmp_path: Path, answer: str, told: str) -> None:
    world = World(tmp_path)
    tools = replace(world.tools, refuse=refuse, add_runtime=install_nothing)
    ask = ScriptedAsk(answer)

    assert ask_tagging(ask, CaptionSet(report(), "tok"), tools) == ()
    assert told in ask.heard


def test_what_tagging_needs_is_installed_with_consent(tmp_path: Path) -> None:
    world, installed = World(tmp_path), list[str]()
    tools = replace(world.tools, refuse=refuse, add_runtime=lambda: installed.append("onnxruntime"))
    ask = ScriptedAsk("yes", str(world.file), "yes")

    assert len(ask_tagging(ask, CaptionSet(report(), "tok"), tools)) == 1
    assert installed == ["onnxruntime"]


def test_a_caption_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    problem = Problem("a.txt", "caption_encoding", "it looks like Shift-JIS")
    captions, world = CaptionSet(replace(report(), problems=(problem,)), "tok"), World(tmp_path)

    found = ask_tagging(ScriptedAsk(str(world.file), "0.25", "yes"), captions, world.tools)

    assert [one.path for one in found] == ["/p/b.png"]


def test_a_tagging_that_is_broken_off_does_not_end_the_conversation(tmp_path: Path) -> None:
    def interrupt(_: TagRequest) -> TagAnswer:
        raise KeyboardInterrupt("Tagging was interrupted")

    found, ask = edits(World(tmp_path, interrupt))

    assert found == ()
    assert "Tagging was interrupted" in ask.heard


def test_where_all_have_captions_no_model_is_asked_for(tmp_path: Path) -> None:
    captioned = DatasetReport("/p", (ImageFile("c.png", 64, 64, 0, "hat"),), (Folder(".", 1),))
    ask = ScriptedAsk()

    assert ask_tagging(ask, CaptionSet(captioned, "tok"), World(tmp_path).tools) == ()


def test_a_caption_that_the_user_writes_while_it_tags_stays(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "b.txt").write_text("there before, edited away since")
    told = {f"{folder.as_posix()}/{name}": TOLD[f"/p/{name}"] for name in ("a.png", "b.png")}

    def tag(request: TagRequest) -> TagAnswer:
        (folder / "a.caption").write_text("tok, written meanwhile")
        return TagAnswer(pictures=tuple(PictureTags.of(one.path, told[one.path]) for one in request.pictures))

    world, there = World(tmp_path, tag), replace(report(), root=str(folder))
    ask = ScriptedAsk(str(world.file), "0.25", "yes")
    found = ask_tagging(ask, CaptionSet(there, "tok"), world.tools)

    assert [edit.path for edit in found] == [f"{folder.as_posix()}/b.png"]
    assert "1 picture got a caption of yours meanwhile, which stays" in ask.heard
