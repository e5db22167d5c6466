"""Damage to files. Every function takes a `random.Random` and bytes, and returns bytes."""

import gzip
import io
import json
import re
import struct
import zipfile
import zlib

NUMBERS = [0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
           2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = ["0", "-1", "1e19", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "4294967296",
         "2147483648", "65536", "0.5", "-0.0", "1e400", "1e-400", "3e38", ".inf", "-.inf", ".nan", "NaN", "Infinity",
         "true", "null", "~", "''", "\"\"", "[]", "{}", "[[]]", "[1, 2]", "{a: 1}", "!!binary x", "&a [*a]", "*b",
         "0x7f", "0o17", "1_000", "٣", "é", "e\u0301", "\u0600<b>", "\u202e", "a" * 3000, "../../x", "/dev/null",
         "%s%n", "$(x)", "a\\new", "\t", "#", ":", "- ", "|", ">"]
BYTES = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\0", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\x1b[2J",
         "\u2028".encode(), "\u0600".encode(), "\u0301".encode(), b"\"", b"'", b",", b"\\", b"\n\n", b"\x7f", b"\xfe\xff"]


def damage(r, data):
    """Flips, overwrites, cuts, repeats and inserts bytes."""
    data = bytearray(data)
    for _ in range(r.choice([1, 1, 1, 2, 4])):
        if not data:
            return bytes(r.randbytes(r.randrange(40)))
        # Headers are at the start: half of the damage is done there.
        place = r.randrange(len(data)) if r.random() < 0.5 else r.randrange(min(len(data), 64))
        kind = r.randrange(11)
        if kind <= 1:
            data[place] ^= 1 << r.randrange(8)
        elif kind == 2:
            data[place] = r.choice([0, 1, 127, 128, 254, 255, r.randrange(256)])
        elif kind <= 4:
            width = r.choice([2, 4, 8])
            number = r.choice(NUMBERS) % 256**width
            data[place:place + width] = number.to_bytes(width, r.choice(["little", "big"]))
        elif kind == 5:
            del data[place:]
        elif kind == 6:
            del data[place:place + r.randrange(1, 40)]
        elif kind == 7:
            end = place + r.randrange(1, 64)
            data[place:place] = data[place:end] * r.choice([1, 2, 30])
        elif kind == 8:
            data[place:place] = r.choice([r.randbytes(r.randrange(1, 40)), *BYTES])
        elif kind == 9:
            other = r.randrange(len(data))
            length = r.randrange(1, 64)
            data[place:place + length] = data[other:other + length]
        else:
            length = r.randrange(1, 200)
            data[place:place + length] = bytes([r.choice([0, 255])]) * length
    return bytes(data)


def text(r, data):
    """Replaces numbers and words, repeats lines and keys, nests deeply, damages UTF-8."""
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.randrange(12)
        numbers = list(re.finditer(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", data))
        words = list(re.finditer(rb"[\w./:-]+", data))
        lines = data.split(b"\n")
        line = r.randrange(len(lines))
        if kind <= 4 and numbers:
            match = r.choice(numbers)
            data = data[:match.start()] + r.choice(WORDS).encode() + data[match.end():]
        elif kind == 5 and words:
            match = r.choice(words)
            data = data[:match.start()] + r.choice(WORDS).encode() + data[match.end():]
        elif kind == 6 and words:
            match, other = r.choice(words), r.choice(words)
            data = data[:match.start()] + other.group() + data[match.end():]
        elif kind == 7:
            lines.insert(r.randrange(len(lines) + 1), lines[line])
            data = b"\n".join(lines)
        elif kind == 8:
            lines[line] = r.choice([b"", b"  " + lines[line], lines[line].lstrip(), lines[line] * 50])
            data = b"\n".join(lines)
        elif kind == 9:
            place = r.randrange(len(data) + 1)
            data = data[:place] + r.choice(BYTES) + data[place:]
        elif kind == 10:
            opening = r.choice([b"[", b"{a: ", b"{\"a\":", b"- ", b"(", b"? "])
            place = r.randrange(len(data) + 1)
            data = data[:place] + opening * r.choice([20, 500, 100_000]) + data[place:]
        else:
            data = damage(r, data)
    return data


def json_tree(r, data):
    """Changes one place of a JSON value; the text stays JSON."""
    try:
        tree = json.loads(data)
    except ValueError:
        return text(r, data)
    places = []

    def walk(node):
        for key in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []):
            places.append((node, key))
            walk(node[key])

    walk(tree)
    if not places or r.random() < 0.2:
        return text(r, data)
    for _ in range(r.choice([1, 1, 2])):
        node, key = r.choice(places)
        if key not in node if isinstance(node, dict) else key >= len(node):
            continue
        action = r.randrange(8)
        if action <= 3:
            node[key] = r.choice([*NUMBERS, -1, -2**63, 0.5, 1e300, float("nan"), float("inf"), True, None, "", "x",
                                  "\u0600<img>", "\ud800", [], {}, [0], [-1, 2**40], [[1]], {"a": 1}, list(range(50))])
        elif action == 4:
            other, name = r.choice(places)
            if name in other if isinstance(other, dict) else name < len(other):
                node[key] = json.loads(json.dumps(other[name]))
        elif action == 5:
            del node[key]
        elif action == 6 and isinstance(node, dict):
            node[r.choice(WORDS)] = node[key]
        elif isinstance(node[key], list):
            node[key] = node[key] * r.choice([0, 2, 40])
        else:
            node[key] = [node[key]]
    return json.dumps(tree).encode()


def floats(r, data):
    """Puts numbers among float32 values that arithmetic does not expect."""
    values = [0x7FC00000, 0xFFC00001, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFF7FFFFF, 1, 0x80000000, 0x00800000]
    data = bytearray(data)
    for _ in range(r.choice([1, 3, 1000])):
        if len(data) >= 4:
            place = 4 * r.randrange(len(data) // 4)
            data[place:place + 4] = struct.pack("<I", r.choice(values))
    return bytes(data)


def safetensors(r, data):
    """Damages the header, its length, or the numbers."""
    if len(data) < 8 or r.random() < 0.2:
        return damage(r, data)
    length = struct.unpack("<Q", data[:8])[0]
    header, body = data[8:8 + length], data[8 + length:]
    kind = r.randrange(6)
    if kind <= 2:
        header = json_tree(r, header)
    elif kind == 3:
        body = floats(r, body)
    elif kind == 4:
        body = r.choice([b"", body[:r.randrange(len(body) + 1)], body + b"\0" * r.randrange(1, 99)])
    else:
        return struct.pack("<Q", r.choice(NUMBERS) % 2**64) + header + body
    return struct.pack("<Q", len(header)) + header + body


def png(r, data):
    """Damages chunks, and gives them the check sums that fit."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place:place + 4])[0]
        chunks.append((data[place + 4:place + 8], data[place + 8:place + 8 + length]))
        place += 12 + length
    if not chunks or r.random() < 0.3:
        return damage(r, data)
    number = r.randrange(len(chunks))
    kind, content = chunks[number]
    action = r.randrange(8)
    if action <= 2 and kind == b"IHDR":
        extents = [struct.unpack(">I", content[i:i + 4])[0] for i in (0, 4)]
        extents[r.randrange(2)] = r.choice(NUMBERS) % 2**32
        content = struct.pack(">II", *extents) + content[8:]
    elif action <= 3 and kind == b"IDAT":
        try:
            content = zlib.compress(damage(r, zlib.decompress(content)))
        except zlib.error:
            content = damage(r, content)
    elif action <= 5:
        content = damage(r, content)
    elif action == 6:
        chunks.insert(r.randrange(len(chunks) + 1), chunks[number])
    else:
        kind = r.choice([b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"tEXt", b"zTXt", b"iCCP", b"gAMA"])
    chunks[number] = (kind, content)
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks)


def compressed(r, data):
    """Damages what is inside of a gzip file, or the file."""
    if r.random() < 0.4:
        return damage(r, data)
    try:
        return gzip.compress(damage(r, gzip.decompress(data)), mtime=0)
    except (OSError, EOFError, zlib.error):
        return damage(r, data)


def npy(r, data):
    """Damages an array's header, whose length stays right, or the file."""
    if len(data) < 12 or r.random() < 0.3:
        return damage(r, data)
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + length]
    choice = r.randrange(5)
    if choice == 0:
        header = re.sub(rb"'[<|][a-z]\d'", r.choice([
            b"'>f4'", b"'<f2'", b"'|b1'", b"'|S3'", b"'<U4'", b"'|O'", b"[('a', '<f4')]", b"'<f99999999999'", b"'<u8'",
            b"'=i4'", b"'V8'", b"'<c8'", b"''", b"5", b"'<i1'"]), header)
    elif choice == 1:
        header = re.sub(rb"\([^)]*\)", r.choice([
            b"(18446744073709551616, 3)", b"(4294967296, 4294967296)", b"(9223372036854775807, 2)", b"(-8, 3)", b"(8L, 3L)",
            b"()", b"(0, 3)", b"(8, 3" + b", 1" * 90 + b")", b"(" * 5000, b"8", b"(8.0, 3)", b"(True, 3)", b"(1e3,)"]), header)
    else:
        header = text(r, header)
    return data[:8] + struct.pack("<H", len(header) % 65536) + header + data[10 + length:]


def archive(r, data, change=npy):
    """Damages one member of an .npz file, or the file."""
    if r.random() < 0.3:
        return damage(r, data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            members = [(info.filename, source.read(info)) for info in source.infolist()]
            compression = source.infolist()[0].compress_type
    except (zipfile.BadZipFile, IndexError, NotImplementedError, zlib.error):
        return damage(r, data)
    number = r.randrange(len(members))
    name, content = members[number]
    action = r.randrange(8)
    if action <= 5:
        content = change(r, content)
    elif action == 6:
        name = r.choice(["../x.npy", "/x.npy", "x_train.npy", "y_test", "x_val.npy", "é.npy", "", "a" * 60000 + ".npy"])
    else:
        members.append(members[r.randrange(len(members))])
    members[number] = (name, content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name, content in members:
            target.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def torch(r, data):
    """Damages one member of a file of PyTorch's, or the file."""
    return archive(r, data, damage)


BY_NAME = {"damage": damage, "text": text, "json": json_tree, "safetensors": safetensors, "png": png,
           "gzip": compressed, "archive": archive, "torch": torch, "floats": floats}
