"""A run: from its config and its shops through the loop to the final report."""
