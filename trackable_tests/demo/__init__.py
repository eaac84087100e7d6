"""The demo: a small site that counts with trackable, and the program that puts it to the test."""
