# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark's JSON, from standard input, as people read it: a line for each row; what is one row
and has parts of its own becomes a line for each name, with tables below."""
import json
import sys


def cell(value):
    if value is None:
        return '-'
    if isinstance(value, dict):
        return ', '.join(f'{k} {cell(v)}' for k, v in value.items()) or 'none'
    return str(value)


def is_table(value):
    return isinstance(value, list) and value and all(isinstance(v, dict) for v in value)


def print_rows(rows, indent=''):
    names = [n for n in rows[0] if n != 'bench']
    lines = [names] + [[cell(r.get(n)) for n in names] for r in rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(names))]
    for line in lines:
        print(indent + '  '.join(f'{c:>{w}}' for c, w in zip(line, width)))


def print_parts(row, indent=''):
    row = {n: v for n, v in row.items() if n != 'bench'}
    plain = {n: v for n, v in row.items()
             if not is_table(v) and not (isinstance(v, dict) and any(map(is_table, v.values())))}
    width = max(map(len, plain), default=0)
    for name, value in plain.items():
        print(f'{indent}{name:{width}}  {cell(value)}')
    for name, value in row.items():
        if name in plain:
            continue
        print(f'\n{indent}{name}')
        if is_table(value):
            print_rows(value, indent + '  ')
        else:
            print_parts(value, indent + '  ')


def main():
    data = json.load(sys.stdin)
    rows = data.get('rows', [data])
    if len(rows) == 1 and any(isinstance(v, (dict, list)) for v in rows[0].values()):
        print_parts(rows[0])
    else:
        print_rows(rows)


if __name__ == '__main__':
    main()
