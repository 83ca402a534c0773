"""What a LoRA's metadata say of the loss it was trained with, in kohya's words without `ss_`."""

from __future__ import annotations

from typing import Any

from advisor.settings.config import LossConfig, TrainingConfig
from advisor.settings.script_times import ScriptTimes, script_times


def loss_entries(config: TrainingConfig) -> dict[str, Any]:
    """The entries; None where a setting is off."""
    loss = config.loss
    is_huber = loss.kind in ("huber", "smooth_l1")
    return {
        "zero_terminal_snr": loss.zero_terminal_snr,
        "min_snr_gamma": loss.min_snr_gamma or None,
        "noise_offset": loss.noise_offset or None,
        "adaptive_noise_scale": loss.adaptive_noise_scale or None,
        "multires_noise_iterations": loss.multires_iterations or None,
        "multires_noise_discount": loss.multires_discount,
        "ip_noise_gamma": loss.input_perturbation or None,
        "debiased_estimation": loss.debiased,
        "loss_type": loss.kind,
        "huber_c": loss.huber_c if is_huber else None,
        "huber_schedule": loss.huber_schedule if is_huber else None,
        "prior_loss_weight": loss.prior_weight,
        **(_of_flow(loss) if config.model.prediction == "flow" else {}),
    }


def _of_flow(loss: LossConfig) -> dict[str, Any]:
    """How times were drawn, in the words of sd-scripts' trainers of flow matching."""
    times = script_times(loss)
    if times is None:  # they have none such; the nearest
        times = ScriptTimes("uniform" if loss.timestep_sampling == "uniform" else "flux_shift", loss.timestep_scale)
    return {
        "timestep_sampling": times.sampling,
        "sigmoid_scale": times.sigmoid_scale,
        "discrete_flow_shift": times.flow_shift,
        "weighting_scheme": "uniform",
    }
