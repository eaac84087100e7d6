"""Conversion: adds the counters of any other model to a data class, each record once."""
