"""What translates between the core and the frameworks, files and terminals. Holds no scoring logic."""
