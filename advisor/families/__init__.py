"""Model families, as facts: how each is recognised, how large it is, which of its layers get a LoRA."""
