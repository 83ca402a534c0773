from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from advisor.families.sd2 import PREDICTION_TENSOR
from tests.support import ldm_layout
from tests.support.identities import P, of

SPREADS = {"epsilon": [0.05, -0.05] * 160, "v_prediction": [0.2, -0.2] * 160}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_sd2s_two_kinds_go_by_the_spread_of_one_tensor(tmp_path: Path, prediction: str) -> None:
    raw = struct.pack("<320e", *SPREADS[prediction])
    found = of(tmp_path, ldm_layout.sd2(), values={P + PREDICTION_TENSOR: raw})

    assert (found.family, found.prediction) == ("sd2", prediction)
    assert "the spread" in found.prediction_reason


def test_sd2_metadata_that_say_otherwise_are_told_and_do_not_count(tmp_path: Path) -> None:
    raw = struct.pack("<320e", *SPREADS["epsilon"])
    found = of(
        tmp_path,
        ldm_layout.sd2(),
        values={P + PREDICTION_TENSOR: raw},
        metadata={"modelspec.prediction_type": "v"},
    )

    assert found.prediction == "epsilon"
    assert "modelspec.prediction_type" in found.notes[0]


@pytest.mark.parametrize("key", ["v_pred", "edm_vpred.sigma_max"])
def test_an_empty_key_marks_v_prediction(tmp_path: Path, key: str) -> None:
    found = of(tmp_path, {**ldm_layout.sdxl(), key: (0,), "ztsnr": (0,)})

    assert (found.prediction, found.prediction_reason) == ("v_prediction", f"the key {key}")
    assert found.zero_terminal_snr


@pytest.mark.parametrize(
    ("metadata", "prediction"),
    [
        ({"modelspec.prediction_type": "v"}, "v_prediction"),
        ({"modelspec.prediction_type": "v_prediction"}, "v_prediction"),
        ({"modelspec.predict_key": "v"}, "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({"modelspec.prediction_type": "who knows"}, None),
    ],
)
def test_metadata_tell_the_prediction(tmp_path: Path, metadata: Mapping[str, str], prediction: str | None) -> None:
    assert of(tmp_path, ldm_layout.sd1(), metadata=metadata).prediction == prediction


def test_a_name_alone_does_not_make_v_prediction(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name="thing_vPred-10.safetensors")

    assert found.prediction is None
    assert "its name speaks of v-prediction" in found.notes[0]


def test_playground_is_neither_epsilon_nor_v(tmp_path: Path) -> None:
    found = of(tmp_path, {**ldm_layout.sdxl(), "edm_mean": (4,), "edm_std": (4,)})

    assert found.prediction is None
    assert "Playground" in found.prediction_reason


@pytest.mark.parametrize(
    ("name", "lineage"),
    [
        ("AnyLoRA_bakedVae_blessed_fp16.safetensors", "anylora"),
        ("nai.safetensors", "nai"),
        ("animefull-final-pruned.safetensors", "nai"),
        ("anything-v5.safetensors", "anime"),
        ("v1-5-pruned-emaonly.safetensors", "none"),
        ("ponyDiffusionV6XL.safetensors", None),
        ("snail.safetensors", None),
        ("my mix.safetensors", None),
    ],
)
def test_the_name_speaks_of_a_lineage(tmp_path: Path, name: str, lineage: str | None) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name=name)

    assert found.lineage == lineage
    assert (name in found.lineage_reason) == (lineage is not None)


@pytest.mark.parametrize(
    ("name", "lineage"),
    [
        ("noobaiXLNAIXL_vPred10.safetensors", "noobai"),
        ("animagine-xl-4.0.safetensors", "animagine"),
        ("Illustrious-XL-v1.0.safetensors", "illustrious"),
        ("ponyDiffusionV6XL.safetensors", "pony"),
        ("sd_xl_base_1.0.safetensors", "none"),
    ],
)
def test_sdxl_has_lineages_of_its_own(tmp_path: Path, name: str, lineage: str) -> None:
    assert of(tmp_path, ldm_layout.sdxl(), name=name).lineage == lineage


def test_metadata_come_before_the_name(tmp_path: Path) -> None:
    found = of(
        tmp_path, ldm_layout.sd1(), name="anything.safetensors", metadata={"modelspec.title": "AnyLoRA fine-tune"}
    )

    assert found.lineage == "anylora"
    assert found.lineage_reason == "its metadata (modelspec.title) speaks of AnyLoRA"


def test_a_name_of_another_family_is_told(tmp_path: Path) -> None:
    found = of(tmp_path, ldm_layout.sd1(), name="ponyDiffusionV6XL.safetensors")

    assert "which is SDXL; by its tensors it is SD1.x" in found.notes[0]
