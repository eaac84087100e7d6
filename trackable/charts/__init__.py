"""Charts: what was counted as pictures, made on the server, without a script or inline styles."""

from trackable.charts.bars import bar_chart
from trackable.charts.sparklines import sparkline

__all__ = ["bar_chart", "sparkline"]
