"""The algorithm, pure: rollouts, advantages, losses, gradient steps, and the update made of them."""
