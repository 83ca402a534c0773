"""Import of the adapter, of the GUI and sd-scripts alike: kind, convolutions, dropouts, ranks and rates by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.families import KNOWN_FAMILIES
from templates.importing.ledger import Ledger
from templates.importing.readers import flag, number, numbers, says_nothing, text, whole
from templates.kohya.words import BLOCK_RATES, BLOCKS, GUI_KINDS, LYCORIS_TYPES

UNMAPPED_ARGUMENTS: Mapping[str, str] = {
    "use_tucker": "we decompose no convolutions", "use_cp": "we decompose no convolutions",
    "use_scalar": "we have no such scalar", "rank_dropout_scale": "we do not scale by it",
    "train_norm": "we train no norms", "bypass_mode": "it changes speed only", "unit": "it belongs to DyLoRA",
    "decompose_both": "our LoKr takes the larger factor apart only",
    "block_lr_zero_threshold": "factors of 0 stand still",
    "constrain": "it belongs to OFT", "rescaled": "it belongs to OFT", "train_on_input": "it belongs to (IA)^3",
    "block_alphas": "we have a rank for each block, no alpha of its own",
    "conv_block_dims": "we have one rank for all convolutions",
    "conv_block_alphas": "we have one alpha for all convolutions", "full_matrix": "our LoKr has a rank of 512 at most",
}  # fmt: skip
"""Arguments of networks that we have no setting for; as keys of the GUI they mean the same."""


@dataclass(frozen=True)
class NetworkArguments:
    """Where each argument stands: as a key of the GUI, or in sd-scripts' list."""

    values: Mapping[str, Any]
    keys: Mapping[str, str]
    """The ledger's key for each."""

    def get(self, name: str) -> Any:
        """The argument's value; None where it says nothing."""
        found = self.values.get(name)
        return None if says_nothing(found) else found


def settle_gui_kind(ledger: Ledger) -> tuple[str | None, bool]:
    """Our kind of adapter and whether it is LyCORIS'."""
    given = ledger.read("LoRA_type", text)
    if given is None:
        return None, False
    known = GUI_KINDS.ours(given)
    kind = known or GUI_KINDS.nearest(given)
    if kind is None:
        ledger.contradict("LoRA_type", "kohya's GUI has no such kind; a plain LoRA is taken")
        return "lora", False
    ledger.settle("LoRA_type", "network.kind", kind, "" if known else f"we have no {given}; {kind} is taken")
    return kind, given.lower().startswith(LYCORIS_TYPES) and kind != "lora"


def settle_arguments(ledger: Ledger, kind: str, found: NetworkArguments, *, is_lycoris: bool, family: str) -> None:
    """Convolutions, dropouts, DoRA, LoKr's factor, ranks and rates by block."""
    if is_lycoris and _read(ledger, found, "dora_wd", flag):
        kind = "dora" if kind == "locon" else kind
        ledger.translate(found.keys["dora_wd"], f"network.kind is {kind}")
        ledger.imply("network.dora_axis", "input" if _read(ledger, found, "wd_on_output", flag) is False else "output")
    ledger.imply("network.kind", kind)
    if (known := KNOWN_FAMILIES.get(family)) is not None and not known.has_convolutions:
        _leave_convolutions(ledger, found)
    else:
        _settle_convolutions(ledger, found, kind, is_lycoris=is_lycoris)
    for name, path in (("rank_dropout", "network.rank_dropout"), ("module_dropout", "network.module_dropout")):
        if (share := _read(ledger, found, name, number)) is not None:
            ledger.settle(found.keys[name], path, share)
    if (factor := _read(ledger, found, "factor", whole)) is not None:
        if kind == "lokr":
            ledger.settle(found.keys["factor"], "network.factor", factor)
        else:
            ledger.idle(found.keys["factor"], "it belongs to LoKr")
    if (ranks := _read(ledger, found, "block_dims", numbers)) is not None:
        ledger.settle(found.keys["block_dims"], "network.block_ranks", [int(rank) for rank in ranks])
    _settle_block_rates(ledger, found, family)


def _leave_convolutions(ledger: Ledger, found: NetworkArguments) -> None:
    """This family has no convolutions."""
    for name in ("preset", "conv_dim", "conv_alpha"):
        if name in found.keys:
            ledger.idle(found.keys[name], "this family has no convolutions")
    ledger.imply("network.conv_rank", 0)


def _settle_convolutions(ledger: Ledger, found: NetworkArguments, kind: str, *, is_lycoris: bool) -> None:
    """3x3 convolutions: plain LoRA has none in the GUI, whatever its key says."""
    preset = str(found.get("preset") or "full")
    covers = not is_lycoris or not any(part in preset for part in ("attn", "transformer"))
    if not is_lycoris and "preset" in found.keys:
        ledger.idle(found.keys["preset"], "it belongs to LyCORIS")
    if is_lycoris and found.get("preset") is not None:
        what = "all layers" if covers else "the layers of plain LoRA"
        ledger.translate(found.keys["preset"], f"{what}: network.conv_rank says so")
    rank = _read(ledger, found, "conv_dim", whole) if kind != "lora" and covers else None
    if rank is None:
        for name in ("conv_dim", "conv_alpha"):
            if name in found.keys:
                ledger.idle(found.keys[name], "convolutions get no adapters here")
        rank = ledger.settings.get("network.rank") if is_lycoris and covers and "conv_dim" not in found.keys else 0
        ledger.imply("network.conv_rank", rank or 0)
        return
    ledger.settle(found.keys["conv_dim"], "network.conv_rank", rank)
    alpha = _read(ledger, found, "conv_alpha", number)
    if alpha is not None:
        ledger.settle(found.keys["conv_alpha"], "network.conv_alpha", alpha)


def _settle_block_rates(ledger: Ledger, found: NetworkArguments, family: str) -> None:
    """Factors for the blocks going down, in the middle and going up, in one list."""
    parts = [_read(ledger, found, name, numbers) for name in BLOCK_RATES]
    if not any(parts):
        return
    counts = BLOCKS.get(family, (12, 1, 12))
    factors = [factor for part, count in zip(parts, counts, strict=True) for factor in (part or (1.0,) * count)]
    for name, part in zip(BLOCK_RATES, parts, strict=True):
        if part:
            note = "one list with those of the other blocks"
            ledger.settle(found.keys[name], "optimizer.block_learning_rates", factors, note)


def _read(ledger: Ledger, found: NetworkArguments, name: str, reader: Any) -> Any:
    raw = found.get(name)
    if raw is None:
        return None
    try:
        return reader(raw)
    except ValueError as error:
        ledger.contradict(found.keys[name], f"{name} is {error}, so it is left out")
        return None
