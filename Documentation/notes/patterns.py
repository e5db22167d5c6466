"""Random patterns of 1 and -1: python3 patterns.py COUNT UNITS SEED [LAST,COLUMNS] > table.csv

The last column is a label of its own for each pattern, or there are target columns of 1 and -1.
"""
import random
import sys

count, units, seed = map(int, sys.argv[1:4])
targets = sys.argv[4].split(",") if len(sys.argv) > 4 else ["label"]
draws = random.Random(seed)
print(",".join([f"u{i}" for i in range(units)] + targets))
for row in range(count):
    last = [f"p{row}"] if targets == ["label"] else [str(1 - 2 * (row >> bit & 1)) for bit in range(len(targets))]
    print(",".join([draws.choice(["-1", "1"]) for _ in range(units)] + last))
