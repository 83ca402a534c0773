"""What a model file or folder is: family, prediction type, lineage; read from headers, never unpickled."""
