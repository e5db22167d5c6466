"""A curve with noise whose deviation depends on the place: sin(1.5 x) + (0.1 + 0.2 (1 + sin x)) · N(0, 1).

python3 curve.py > curve.csv; python3 curve.py RUN compares what a run predicts with what is true.
"""
import json
import math
import random
import subprocess
import sys


def deviation(x):
    return 0.1 + 0.2 * (1 + math.sin(x))


if len(sys.argv) == 1:
    draws = random.Random(1)
    print("x,y")
    for _ in range(8000):
        x = draws.uniform(-3, 3)
        print(f"{x:.5f},{math.sin(1.5 * x) + draws.gauss(0, deviation(x)):.5f}")
else:
    places = [-2.9 + 5.8 * i / 199 for i in range(200)]
    with open("places.csv", "w") as file:
        file.write("x,y\n" + "".join(f"{x:.5f},0\n" for x in places))
    command = ["tern", "predict", sys.argv[1], "--data", "csv:places.csv", "--json"]
    for index in range(len(places)):
        command += ["--index", str(index)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    told = [json.loads(line)["predictions"][0] for line in lines]
    means = [abs(t["value"] - math.sin(1.5 * x)) for t, x in zip(told, places)]
    ratios = [abs(t["deviation"] / deviation(x) - 1) for t, x in zip(told, places)]
    print(f"mean: off by {sum(means) / len(means):.3f} on average")
    print(f"deviation: off by {100 * sum(ratios) / len(ratios):.1f} % on average")
