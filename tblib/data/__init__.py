"""From files to clips: data sets, decoding, the frame cache, labels, and batches."""
