"""The bounds: what is too long, too much, full, gone or in the way."""
