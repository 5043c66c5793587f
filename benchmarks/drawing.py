"""Draw the results of a benchmark as an SVG: one bar for each figure, relative to its goal.

The colours are those of the reader's scheme, light or dark. The chart has a background of its own, since a page can
have another scheme than the browser.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, UNIT = 1020, 26, 530, 280
STYLE = """<style>
text { font: 12px sans-serif; fill: #1f2328 }
.background { fill: #ffffff }
.met { fill: #2f7d4f }
.missed { fill: #b3432b }
.goal { stroke: #1f2328; stroke-dasharray: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .background { fill: #131416 }
  .met { fill: #4fae77 }
  .missed { fill: #e0714f }
  .goal { stroke: #e6edf3 }
}
</style>"""


def draw(document: dict[str, Any]) -> str:
    """Return the chart of a run's results as SVG.

    Args:
        document: the content of ``results.json``.

    """
    results = document["results"]
    height = ROW * (len(results) + 4)
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    conditions = f"{document['date']}, CPython {document['python']}, {document['machine']}; {versions}"
    title = "Shorter is better. The dashed line marks the goal of each figure."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">',
        STYLE,
        f'<rect class="background" width="{WIDTH}" height="{height}"/>',
        f'<text x="10" y="20">{escape(title)}</text>',
        f'<text x="10" y="{height - 10}">{escape(conditions)}</text>',
    ]
    for index, result in enumerate(results):
        y = ROW * (index + 1.5)
        share = result["median"] / result["bar"]
        length = min(share, (WIDTH - LEFT - 80) / UNIT) * UNIT
        verdict = "met" if share <= 1 else "missed"
        label = escape(f"{result['name']} ({result['on']})" if result["on"] else result["name"])
        figure = f"{result['median']:.3g} {result['unit']}".strip()
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{label}</text>',
            f'<rect class="{verdict}" x="{LEFT}" y="{y}" width="{length:.0f}" height="16"/>',
            f'<text x="{WIDTH - 10}" y="{y + 12}" text-anchor="end">{figure}</text>',
        ]
    bottom = ROW * (len(results) + 1.6)
    parts.append(f'<line class="goal" x1="{LEFT + UNIT}" y1="{ROW}" x2="{LEFT + UNIT}" y2="{bottom}"/>')
    return "\n".join([*parts, "</svg>", ""])
