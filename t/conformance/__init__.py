"""The conformance suite (:mod:`kombu.testing.conformance`), a file a transport."""
