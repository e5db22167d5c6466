#!/usr/bin/env python3
"""Draws how many patterns a Hopfield network holds: what `tern` recalls, by patterns per unit.

    Tests/hopfield_capacity.py --out Benchmarks/results/hopfield-capacity.svg

Random patterns of 200 units are stored by `tern train hopfield`, and asked for with 15 % of their units turned
round; recalled is an overlap of 0.95 or more. By Hebb's rule single units stay wrong where there are many patterns;
Storkey's rule (`hopfield-storkey`) gives whole patterns back. Fails unless 95 % are recalled by Hebb's rule at 0.10
patterns per unit, and fewer beyond 0.138 (Amit, Gutfreund, Sompolinsky, 1985), and 95 % are whole by Storkey's.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNITS = 200
LOADS = [0.02, 0.05, 0.08, 0.10, 0.12, 0.138, 0.15, 0.17, 0.20, 0.25, 0.30]
LIMIT = 0.138


def measure(tern, device, model, load, seed, folder):
    generator = random.Random(1000 * seed + round(1000 * load))
    count = round(load * UNITS)
    table = os.path.join(folder, "patterns.csv")
    with open(table, "w") as file:
        file.write(",".join(f"u{i}" for i in range(UNITS)) + ",label\n")
        for number in range(count):
            units = ",".join(str(generator.choice([-1, 1])) for _ in range(UNITS))
            file.write(f"{units},p{number}\n")
    run = os.path.join(folder, f"{model}-{load}-{seed}")
    subprocess.run([tern, "train", model, "--data", f"csv:{table}", "--seed", str(seed), "--device", device,
                    "--out", run, "-q"], check=True, stdout=subprocess.DEVNULL)
    found = subprocess.run([tern, "test", run, "--json", "--device", device], check=True, stdout=subprocess.PIPE)
    return json.loads(found.stdout)


def picture(rows):
    left, top, width, height = 60, 40, 460, 260

    def x(load):
        return left + width * load / 0.3

    def y(share):
        return top + height * (1 - share)

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="600" height="370" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{left}" y="20" font-weight="bold">recalled by a Hopfield network of {UNITS} units, 15 % '
             'turned round</text>']
    for tick in [0, 0.25, 0.5, 0.75, 1]:
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(tick)}" y2="{y(tick)}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y(tick) + 4}" text-anchor="end" fill="#555">{tick}</text>')
    for tick in [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]:
        parts.append(f'<text x="{x(tick)}" y="{top + height + 18}" text-anchor="middle" fill="#555">{tick}</text>')
    parts.append(f'<line x1="{x(LIMIT)}" x2="{x(LIMIT)}" y1="{top}" y2="{top + height}" stroke="#d55e00" '
                 f'stroke-dasharray="2 3"/><text x="{x(LIMIT) + 5}" y="{top + 14}" fill="#d55e00">{LIMIT}</text>')
    curves = [("recalled", "#0072b2", "overlap of 0.95 or more, by Hebb's rule"),
              ("exact", "#009e73", "whole, by Hebb's rule"), ("storkey", "#cc79a7", "whole, by Storkey's rule")]
    for number, (key, color, label) in enumerate(curves):
        points = " ".join(f"{x(row['load']):.1f},{y(row[key]):.1f}" for row in rows)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{left + width - 4}" y="{top + 70 + 20 * number}" text-anchor="end" '
                     f'fill="{color}">{label}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle" fill="#555">patterns per '
                 'unit</text></svg>\n')
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", help="the picture to write")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for load in LOADS:
            def means(model, keys):
                found = [measure(options.tern, options.device, model, load, seed, folder)
                         for seed in range(options.seeds)]
                return {key: sum(each[key] for each in found) / len(found) for key in keys}
            row = means("hopfield", ("recalled", "exact", "overlap"))
            row["storkey"] = means("hopfield-storkey", ("exact",))["exact"]
            rows.append({"load": load, **row})
            print(f"{load:.3f} patterns per unit: recalled {row['recalled']:.3f}, whole {row['exact']:.3f}, mean "
                  f"overlap {row['overlap']:.3f}; by Storkey's rule whole {row['storkey']:.3f}", flush=True)
    if options.out:
        with open(options.out, "w") as file:
            file.write(picture(rows))
    share = {row["load"]: row["recalled"] for row in rows}
    whole = {row["load"]: row["storkey"] for row in rows}
    sys.exit(not (share[0.10] >= 0.95 and share[0.15] < share[0.10] and share[0.20] < 0.5 and whole[0.10] >= 0.95))


if __name__ == "__main__":
    main()
