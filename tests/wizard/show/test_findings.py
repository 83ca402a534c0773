from __future__ import annotations

from advisor.dataset.report import Folder, Problem
from tests.support.factories import make_dataset, make_gpu, make_hardware, make_identity
from wizard.show.findings import dataset_text, gpu_text, identity_text, machine_text, trigger_text


def test_pictures_are_told_by_number_size_and_captions() -> None:
    text = dataset_text(make_dataset())

    assert text == "30 pictures, 768 x 1024 to 1024 x 1024; all with captions (tags, .txt)"


def test_folders_with_repeats_are_told() -> None:
    report = make_dataset(folders=(Folder("10_mira", 30, 10, "mira"),))

    assert "10_mira (30 x 10)" in dataset_text(report)


def test_missing_captions_and_what_they_mean_are_told() -> None:
    text = dataset_text(make_dataset(captions=None))

    assert "none has a caption" in text
    assert "Each is trained on the trigger word alone" in text


def test_many_problems_are_counted_and_the_command_for_all_is_named() -> None:
    problems = tuple(Problem(f"{number}.png", "empty_picture", "it is empty") for number in range(8))

    text = dataset_text(make_dataset(problems=problems))

    assert "8 things to look at" in text
    assert text.count("- 0.png: it is empty") == 1  # which is wrapped with a hanging indent
    assert text.count("it is empty") == 5
    assert 'and 3 more: loracle check "/pictures"' in text


def test_one_caption_without_the_trigger_is_told_in_the_singular() -> None:
    report = make_dataset(2, captions=("mira, smile", "smile, hat"))

    assert trigger_text(report, "mira").startswith('1 of 2 captions has no "mira"')
    assert trigger_text(make_dataset(captions=None), "mira") == ""


def test_a_model_is_told_in_plain_words() -> None:
    identity = make_identity(file_bytes=2 * 1024**3, notes=("The name says SDXL, the contents SD1.x.",))

    assert identity_text(identity).splitlines() == [
        "SD1.x, predicts noise, float16, 2.0 GiB", "The name says SDXL, the contents SD1.x.",
    ]  # fmt: skip


def test_cards_and_machines_are_told_by_their_memory() -> None:
    assert gpu_text(make_gpu()) == "NVIDIA GeForce RTX 3070, 8.0 GiB (7.5 GiB free)"
    assert "untested by us" in gpu_text(make_gpu(vendor="amd", name="RX 6600"))
    assert machine_text(make_hardware()) == (
        "AMD Ryzen 7 5800X: 16 threads, 32.0 GiB of memory, 500.0 GiB free on the disk."
    )
