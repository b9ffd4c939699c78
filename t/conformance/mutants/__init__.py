"""Broken transports: the conformance suite must tell each from a sound one."""
