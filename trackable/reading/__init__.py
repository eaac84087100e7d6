"""Reading back: rows become totals, points over time, and the objects on top."""
