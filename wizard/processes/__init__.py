"""Child processes: the trainer, probes and conversions; and what is kept of them."""
