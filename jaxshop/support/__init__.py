"""What any program needs and no shop is about: clean errors, files, settings, this machine."""
