"""Finding a schedule with the time there is: rules, the policy, its samples, a tuned priority, side by side."""
