# SPDX-License-Identifier: BSD-3-Clause
"""Which flows are in hardware: the share of a capture's bytes that a NIC handles.

Runs tests/bench/bench_placement (SLUICE_BUILD): sluice's own reporting and placement on simulated
time, beside an endless table, a clairvoyant one, first come first served, and OVS's swap by packet
rate. The NIC takes 1 ms for an operation and 5,000 insertions a second, whoever asks.
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

SPEEDS = (1, 20)
ENTRIES = (64, 256, 1024)
FLOWS_LEAST = 500


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench placement', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--pcap', action='append', default=[], help='a capture (pcap or pcap.gz)')
    p.add_argument('--all', metavar='DIR', help='all captures of a directory that have more than '
                   '500 flows and real timing, at speeds 1 and 20 with 64, 256 and 1024 entries; '
                   'ends with the mean and the least of sluice against the smaller of endless and '
                   'clairvoyant')
    p.add_argument('--speed', type=float, nargs='+', help='times are divided by this (1)')
    p.add_argument('--entries', type=int, nargs='+', help='table entries of the NIC (1024)')
    p.add_argument('--queues', type=int, default=8, help='queues of each port of the NIC (8)')
    p.add_argument('--json', action='store_true', help='a JSON object for each combination')
    args = p.parse_args()
    if bool(args.pcap) == bool(args.all):
        p.error('either --pcap or --all')
    return args


def program():
    path = os.path.join(os.environ['SLUICE_BUILD'], 'tests', 'bench', 'bench_placement')
    if not os.access(path, os.X_OK):
        sys.exit(f'bench: {path} is not built')
    return path


def run(captures, speeds, entries, queues):
    prefix = f'sluice-bench-{os.getpid()}'
    command = [program(), '--lcores=0', '--no-pci', '--no-telemetry', '--log-level=lib.eal:error',
               '--no-huge', '--no-shconf', '-m', '512', f'--file-prefix={prefix}', '--',
               '--queues', str(queues), '--pcap', *captures,
               '--speed', *map(str, speeds), '--entries', *map(str, entries)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            if line.startswith('{'):
                yield json.loads(line)
    shutil.rmtree(f'/var/run/dpdk/{prefix}', ignore_errors=True)
    if p.returncode != 0:
        sys.exit(p.returncode)


def against(row):
    best = min(row['share']['endless'], row['share']['clairvoyant'])
    return row['share']['sluice'] / best if best > 0 else 1.0


def show(row):
    s = row['share']
    print(f"{row['pcap'][:28]:28} x{row['speed']:<4g}{row['entries']:6}  endless {s['endless']:.3f}"
          f"  clairvoyant {s['clairvoyant']:.3f}  first come {s['first_come']:.3f}"
          f"  pps swap {s['pps_swap']:.3f}  sluice {s['sluice']:.3f} ({against(row):.2f})"
          f"  {row['moves_per_s']:.0f} moves/s  p99 {row['decisions_us_p99']:.0f} us", flush=True)


def summary(rows):
    ratios = [against(r) for r in rows]
    behind = [r['share']['first_come'] - r['share']['sluice'] for r in rows]
    return {'bench': 'placement', 'combinations': len(rows),
            'mean': round(sum(ratios) / len(ratios), 4), 'least': round(min(ratios), 4),
            'most_behind_first_come': round(max(behind), 4)}


def main():
    args = arguments()
    captures = args.pcap
    if args.all:
        captures = sorted(glob.glob(os.path.join(args.all, '*.pcap')) +
                          glob.glob(os.path.join(args.all, '*.pcap.gz')))
        if not captures:
            sys.exit(f'bench: there is no capture in {args.all}')
    speeds = args.speed or (SPEEDS if args.all else (1,))
    entries = args.entries or (ENTRIES if args.all else (1024,))
    rows = []
    for row in run(captures, speeds, entries, args.queues):
        if args.all and (row['flows'] <= FLOWS_LEAST or not row['real_timing']):
            continue
        rows.append(row)
        if args.json:
            print(json.dumps(row), flush=True)
        else:
            show(row)
    if args.all and rows:
        total = summary(rows)
        print(json.dumps(total) if args.json else
              f"{total['combinations']} combinations: mean {total['mean']:.3f}, least "
              f"{total['least']:.3f} of the smaller of endless and clairvoyant; at most "
              f"{total['most_behind_first_come']:.3f} behind first come")


main()
