"""Benchmarks against kombu 5.7, the release that this library takes over from."""
