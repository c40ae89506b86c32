"""What happened: all that the store knows of a window, in order; what changed first; files for others to read."""
