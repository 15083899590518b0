"""The search for plans with the plant's own rules: calendars, set-ups by sequence, lags, fixed work, tardiness."""
