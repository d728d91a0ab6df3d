# SPDX-License-Identifier: BSD-3-Clause
"""Bar charts as SVG, readable on light and on dark paper: groups of horizontal bars, a figure at the
end of each. No other library is needed."""
from xml.sax.saxutils import escape

WIDTH, LABEL, FIGURE = 760, 190, 110
BAR, GAP, GROUP_GAP, TOP, LEGEND = 16, 3, 14, 56, 26
# Told apart by their lightness too (Okabe and Ito, "Color Universal Design", 2008).
COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00']
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
.title { font-size: 16px; font-weight: 600 }
.note { font-size: 11px; fill: #57606a }
.paper { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .paper { fill: #0d1117 }
}"""


def text(x, y, words, kind='', anchor='start'):
    return (f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">'
            f'{escape(str(words))}</text>')


def figure(value):
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def chart(title, unit, series, groups, note=''):
    """`groups`: [(label, [value or None for each of series])]. Returns the SVG text."""
    most = max((v for _, values in groups for v in values if v is not None), default=0) or 1
    room = WIDTH - LABEL - FIGURE
    out, y = [], TOP + LEGEND
    x = LABEL
    for i, name in enumerate(series):
        out.append(f'<rect x="{x}" y="{TOP - 11}" width="12" height="12" rx="2" '
                   f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(text(x + 17, TOP, name))
        x += 30 + 8 * len(name)
    for label, values in groups:
        shown = [(i, v) for i, v in enumerate(values) if v is not None]
        height = len(shown) * (BAR + GAP)
        out.append(text(LABEL - 10, y + height / 2 + 4, label, anchor='end'))
        for i, value in shown:
            length = max(1.0, room * max(0, value) / most)
            out.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                       f'fill="{COLOURS[i % len(COLOURS)]}"/>')
            out.append(text(LABEL + length + 6, y + BAR - 3, figure(value)))
            y += BAR + GAP
        y += GROUP_GAP
    out.append(text(16, y + 6, note, 'note'))
    height = y + 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">'
            f'<style>{STYLE}</style>'
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
            + text(16, 26, f'{title} ({unit})', 'title') + ''.join(out) + '</svg>\n')
