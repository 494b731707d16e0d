"""The one training loop, testing, and what keeps both safe: states, stopping, processes."""
