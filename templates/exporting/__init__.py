"""What all exporters share: what an exporter is, paths, folders of images, settings that have no place elsewhere."""
