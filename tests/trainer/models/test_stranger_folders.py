"""Diffusers folders from strangers: whatever their JSON files hold, only a LoraError may come of it."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from advisor.checkpoints.identify import identify
from advisor.errors import LoraError, ModelError
from advisor.settings.config import ModelConfig
from tests.support.mutations import mutated, torn
from tests.support.special_files import on_posix, special_file
from tests.support.tiny import tiny_sd1_folder
from trainer.models.load import load_base_model
from trainer.models.tokenizer import load_tokenizer

CONFIGS = (
    "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
    "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json",
)  # fmt: skip
MARKS = {"<|startoftext|>": 0, "<|endoftext|>": 1}
INDEX = "unet/diffusion_pytorch_model.safetensors.index.json"


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd1_folder(tmp_path_factory.mktemp("genuine"))


@pytest.fixture
def folder(genuine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(genuine, tmp_path / "folder"))


def load(folder: Path) -> None:
    model = ModelConfig(path=str(folder), family="sd1")
    cpu = torch.device("cpu")
    base = load_base_model(model, dtype=torch.float32, vae_dtype=torch.float32, device=cpu)
    base.family.tokenize(base, ["a cat, ab"])


def refusal(folder: Path, does: Callable[[Path], object] = load) -> str:
    with pytest.raises(ModelError) as error:
        does(folder)
    return str(error.value)


def change(folder: Path, name: str, **values: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def sharded(folder: Path, weight_map: object) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.replace(weights.with_name("diffusion_pytorch_model-00001-of-00001.safetensors"))
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}), "utf-8")


@pytest.mark.parametrize(
    "weight_map",
    [[], ["a.safetensors"], {}, {"a": 5}, {"a": "../../etc/passwd"}, {"a": "x/y.safetensors"}, {"a": ".safetensors"},
     {"a": "C:x.safetensors"}, {"a": ["a.safetensors"]}, "a.safetensors", None, 5, {"a": "b.bin"}],
)  # fmt: skip
def test_an_index_of_another_kind_is_named_with_what_it_holds(folder: Path, weight_map: object) -> None:
    sharded(folder, weight_map)

    told = refusal(folder)

    assert str(folder / INDEX) in told
    assert "weight_map" in told
    assert "anew" in told


def test_a_shard_that_is_not_there_is_named(folder: Path) -> None:
    sharded(folder, {"a": "lost.safetensors"})

    assert "lost.safetensors does not exist" in refusal(folder)


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    one = "diffusion_pytorch_model-00001-of-00001.safetensors"
    sharded(folder, {"a": one, "b": "other.safetensors"})
    shutil.copy(folder / "unet" / one, folder / "unet" / "other.safetensors")

    assert "two of its files hold" in refusal(folder)


@pytest.mark.parametrize("number", [10**6, -1, 1.5, True, "hunter2", None, 10**60])
def test_token_numbers_beyond_the_text_encoders_table_are_refused(folder: Path, number: object) -> None:
    change(folder, "tokenizer/vocab.json", password=number)
    pieces = len(json.loads((folder / "tokenizer" / "vocab.json").read_text("utf-8")))

    message = refusal(folder)

    assert f"vocab.json: piece {pieces:,} has no number from 0 to" in message
    assert not re.search("hunter2|password", message), "the folder's link may have led to what is no tokenizer's"


@pytest.mark.parametrize("mark", ["<|startoftext|>", "<|endoftext|>"])
def test_a_vocabulary_without_its_marks_is_refused(folder: Path, mark: str) -> None:
    path = folder / "tokenizer" / "vocab.json"
    vocabulary = json.loads(path.read_text("utf-8"))
    del vocabulary[mark]
    path.write_text(json.dumps(vocabulary), "utf-8")

    assert f"vocab.json has no {mark}" in refusal(folder)


@pytest.mark.parametrize(
    ("merges", "told"),
    [
        (b"#version: 0.2\nhunter2 is secret\n", "merge 1 is not two pieces"),
        (b"hunter2 secret\n", "merge 1 joins or makes what the vocabulary does not have"),
        (b"\xff\n", "is not UTF-8 (byte 0)"),
    ],
)
def test_merges_that_the_vocabulary_does_not_have_are_refused(folder: Path, merges: bytes, told: str) -> None:
    (folder / "tokenizer" / "merges.txt").write_bytes(merges)

    message = refusal(folder)

    assert told in message
    assert "merges.txt" in message
    assert "secret" not in message, "the folder's link may have led to what is no tokenizer's"


@pytest.mark.parametrize(
    "model",
    [None, [], {}, {"vocab": []}, {"vocab": {"a": 1}, "merges": {}}, {"vocab": MARKS},
     {"vocab": MARKS, "merges": [["a"]]}, {"vocab": MARKS, "merges": [5]}],
)  # fmt: skip
def test_a_tokenizer_file_of_another_kind_is_named(folder: Path, model: object) -> None:
    (folder / "tokenizer" / "vocab.json").unlink()
    (folder / "tokenizer" / "tokenizer.json").write_text(json.dumps({"model": model}), "utf-8")

    assert str(folder / "tokenizer" / "tokenizer.json") in refusal(folder)


@pytest.mark.parametrize("length", [2, 0, -77, True, "77", [77], {}])
def test_a_length_that_no_caption_fits_in_is_refused(folder: Path, length: object) -> None:
    change(folder, "tokenizer/tokenizer_config.json", model_max_length=length)

    assert "tokenizer_config.json: model_max_length is" in refusal(folder)


def test_the_endless_length_that_newer_folders_tell_is_taken(folder: Path) -> None:
    change(folder, "tokenizer/tokenizer_config.json", model_max_length=1000000000000000019884624838656)

    assert load_tokenizer(folder / "tokenizer", length=20).length == 20


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unet/config.json", {"norm_num_groups": 7}),
        ("unet/config.json", {"attention_head_dim": 7}),
        ("unet/config.json", {"layers_per_block": 10**6}),
        ("unet/config.json", {"transformer_layers_per_block": 10**6}),
        ("unet/config.json", {"sample_size": 10**50}),
        ("unet/config.json", {"block_out_channels": [8] * 60}),
        ("unet/config.json", {"center_input_sample": 5}),
        ("unet/config.json", {"freq_shift": ["x"]}),
        ("unet/config.json", {"downsample_padding": -1}),
        ("vae/config.json", {"layers_per_block": 10**6}),
        ("vae/config.json", {"scaling_factor": "x"}),
        ("text_encoder/config.json", {"num_hidden_layers": 10**6}),
        ("text_encoder/config.json", {"num_attention_heads": 7}),
        ("text_encoder/config.json", {"hidden_act": "x" * 10_000}),
        ("scheduler/scheduler_config.json", {"prediction_type": ["v"]}),
    ],
)
def test_measures_that_no_network_has_are_refused(folder: Path, name: str, values: dict[str, Any]) -> None:
    change(folder, name, **values)

    told = refusal(folder)

    assert str(folder) in told
    assert len(told) < 1000


@on_posix
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", ["pipe", "link to zero"])
def test_a_pipe_or_device_in_the_place_of_a_file_is_not_read(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    with special_file(folder / name, kind):
        if name == "model_index.json":
            assert "no regular file" in refusal(folder, identify)
        else:
            assert refusal(folder)


def fuzz(genuine: Path, place: Path, dice: random.Random, name: str) -> None:
    """One mutated file of a folder, identified and loaded."""
    folder = Path(shutil.copytree(genuine, place))
    if name == INDEX:
        sharded(folder, {"a": "diffusion_pytorch_model-00001-of-00001.safetensors"})
    path = folder / name
    if name.endswith(".txt"):
        path.write_bytes(torn(path.read_bytes(), dice))
    else:
        tree = json.loads(path.read_text("utf-8"))
        path.write_bytes(torn(json.dumps(mutated(tree, dice)).encode("utf-8", "surrogatepass"), dice))
    with suppress(LoraError):
        load(folder)
    shutil.rmtree(folder)


NAMES = (*CONFIGS, INDEX, "tokenizer/merges.txt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_gives_a_model_or_an_error_that_names_it(genuine: Path, tmp_path: Path, name: str) -> None:
    dice = random.Random(f"14 {name}")
    for number in range(12):
        fuzz(genuine, tmp_path / str(number), dice, name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_hundreds_of_mutated_files_give_a_model_or_an_error(genuine: Path, tmp_path: Path, name: str) -> None:
    dice = random.Random(f"slow {name}")
    for number in range(300):
        fuzz(genuine, tmp_path / str(number), dice, name)
