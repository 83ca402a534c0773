"""From images and captions to the tensors of a batch, cached on disk by content."""
