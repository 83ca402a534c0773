"""Parts of a base model that are files of their own, in files from strangers."""

from __future__ import annotations

from advisor.families.anima import ANIMA
from advisor.families.part_files import qwen_structure
from advisor.tensor_files.header import TensorInfo
from tests.support.effort import at_most


def test_a_file_of_thousands_of_language_models_is_looked_at_in_seconds() -> None:
    names = [f"{number}.embed_tokens.weight" for number in range(30_000)]
    names += [f"{number}.layers.0.self_attn.q_norm.weight" for number in range(0, 30_000, 2)]
    tensors = {name: TensorInfo("BF16", (1, 1), 0, 2) for name in names}

    with at_most(seconds=3):
        assert qwen_structure(tensors) is None
        for part in ANIMA.separate_parts:
            fits = part.fits(tensors)
            assert not any(fits({"a": TensorInfo("BF16", (1,), 0, 2)}) for _ in range(1000))
