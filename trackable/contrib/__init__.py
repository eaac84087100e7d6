"""Apps that are built on the core, each installed on its own; none knows another."""
