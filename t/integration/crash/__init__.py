"""Processes that are killed at random, and a ledger of what has become of each message."""
