#!/usr/bin/env python3
"""Writes a folder of JPEG pictures of 500×375 pixels, cut from scikit-learn's two photographs.

  python3 Benchmarks/make_photographs.py DIR [COUNT]

Two classes, COUNT pictures each (200), quality 90: what `tern data bench --data images:DIR` reads.
"""
import pathlib
import sys

import numpy
from PIL import Image
from sklearn.datasets import load_sample_images


def main():
    root = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    draws = numpy.random.default_rng(0)
    for name, photograph in zip(("china", "flower"), load_sample_images().images):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        height, width, _ = photograph.shape
        for index in range(count):
            y, x = draws.integers(0, height - 374), draws.integers(0, width - 499)
            part = photograph[y : y + 375, x : x + 500]
            if index % 2:
                part = part[:, ::-1]
            Image.fromarray(numpy.ascontiguousarray(part)).save(
                folder / f"{index:04}.jpg", quality=90
            )


if __name__ == "__main__":
    main()
