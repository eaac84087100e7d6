"""Models to count for, and the data classes that count for them."""
