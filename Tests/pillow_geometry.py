"""Writes Tests/TernDataTests/GeometryTable.swift: what Pillow makes of small pictures.

    python3 -m venv venv && venv/bin/pip install pillow && venv/bin/python Tests/pillow_geometry.py

A sample is the largest centred rectangle of its aspect, 7/8 of it on each side (or all of the
picture), resized by BILINEAR with box=; a camera's orientation is applied first.
"""

import base64
import io
import os
import textwrap

from PIL import Image, ImageOps

SIDE = 8


def pixel(x, y):
    return abs((3 * x + y) % 510 - 255)


def picture(width, height):
    image = Image.new("L", (width, height))
    image.putdata([pixel(x, y) for y in range(height) for x in range(width)])
    return image


def sample(image, part):
    image = ImageOps.exif_transpose(image).convert("L")
    width, height = image.size
    if part == 0:
        box = (0, 0, width, height)
    else:
        side = min(width, height) * part
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    return bytes(image.resize((SIDE, SIDE), Image.BILINEAR, box=box).tobytes()).hex()


SIZES = [(1, 1), (1, 53), (53, 1), (2, 3), (7, 5), (8, 8), (16, 16), (23, 4000), (4000, 23),
         (300, 200), (511, 64), (9, 640), (640, 9), (1000, 1000)]
JPEGS = [(1, 53), (23, 1000), (1000, 23), (37, 211), (45, 300), (130, 90)]


def jpeg(width, height, orientation=1):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(width, height).save(file, "JPEG", quality=60, exif=exif, optimize=True)
    return file.getvalue()


def main():
    lines = ["// Written by Tests/pillow_geometry.py, from Pillow.", "",
             "/// Pictures whose pixels are |(3x + y) mod 510 - 255|, and their samples of 8×8 pixels, in",
             "/// hexadecimal digits.", "enum GeometryTable {",
             "  /// Width, height, the part seen (0: all), the sample.",
             "  static let pictures: [(width: Int, height: Int, part: Double, sample: String)] = ["]
    for width, height in SIZES:
        for part in (0.875, 1, 0):
            text = sample(picture(width, height), part)
            lines.append(f"    ({width}, {height}, {part},")
            lines.append(f'      "{text}"),')
    lines += ["  ]", "", "  /// Of JPEG files with a place for the orientation: the file, and the samples of its",
              "  /// centre (7/8) by orientation, from 1.",
              "  static let jpegs: [(name: String, file: String, samples: [String])] = ["]
    for width, height in JPEGS:
        text = base64.b64encode(jpeg(width, height)).decode()
        lines.append(f'    ("{width}×{height}",')
        lines.append('      """')
        lines += ["      " + part + "\\" for part in textwrap.wrap(text, 88)]
        lines[-1] = lines[-1][:-1]
        lines.append('      """,')
        lines.append("      [")
        for orientation in range(1, 9):
            image = Image.open(io.BytesIO(jpeg(width, height, orientation)))
            lines.append(f'        "{sample(image, 0.875)}",')
        lines.append("      ]),")
    lines += ["  ]", "}", ""]
    path = os.path.join(os.path.dirname(__file__), "TernDataTests", "GeometryTable.swift")
    with open(path, "w") as file:
        file.write("\n".join(lines))


main()
