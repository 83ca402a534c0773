"""Reading the headers of files that hold tensors."""
