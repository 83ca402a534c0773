from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from advisor.errors import LoraError, ModelError
from advisor.tagging.known_models import KnownModel
from tests.support.scripted import ScriptedAsk
from tests.support.taggers import DEMO_TAGGER, write_tagger
from wizard.interview.pictures.tagger_choice import TaggerSources, asked_tagger, given_tagger

FETCHED = Path("/cache/model.onnx")


class Sources:
    """Sources that remember what was fetched."""

    def __init__(
        self, *found: Path, environment: Mapping[str, str] | None = None, last: Path | None = None, agreed: bool = False
    ) -> None:
        self.fetched = list[str]()
        self.all = TaggerSources(
            lambda: found, self.fetch, environment or {}, None if last is None else str(last), agreed=agreed
        )

    def fetch(self, known: KnownModel) -> Path:
        self.fetched.append(known.name)
        return FETCHED


def test_a_file_and_a_folder_mean_themselves(tmp_path: Path) -> None:
    file = write_tagger(tmp_path)

    assert given_tagger(str(file), Sources().all, None) == file
    assert given_tagger(str(tmp_path), Sources().all, None) == file


def test_a_name_means_one_that_is_here_before_one_that_is_fetched(tmp_path: Path) -> None:
    local = tmp_path / "wd-v1-4-moat-tagger-v2.onnx"

    assert given_tagger("wd-v1-4-moat-tagger-v2", Sources(local).all, None) == local


def test_a_known_name_of_a_half_downloaded_file_is_fetched(tmp_path: Path) -> None:
    half = tmp_path / "wd-vit-tagger-v3" / "model.onnx"
    sources = Sources(half, agreed=True)

    assert given_tagger("wd-vit-tagger-v3", sources.all, None) == FETCHED
    assert sources.fetched == ["wd-vit-tagger-v3"]


def test_a_download_is_asked_for_with_size_and_licence() -> None:
    sources, ask = Sources(), ScriptedAsk("yes")

    assert given_tagger("wd-vit-tagger-v3", sources.all, ask) == FETCHED
    (question,) = ask.asked
    assert question.text == (
        "Download wd-vit-tagger-v3 (361 MiB, licence Apache-2.0) from https://huggingface.co/SmilingWolf/wd-vit-tagger-v3?"
    )


def test_a_no_downloads_nothing_and_tells_how_to_do_it_by_hand() -> None:
    sources = Sources()

    with pytest.raises(LoraError, match=r"By hand: https://huggingface\.co/.*/model\.onnx and .*selected_tags\.csv"):
        given_tagger("wd-vit-tagger-v3", sources.all, ScriptedAsk("no"))
    assert sources.fetched == []


def test_without_a_terminal_a_download_needs_its_yes() -> None:
    with pytest.raises(ModelError, match="--yes downloads wd-eva02-large-tagger-v3 "):
        given_tagger("wd-eva02-large-tagger-v3", Sources().all, None)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_a_machine_that_is_to_stay_offline_does(variable: str) -> None:
    sources = Sources(environment={variable: "1"}, agreed=True)

    with pytest.raises(ModelError, match=f"{variable} keeps it offline: download https://huggingface.co/"):
        given_tagger("wd-vit-tagger-v3", sources.all, None)
    assert sources.fetched == []


def test_a_name_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--model nothing is no file or folder here, and none of the taggers"):
        given_tagger("nothing", Sources(tmp_path / "x.onnx").all, None)


def test_without_a_name_the_last_one_is_taken_or_the_only_one(tmp_path: Path) -> None:
    one, other = tmp_path / "1.onnx", tmp_path / "2.onnx"

    assert given_tagger(None, Sources(one).all, None) == one
    assert given_tagger(None, Sources(one, other, last=one).all, None) == one


def test_without_a_name_among_several_the_user_picks_or_is_told_to(tmp_path: Path) -> None:
    one, other = write_tagger(tmp_path / "1"), write_tagger(tmp_path / "2")

    assert given_tagger(None, Sources(one, other).all, ScriptedAsk(str(other))) == other
    with pytest.raises(ModelError, match=r"several taggers here .*--model FILE"):
        given_tagger(None, Sources(one, other).all, None)
    with pytest.raises(ModelError, match="No tagger was found on this machine"):
        given_tagger(None, Sources().all, None)
    with pytest.raises(LoraError, match="Nothing was tagged"):
        given_tagger(None, Sources().all, ScriptedAsk("no"))


def asked(*answers: str, found: Sequence[Path] = (), sources: Sources | None = None) -> tuple[Path | None, ScriptedAsk]:
    ask = ScriptedAsk(*answers)
    given = sources or Sources(*found)
    return asked_tagger(ask, given.all, found), ask


def test_the_user_may_take_one_that_is_here_fetch_one_name_one_or_none() -> None:
    here = DEMO_TAGGER / "model.onnx"

    assert asked(str(here), found=[here])[0] == here
    assert asked("wd-swinv2-tagger-v3", "yes")[0] == FETCHED
    assert asked("other", str(DEMO_TAGGER))[0] == here
    assert asked("no")[0] is None
    assert asked("other", "<", "no")[0] is None


def test_a_wrong_file_and_a_refused_download_are_told_and_asked_again(tmp_path: Path) -> None:
    found, ask = asked("other", str(tmp_path / "none"), "wd-vit-tagger-v3", "no", "no")

    assert found is None
    assert "does not exist" in ask.heard
    assert "Nothing was downloaded" in ask.heard


def test_a_model_that_is_here_is_not_offered_as_a_download(tmp_path: Path) -> None:
    here = tmp_path / "wd-vit-tagger-v3.onnx"
    _, ask = asked("no", found=[here])

    titles = [option.title for option in ask.asked[0].options]
    assert titles[0] == f"wd-vit-tagger-v3, {tmp_path}"
    assert not any("Download wd-vit-tagger-v3:" in title for title in titles)
    assert any("Download wd-eva02-large-tagger-v3: the best, large" in title for title in titles)
