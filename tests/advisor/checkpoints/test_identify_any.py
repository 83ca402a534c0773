from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families.sd2 import PREDICTION_TENSOR
from advisor.families.stable_diffusion import StableDiffusionStructure
from tests.support import ldm_layout
from tests.support.headers import Shapes, write_model
from tests.support.identities import P
from tests.support.ldm_layout import under

ROOTS = ["", P, "lora_unet_", "unet.", "decoder.", "cond_stage_model.transformer."]
NAMES = [
    "input_blocks.0.0.weight",
    "input_blocks.1.1.proj_in.weight",
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "label_emb.0.0.weight",
    "conv_in.weight",
    "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
    "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.alpha",
    "x.lokr_w1",
    "x.lokr_w2_b",
    "x.hada_w1_b",
    "text_model.embeddings.token_embedding.weight",
    "emb_params",
    PREDICTION_TENSOR,
]
SOME_SHAPES = st.dictionaries(
    st.builds(str.__add__, st.sampled_from(ROOTS), st.sampled_from(NAMES)),
    st.lists(st.sampled_from([0, 1, 3, 4, 64, 320, 768]), max_size=4).map(tuple),
    max_size=6,
)
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(shapes=SOME_SHAPES, alpha=st.text(max_size=5))
def test_any_names_and_shapes_give_an_identity_or_a_model_error(tmp_path: Path, shapes: Shapes, alpha: str) -> None:
    path = write_model(tmp_path / "fuzz.safetensors", shapes, metadata={"ss_network_alpha": alpha})
    try:
        found = identify(path)
    except ModelError:
        return
    assert found.trainable == (not found.why_not)


TINY = {
    **under(P, ldm_layout.unet((32, 64), (0, 1), context=64)),
    **under("first_stage_model.", ldm_layout.vae((16, 32))),
    **under("cond_stage_model.transformer.", ldm_layout.clip(64, 1, vocab=300)),
}
SHAPE = st.lists(st.sampled_from([0, 1, 64]), max_size=4).map(tuple)


@QUICK
@given(bent=st.dictionaries(st.sampled_from(sorted(TINY)), SHAPE, min_size=1, max_size=5))
def test_bent_shapes_give_whole_measures_or_none(tmp_path: Path, bent: dict[str, tuple[int, ...]]) -> None:
    found = identify(write_model(tmp_path / "fuzz.safetensors", {**TINY, **bent}))

    if isinstance(found.structure, StableDiffusionStructure):
        text, unet = found.structure.text[0], found.structure.unet
        assert min(*unet.block_out_channels, unet.cross_attention_dim, text.width, text.mlp_width, text.vocab_size) > 0
