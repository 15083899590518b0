"""The networks, a module each."""
