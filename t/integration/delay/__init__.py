"""Many messages that are not due yet."""
