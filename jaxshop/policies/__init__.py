"""Who chooses: networks, dispatching rules, whole episodes under either, and checkpoints."""
