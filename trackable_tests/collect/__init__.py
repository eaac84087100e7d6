"""Pages that are counted by the browsers that show them."""
