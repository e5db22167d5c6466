#!/usr/bin/env python3
"""Writes pictures of shapes with masks, 64×64 pixels: a segmentation set small enough to overfit.

  python3 Benchmarks/make_shapes.py DIR [COUNT]

DIR/train and DIR/test hold the same COUNT pictures (8): noisy ground (class 0), rectangles (1) and
discs (2); masks are PNG files with a palette.
"""
import pathlib
import sys

import numpy
from PIL import Image

SIDE = 64


def main():
    root = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    draws = numpy.random.default_rng(0)
    y, x = numpy.mgrid[:SIDE, :SIDE]
    for index in range(count):
        mask = numpy.zeros((SIDE, SIDE), numpy.uint8)
        top, left = draws.integers(2, 30, 2)
        height, width = draws.integers(12, 28, 2)
        mask[top : top + height, left : left + width] = 1
        center_y, center_x = draws.integers(14, 50, 2)
        radius = draws.integers(6, 13)
        mask[(y - center_y) ** 2 + (x - center_x) ** 2 <= radius**2] = 2
        colors = draws.integers(40, 216, (3, 3))
        picture = colors[mask] + draws.normal(0, 12, (SIDE, SIDE, 3))
        for part in "train", "test":
            for kind in "images", "masks":
                (root / part / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.clip(0, 255).astype(numpy.uint8)).save(
                root / part / "images" / f"{index:02}.png"
            )
            indexed = Image.fromarray(mask).convert("P")
            indexed.putpalette([0, 0, 0, 230, 120, 40, 60, 140, 230])
            indexed.save(root / part / "masks" / f"{index:02}.png")
    (root / "classes.txt").write_text("ground\nrectangle\ndisc\n")


if __name__ == "__main__":
    main()
