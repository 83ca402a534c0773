"""Processes that the wizard starts and watches: the trainer, measurements, conversions."""
