"""The small plot below the report on a run: memory over time, with the limit as a line."""

from __future__ import annotations

from memtui.model.memseries import Points
from memtui.render.chart import Curve, chart, without_colors
from memtui.render.graph import area
from memtui.units import size_long

HEIGHT = 12
_LEAST = 3  # points
_FAR = 4.0  # a limit this many times the highest point would flatten the rest
_MEMORY, _LIMIT = "#5AA9E6", "#F0566A"


def run_chart(points: Points, limit: int, width: int, colors: bool) -> str:
    """Return a title and a plot of at most `width` cells; without `colors` nothing but text.

    Where plotext cannot be imported, the plot is an area in braille.
    """
    times, memory = points.times, points.memory
    if len(times) < _LEAST or times[0] == times[-1]:
        return f"no plot: {len(times)} samples of memory are too few\n"
    near = limit <= _FAR * max(memory)
    what = (
        f"╌ the limit of {size_long(limit)}" if near else f"the limit of {size_long(limit)} is off"
    )
    curves = [Curve(memory, _MEMORY)]
    if near:
        curves.append(Curve([float(limit)] * len(times), _LIMIT, "╌"))
    try:
        drawn = chart(times, curves, (width, HEIGHT))
        plot = drawn if colors else without_colors(drawn)
    except ImportError:
        top = float(limit) if near else max(memory)
        step = max(1, len(times) // (2 * width))
        plot = "\n".join(area(list(memory[::step]), top, width, HEIGHT - 2))
    lines = [line.rstrip() for line in plot.rstrip().split("\n")]
    return f"memory in use over time; {what}\n" + "\n".join(lines) + "\n"
