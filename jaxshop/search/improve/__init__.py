"""Moves on a schedule: iterated greedy and tabu search over one graph of operations, compiled by Numba."""
