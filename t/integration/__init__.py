"""What only real servers show."""
