from __future__ import annotations

from pathlib import Path

import pytest

from advisor.tagging.known_models import KNOWN_MODELS, known_model
from wizard.interview.pictures.tagger_models import called, found_taggers, hub_cache, is_whole, title

HUB = ".cache/huggingface/hub/models--SmilingWolf--wd-vit-tagger-v3/snapshots/7f6b584d/model.onnx"
PLACES = (
    HUB,
    "ComfyUI/custom_nodes/ComfyUI-WD14-Tagger/models/wd-v1-4-moat-tagger-v2.onnx",
    "Documents/ComfyUI_windows_portable_1/ComfyUI/custom_nodes/comfyui-wd14-tagger/models/wd-swinv2-tagger-v3.onnx",
    "stable-diffusion-webui/models/interrogators/models--SmilingWolf--wd-vit-tagger-v3/snapshots/abc/model.onnx",
    "kohya_ss/wd14_tagger_model/SmilingWolf_wd-convnext-tagger-v3/model.onnx",
    "src/sd-scripts/wd14_tagger_model/model.onnx",
    "StabilityMatrix/Data/Packages/ComfyUI/custom_nodes/ComfyUI-WD14-Tagger/models/wd-vit-tagger-v3.onnx",
)


def put(home: Path, *places: str) -> list[Path]:
    for place in places:
        file = home / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        name = "selected_tags.csv" if file.stem == "model" else f"{file.stem}.csv"
        (file.parent / name).touch()
    return [home / place for place in places]


def found(home: Path, remembered: str | None = None) -> tuple[Path, ...]:
    return found_taggers(remembered, home=home, windows=False, environment={})


@pytest.mark.parametrize("place", PLACES)
def test_a_tagger_of_another_program_is_found(tmp_path: Path, place: str) -> None:
    (file,) = put(tmp_path, place)

    assert found(tmp_path) == (file,)


def test_the_one_used_last_comes_first_and_once(tmp_path: Path) -> None:
    hub, comfy = put(tmp_path, *PLACES[:2])

    assert found(tmp_path) == (hub, comfy)
    assert found(tmp_path, str(comfy)) == (comfy, hub)
    assert found(tmp_path, str(tmp_path / "gone.onnx")) == (hub, comfy)


def test_a_model_without_its_list_of_tags_is_none(tmp_path: Path) -> None:
    (file,) = put(tmp_path, HUB)
    (file.parent / "selected_tags.csv").unlink()

    assert found(tmp_path) == ()


def test_the_cache_of_the_hub_lies_where_its_library_looks(tmp_path: Path) -> None:
    assert hub_cache(tmp_path, {}) == tmp_path / ".cache" / "huggingface" / "hub"
    assert hub_cache(tmp_path, {"HF_HOME": "/big"}) == Path("/big/hub")
    assert hub_cache(tmp_path, {"HF_HOME": "/big", "HF_HUB_CACHE": "/cache"}) == Path("/cache")
    assert hub_cache(tmp_path, {"XDG_CACHE_HOME": "/x"}) == Path("/x/huggingface/hub")


def test_a_name_means_the_file_or_folder_or_model_that_is_called_so(tmp_path: Path) -> None:
    files = put(tmp_path, *PLACES[:5])

    assert called("wd-vit-tagger-v3", files) == files[0]
    assert called("SmilingWolf/wd-vit-tagger-v3", files) == files[0]
    assert called("wd-v1-4-moat-tagger-v2", files) == files[1]
    assert called("WD-convnext-tagger-v3", files) == files[4]
    assert called("wd-eva02-large-tagger-v3", files) is None
    assert [title(file) for file in files] == [
        "wd-vit-tagger-v3", "wd-v1-4-moat-tagger-v2", "wd-swinv2-tagger-v3", "wd-vit-tagger-v3",
        "wd-convnext-tagger-v3",
    ]  # fmt: skip


def test_a_file_of_another_size_is_not_that_model(tmp_path: Path) -> None:
    (file,) = put(tmp_path, HUB)
    known = known_model("wd-vit-tagger-v3")
    assert known is KNOWN_MODELS[0]

    assert not is_whole(known, file)
    with file.open("wb") as opened:
        opened.truncate(378_536_310)
    assert is_whole(known, file)
