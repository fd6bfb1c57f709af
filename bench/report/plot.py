"""Plots the search for each bridge's limit: added latency by number of calls."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import pygal
from pygal.style import CleanStyle

from bench.limit import ADDED_MS, Limit, Step


def draw(limits: Sequence[Limit], file: Path) -> None:
    """Writes an SVG without scripts, so that it can be shown as an image."""
    chart = pygal.XY(
        logarithmic=True,
        js=[],
        style=CleanStyle(font_family="sans-serif"),
        title="Added latency (p99, the worse way, ms) by calls on one core",
        x_title="calls at once",
        legend_at_bottom=True,
        width=900,
        height=520,
        dots_size=3,
    )
    chart.add_xml_filter(_without_scripts)
    for limit in limits:
        name = f"{limit.bridge}, TLS" if limit.tls else limit.bridge
        points = [point for step in sorted(limit.steps, key=lambda step: step.calls) if (point := _point(step))]
        chart.add(name, points, stroke_style={"dasharray": "5, 5"} if limit.tls else None)
    last = max((step.calls for limit in limits for step in limit.steps), default=0)
    chart.add(f"{ADDED_MS} ms", [(0, ADDED_MS), (last, ADDED_MS)], show_dots=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    chart.render_to_file(str(file))


def _without_scripts(svg: Element) -> Element:
    for parent in list(svg.iter()):
        for script in parent.findall("script"):
            parent.remove(script)
    return svg


def _point(step: Step) -> tuple[int, float] | None:
    if not step.p99_to_model or not step.p99_to_phone:
        return None
    return step.calls, max(step.p99_to_model, step.p99_to_phone)
