"""States of four units, neighbours of which like to be equal: python3 states.py > states.csv"""
import itertools
import math
import random

STATES = list(itertools.product([0, 1], repeat=4))
weights = [math.exp(sum(1.2 * (s[i] == s[i + 1]) for i in range(3)) + 0.4 * s[0]) for s in STATES]
WANTED = [w / sum(weights) for w in weights]

draws = random.Random(1)
rows = [s for s, p in zip(STATES, WANTED) for _ in range(round(4000 * p))]
draws.shuffle(rows)
print("a,b,c,d,label")
for index, state in enumerate(rows):
    print(*state, "xy"[index % 2], sep=",")
