#!/usr/bin/env python3
"""Language models on a text that every Debian has, beside a trigram model with add-one smoothing.

The text is /usr/share/common-licenses, cut into words as `tern` cuts them (`--tokens word`). Every fifth
window of 32 tokens is held out, as `tern` does where there is no test set; the trigram model counts the
same training tokens and is measured on the same held-out ones, given the two tokens before each.

    Tests/language_models.py [--tern .build/release/tern] [--epochs 8] [MODEL ...]
"""

import argparse
import collections
import json
import math
import os
import re
import subprocess
import tempfile

WINDOW = 32
LIMIT = 10_000
TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*|\n|[^\w\s]")


def words(folder):
    """The tokens of a folder's files, by name; links to files beside are read once."""
    tokens = []
    names = sorted(n for n in os.listdir(folder) if not n.startswith("."))
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) and os.path.basename(os.readlink(path)) in names:
            continue
        with open(path, "rb") as file:
            tokens += TOKEN.findall(file.read().decode("utf-8", "replace").replace("\r\n", "\n"))
    return tokens


def trigram_perplexity(tokens):
    """e to the mean of -log p(w | u, v), p = (count(u, v, w) + 1) / (count(u, v) + V)."""
    counts = collections.Counter(tokens)
    kept = sorted(counts, key=lambda t: (-counts[t], t))[: LIMIT - 2]
    known = set(kept)
    ids = [t if t in known else "<unk>" for t in tokens]
    size = len(kept) + 2
    windows = (len(ids) - 1) // WINDOW
    trigrams, pairs = collections.Counter(), collections.Counter()
    held = []
    for k in range(windows):
        # Positions of the targets of a window: its tokens but the first, and the one behind.
        places = range(k * WINDOW + 1, (k + 1) * WINDOW + 1)
        if int((k + 1) * 0.2) > int(k * 0.2):
            held += places
            continue
        for p in places:
            if p >= 2:
                trigrams[tuple(ids[p - 2 : p + 1])] += 1
                pairs[tuple(ids[p - 2 : p])] += 1
    loss = 0.0
    for p in held:
        context = tuple(ids[max(p - 2, 0) : p])
        loss -= math.log((trigrams[context + (ids[p],)] + 1) / (pairs[context] + size))
    return math.exp(loss / len(held)), len(tokens), size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", default=["nnlm", "lstm-lm", "transformer-lm"])
    parser.add_argument("--tern", default=".build/release/tern")
    parser.add_argument("--text", default="/usr/share/common-licenses")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    trigram, count, size = trigram_perplexity(words(arguments.text))
    print(f"{count} tokens, {size} different; trigram with add-one smoothing: perplexity {trigram:.1f}")
    worse = []
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as folder:
            lines = subprocess.run(
                [arguments.tern, "train", model, "--data", f"text:{arguments.text}", "--epochs",
                 arguments.epochs, "--device", arguments.device, "--json", "--out", folder + "/run"],
                check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            epochs = [e for e in map(json.loads, lines) if e.get("event") == "epoch"]
            best = min(e["test_perplexity"] for e in epochs)
            seconds = sum(e["seconds"] for e in epochs)
            told = subprocess.run(
                [arguments.tern, "generate", folder + "/run", "--prompt", "You may", "--length", "24",
                 "--temperature", "0.7", "--device", arguments.device],
                check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"{model}: perplexity {best:.1f} (last epoch {epochs[-1]['test_perplexity']:.1f}), "
              f"{seconds:.0f} s\n  {told.strip()}")
        if best >= trigram:
            worse.append(model)
    assert not worse, f"not below the trigram model: {worse}"


if __name__ == "__main__":
    main()
