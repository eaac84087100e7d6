"""Access logs: reads what a web server has logged, and emits it as if it happened now."""
