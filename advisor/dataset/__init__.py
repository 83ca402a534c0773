"""What lies in a folder of images: sizes, captions, masks, repeats, and the buckets they fall into."""
