"""Whether a model file can be trained on."""

from __future__ import annotations

from advisor.checkpoints.identity import Identity
from advisor.errors import ModelError

KINDS = {
    "lora": "a LoRA", "vae": "a VAE", "text_encoder": "a text encoder", "controlnet": "a ControlNet",
    "embedding": "an embedding", "unknown": "no model that I know",
}  # fmt: skip


def trainable_base(identity: Identity) -> Identity:
    """The same, if a LoRA can be trained on it.

    Raises:
        ModelError: it is something else, or a family that is not trained yet.
    """
    if identity.kind != "checkpoint":
        mend = "give the full model (checkpoint) that pictures are made with"
        raise ModelError(f"{identity.path} is {KINDS[identity.kind]}, not a base model: {mend}")
    if not identity.trainable:
        why = identity.why_not or "this kind of model cannot be trained yet: choose an SD1.x base model"
        raise ModelError(f"{identity.path}: {why}")
    return identity
