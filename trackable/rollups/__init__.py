"""Roll-ups: rows that are old enough are summed into rows of coarser periods."""
