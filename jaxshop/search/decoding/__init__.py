"""Search for plans with the plant's own rules: lists of operations, and the schedules that a decoder makes of them."""
