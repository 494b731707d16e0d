"""The core of the TimeBalance book: from video files to semi-supervised action recognition."""
