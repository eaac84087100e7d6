"""Benchmarks: trackable beside what its users would do instead, and beside what the machine can."""
