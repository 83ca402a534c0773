from __future__ import annotations

from advisor.estimate.drawing import drawing_cost
from advisor.estimate.vram import decode_bytes, phase_bytes
from advisor.families.sd1 import STANDARD
from tests.support.factories import make_gpu, make_hardware, make_plan_config

GIB = 2**30


def test_twice_the_pictures_take_twice_the_time_beside_the_start() -> None:
    gpu = make_gpu(12)
    hardware = make_hardware(gpus=(gpu,))
    one, two = (
        drawing_cost(make_plan_config(gpus=(gpu,)), STANDARD, hardware, gpu, num_images=number) for number in (50, 100)
    )

    assert one.seconds is not None
    assert two.seconds is not None
    assert two.seconds - 20 == 2 * (one.seconds - 20)
    assert (one.peak_bytes, one.free_bytes) == (two.peak_bytes, gpu.free_bytes)


def test_drawing_needs_no_optimizer_and_so_less_than_drawing_while_training() -> None:
    config = make_plan_config(gpus=(make_gpu(12),))
    gpu = make_gpu(12)

    cost = drawing_cost(config, STANDARD, make_hardware(gpus=(gpu,)), gpu, num_images=1)

    assert decode_bytes(config, STANDARD) < cost.peak_bytes < phase_bytes("sampling", config, STANDARD)
    assert cost.fits


def test_what_does_not_fit_is_known() -> None:
    gpu = make_gpu(12, free_gib=1)
    config = make_plan_config(gpus=(make_gpu(12),))

    assert not drawing_cost(config, STANDARD, make_hardware(gpus=(gpu,)), gpu, num_images=1).fits
