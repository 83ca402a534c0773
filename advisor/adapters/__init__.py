"""What an adapter adds to a model: which layers get one, in which shapes, under which names."""
