"""The measures, a module each. Importing this enters them all, in the order of the table."""

from importlib import import_module

NAMES = (
    *("emit", "processes", "request"),
    *("fold", "parts", "upsert", "end_to_end", "folders", "wire", "latency"),
    *("ledger", "spider", "pixel", "imports", "growth", "partitions"),
)
for _name in NAMES:
    import_module(f"{__name__}.{_name}")
