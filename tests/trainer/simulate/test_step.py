"""Counting bytes on tensors without data."""

from __future__ import annotations

import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.memory_entries import Entry, entries
from benchmarks.memory_grid import error, simulation
from trainer.simulate.live_bytes import LiveBytes, Operations, block_bytes
from trainer.simulate.step import main

QUICK = (
    "sd1 512x512 batch 4 rank 32 trained bfloat16 checkpointing",
    "sd1 512x512 batch 4 rank 32 cached bfloat16 on int8",
    "sd1 512x512 batch 2 rank 32 trained float16 on nf4 checkpointing",
    "sd1 512x512 batch 1 rank 16 cached bfloat16 on int8 network.kind lokr network.conv_rank 0",
    "sd2 768x768 batch 2 rank 32 encoded bfloat16",
    "sdxl 1024x1024 batch 1 rank 16 cached bfloat16 on int8",
    "anima 512x512 batch 1 rank 32 cached bfloat16 checkpointing",
    "sd1 512x512 batch 1 rank 32 cached bfloat16 checkpointing memory.swapped_blocks 20",
)
"""Of every family, kind of base, half dtype and way to treat the text; three to ten seconds each."""
SLOW = tuple(entry for entry in entries() if entry.name not in QUICK)


def test_bytes_are_counted_in_blocks_until_they_are_freed() -> None:
    with FakeTensorMode(), LiveBytes() as live:
        kept = torch.empty(100)
        torch.empty(1000) + torch.empty(1000)
        assert live.now["activations"] == 512
        del kept
    assert live.now["activations"] == 0
    assert live.peak["activations"] == 512 + 3 * block_bytes(4000)


def test_a_view_takes_nothing() -> None:
    with FakeTensorMode(), LiveBytes() as live:
        whole = torch.empty(1024)
        parts = (whole[:10], whole.view(32, 32).t())
        assert sum(live.now.values()) == 4096
        del parts


def test_gradients_are_told_from_activations() -> None:
    with FakeTensorMode(), LiveBytes() as live:
        with live.counting_as("adapter"):
            weight = torch.nn.Parameter(torch.empty(64, 64))
        live.gradients_of([weight])
        (torch.empty(8, 64) @ weight).sum().backward()
        assert (live.now["adapter"], live.now["gradients"], live.now["activations"]) == (16384, 16384, 0)


def test_a_products_operations_are_counted() -> None:
    with FakeTensorMode(), Operations() as counted:
        torch.empty(3, 5) @ torch.empty(5, 7)

    assert counted.total == 2 * 3 * 5 * 7


def test_attention_on_a_processor_is_counted() -> None:
    with FakeTensorMode(), Operations() as counted:
        q = torch.empty(1, 2, 16, 8, dtype=torch.bfloat16)
        torch.nn.functional.scaled_dot_product_attention(q, q, q)

    assert counted.total == 2 * 2 * 2 * 16 * 16 * 8


@pytest.mark.parametrize("entry", [one for one in entries() if one.name in QUICK], ids=lambda entry: entry.name)
def test_the_closed_form_still_says_what_is_counted(entry: Entry) -> None:
    assert abs(error(entry, {"step": simulation(entry).step()})) < 0.03


def test_all_of_the_quick_ones_are_in_the_grid() -> None:
    assert set(QUICK) <= {entry.name for entry in entries()}


@pytest.mark.slow
@pytest.mark.parametrize("entry", SLOW, ids=lambda entry: entry.name)
def test_the_closed_form_says_what_is_counted_all_over_the_grid(entry: Entry) -> None:
    assert abs(error(entry, {"step": simulation(entry).step()})) < 0.03


@pytest.mark.slow
def test_the_command_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--family", "sd1", "--resolution", "128", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["step_bytes"] == sum(document["step"].values())
    assert document["operations"] > 0
