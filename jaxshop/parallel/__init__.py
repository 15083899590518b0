"""Many devices and many hosts as one: who takes part, and what is spread over whom."""
