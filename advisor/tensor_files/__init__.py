"""Reading what files that hold tensors are made of: headers of safetensors, tables of archives."""
