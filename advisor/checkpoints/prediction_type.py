"""What a base model predicts, as far as a file tells. No mark proves epsilon: then it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import pstdev

from advisor.checkpoints.lineage import plain
from advisor.families.family import Family
from advisor.families.sd2 import PREDICTION_TENSOR, V_SPREAD
from advisor.families.structure import Prediction
from advisor.tensor_files.header import TensorInfo

_WORDS: Mapping[str, Prediction] = {
    "epsilon": "epsilon",
    "eps": "epsilon",
    "v": "v_prediction",
    "v_prediction": "v_prediction",
    "v-prediction": "v_prediction",
    "flow": "flow",
    "flow_prediction": "flow",
    "flow_matching": "flow",
}
_METADATA_KEYS = ("modelspec.prediction_type", "modelspec.predict_key")
_V_KEYS = ("v_pred", "edm_vpred.sigma_max", "edm_vpred.sigma_min")
_NAMES_OF_V = ("vpred", "v pred", "v prediction", "vprediction")


@dataclass(frozen=True)
class PredictionFound:
    """What it predicts and from what that was read."""

    prediction: Prediction | None
    reason: str
    zero_terminal_snr: bool = False
    notes: tuple[str, ...] = ()


def find_prediction(
    known: Family,
    tensors: Mapping[str, TensorInfo],
    metadata: Mapping[str, str],
    *,
    name: str,
    spread: Sequence[float] | None = None,
) -> PredictionFound:
    """What a checkpoint of that family predicts.

    Args:
        spread: the values of SD2's telling tensor (`PREDICTION_TENSOR`), None where the file has none.
    """
    if known.fixed_prediction:
        return PredictionFound(known.prediction, f"all of {known.title} predict that")
    by_metadata, key = _from_metadata(metadata)
    found, reason = _from_tensors(tensors, spread)
    notes: list[str] = []
    if found is None:
        found, reason = by_metadata, f"its metadata ({key})"
    elif by_metadata not in (None, found):
        notes.append(f"its metadata ({key}) say {by_metadata}, its tensors {found}: the tensors count")
    if found is None:
        reason = "no mark in it; epsilon is usual, but a missing mark does not prove it"
    if "edm_mean" in tensors and "edm_std" in tensors:
        return PredictionFound(None, "its EDM marks: Playground 2.5, which is none of epsilon, v and flow")
    if found != "v_prediction" and any(word in plain(name) for word in _NAMES_OF_V):
        notes.append("its name speaks of v-prediction and nothing in it does: if that is so, choose v_prediction")
    return PredictionFound(found, reason, "ztsnr" in tensors, tuple(notes))


def prediction_word(word: str) -> Prediction | None:
    """A prediction type as metadata and JSON spell it."""
    return _WORDS.get(word.strip().lower())


def _from_metadata(metadata: Mapping[str, str]) -> tuple[Prediction | None, str]:
    for key in _METADATA_KEYS:
        prediction = prediction_word(metadata.get(key, ""))
        if prediction is not None:
            return prediction, key
    return None, ""


def _from_tensors(tensors: Mapping[str, TensorInfo], spread: Sequence[float] | None) -> tuple[Prediction | None, str]:
    for key in _V_KEYS:
        if key in tensors:
            return "v_prediction", f"the key {key}"
    if not spread or not all(map(isfinite, spread)):
        return None, ""
    deviation = pstdev(spread)
    prediction: Prediction = "v_prediction" if deviation > V_SPREAD else "epsilon"
    side = "above" if deviation > V_SPREAD else "not above"
    return prediction, f"the spread {deviation:.3f} of {PREDICTION_TENSOR}, {side} {V_SPREAD}"
