"""The database: settings, connection, reading a shop with every value checked, and writing schedules back."""
