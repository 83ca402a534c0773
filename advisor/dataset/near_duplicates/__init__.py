"""Which pictures of a data set show the same: copies, resized, re-encoded, mirrored or cropped ones."""
