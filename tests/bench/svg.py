# SPDX-License-Identifier: BSD-3-Clause
"""Pictures as SVG, readable on light and on dark paper: groups of horizontal bars (bars), curves
(curves). No other library is needed.

Each series has its colour by its name (COLOURS), so that the same program looks the same in all
pictures; others take what is left. A mark is what a benchmark has to reach: a broken line."""
import math
import textwrap
from xml.sax.saxutils import escape

WIDTH, FIGURE, MARGIN = 760, 60, 16
BAR, GAP, GROUP_GAP, TOP = 15, 3, 12, 66
CURVES_HEIGHT = 300
CHAR, NOTE_CHARS = 7.3, 118  # of a letter of 13 px; letters of a note's line

# Told apart by their lightness too (after Okabe and Ito, "Color Universal Design", 2008):
# on light paper, on dark paper.
COLOURS = {'floor': ('#8c959f', '#768390'), 'OVS-DPDK': ('#e69f00', '#e69f00'),
           'rte_acl': ('#e69f00', '#e69f00'), 'sluice': ('#0072b2', '#56b4e9')}
OTHERS = [('#e69f00', '#e69f00'), ('#009e73', '#3fc79a'), ('#cc79a7', '#e3a3c6'),
          ('#5b4fa0', '#a79be8'), ('#8c959f', '#768390')]
STYLE = """
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1b1f24 }
.title { font-size: 16px; font-weight: 600 }
.note, .tick { font-size: 11px; fill: #57606a }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }
.paper { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.axis { stroke: #57606a; stroke-width: 1 }
.mark { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 4 3; fill: none }
"""
DARK = """
text { fill: #e6edf3 } .note, .tick { fill: #9198a1 } .paper { fill: #0d1117 }
.value { stroke: #0d1117 } .grid { stroke: #30363d } .axis { stroke: #9198a1 }
.mark { stroke: #ff7b72 }
"""


def colours(series):
    """[(on light paper, on dark paper)] of each."""
    left = [c for c in OTHERS if c not in [COLOURS[s] for s in series if s in COLOURS]]
    return [COLOURS[s] if s in COLOURS else left.pop(0) for s in series]


def style(series):
    found = colours(series)
    light = ''.join(f'.s{i} {{ fill: {a} }} .l{i} {{ stroke: {a} }}\n'
                    for i, (a, _) in enumerate(found))
    dark = ''.join(f'.s{i} {{ fill: {b} }} .l{i} {{ stroke: {b} }}\n'
                   for i, (_, b) in enumerate(found))
    return f'<style>{STYLE}{light}@media (prefers-color-scheme: dark) {{{DARK}{dark}}}</style>'


def text(x, y, words, kind='', anchor='start'):
    kind = f' class="{kind}"' if kind else ''
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind} text-anchor="{anchor}">{escape(str(words))}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def figure(value):
    if abs(value) >= 1000:
        return f'{value:,.0f}'
    words = f'{value:.3g}'
    return f'{value:.4g}' if value < 100 <= float(words) else words  # 99.96 is not 100


def ticks(most):
    """Round values from 0 to the first that is at least `most`: four to eight of them."""
    step = 10 ** math.floor(math.log10(most / 4))
    step = next(s for s in (step, 2 * step, 2.5 * step, 5 * step, 10 * step) if most / s <= 7)
    return [i * step for i in range(math.ceil(most / step - 1e-9) + 1)]


def legend(series, mark, y, line_of):
    out, x = [], MARGIN
    for i, name in enumerate(series):
        out.append(line_of(x, y - 4, i) if line_of else
                   f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" class="s{i}"/>')
        out.append(text(x + 18, y, name))
        x += 36 + (CHAR + 0.9) * len(name)
    if mark:
        out += [line(x, y - 4, x + 18, y - 4, 'mark'), text(x + 24, y, mark)]
    return out


def page(title, series, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">'
            f'{style(series)}<rect class="paper" width="{WIDTH}" height="{height:.0f}"/>'
            + text(MARGIN, 26, title, 'title') + '\n' + '\n'.join(body) + '\n</svg>\n')


def notes(y, note):
    return [text(MARGIN, y + 15 * i, words, 'note')
            for i, words in enumerate(textwrap.wrap(note, NOTE_CHARS))]


def bars(title, unit, series, groups, note='', mark=''):
    """`groups`: [(label, [value or None for each of series], mark or None)]; `mark`: what those are.
    Returns the SVG text."""
    values = [v for _, of, m in groups for v in [*of, m] if v is not None]
    scale = ticks(max([*values, 0]) or 1)
    left = min(260, 24 + CHAR * max(len(label) for label, _, _ in groups))
    room = WIDTH - left - FIGURE - MARGIN

    def at(value):
        return left + room * max(0, value) / scale[-1]
    rows, y = [], TOP + 8.0
    for label, of, goal in groups:
        shown = [(i, v) for i, v in enumerate(of) if v is not None]
        height = max(1, len(shown)) * (BAR + GAP) - GAP
        rows.append(text(left - 8, y + height / 2 + 4.5, label, anchor='end'))
        words_of = []
        for k, (i, value) in enumerate(shown):
            top = y + k * (BAR + GAP)
            rows.append(f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(1.0, at(value) - left):.1f}" '
                        f'height="{BAR}" rx="2" class="s{i}"/>')
            x, words = at(value) + 6, figure(value)
            if goal is not None and x - 4 < at(goal) < x + CHAR * len(words):
                x = at(goal) + 6  # behind the mark, not across it
            words_of.append(text(x, top + BAR - 3, words, 'value'))
        if goal is not None:
            rows.append(line(at(goal), y - 3, at(goal), y + height + 3, 'mark'))
        rows += words_of
        if not shown:
            rows.append(text(left + 6, y + BAR - 3, 'not there', 'note'))
        y += height + GROUP_GAP
    grid = []
    for t in scale:
        grid.append(line(at(t), TOP, at(t), y, 'axis' if t == 0 else 'grid'))
        grid.append(text(at(t), y + 14, figure(t) if t else '0', 'tick', 'middle'))
    grid.append(text(left + room / 2, y + 32, unit, 'tick', 'middle'))
    under = notes(y + 54, note)
    has_mark = mark if any(m is not None for _, _, m in groups) else ''
    body = legend(series, has_mark, 50, None) + grid + rows + under
    return page(title, series, y + 48 + 15 * len(under), body)


def curves(title, x_unit, y_unit, series, points, note=''):
    """`points`: [[(x, y)] for each of series]. Returns the SVG text."""
    xs, ys = (ticks(max((p[k] for of in points for p in of), default=0) or 1) for k in (0, 1))
    left, bottom = 64, TOP + CURVES_HEIGHT
    room = WIDTH - left - 2 * MARGIN

    def at(p):
        return left + room * p[0] / xs[-1], bottom - (CURVES_HEIGHT - 8) * p[1] / ys[-1]
    body = legend(series, '', 50, lambda x, y, i: line(x, y, x + 14, y, f'l{i}" stroke-width="3'))
    for t in xs:
        x = at((t, 0))[0]
        body += [line(x, TOP, x, bottom, 'axis' if t == 0 else 'grid'),
                 text(x, bottom + 16, figure(t) if t else '0', 'tick', 'middle')]
    for t in ys:
        y = at((0, t))[1]
        body += [line(left, y, left + room, y, 'axis' if t == 0 else 'grid'),
                 text(left - 8, y + 4, figure(t) if t else '0', 'tick', 'end')]
    body += [text(left + room / 2, bottom + 34, x_unit, 'tick', 'middle'),
             f'<g transform="translate(18,{TOP + CURVES_HEIGHT / 2:.0f}) rotate(-90)">'
             + text(0, 0, y_unit, 'tick', 'middle') + '</g>']
    for i, of in enumerate(points):
        way = ' '.join(f'{x:.1f},{y:.1f}' for x, y in map(at, of))
        body.append(f'<polyline points="{way}" class="l{i}" stroke-width="2.5" fill="none"/>')
    under = notes(bottom + 56, note)
    return page(title, series, bottom + 50 + 15 * len(under), body + under)
