"""kombu 5.7 and this release on one broker, at the same time."""
