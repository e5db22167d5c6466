#!/usr/bin/env python3
"""Keeps Documentation/notes.md true: runs its commands and looks for its tests.

A row of a table says what the notes describe, how it is seen, and what comes out. How: one command or
several (`tern …`, `python …`, one behind the other, in code spans), or the tests that hold it
(`SuiteTests.name`). What comes out: code spans that the commands print, `…` for anything; a number followed by
`±d` may differ by d. Rows whose result begins with a clock (⏱) take longer than a few seconds.

    Tests/notes.py [--tern .build/release/tern] [--all] [--only TEXT] [--log FILE]

Without --all, rows with a clock are left out. Prints a line for each row; exits with 1 where one is not true.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "Documentation", "notes.md")
DATA = os.path.join(ROOT, "Documentation", "notes")
SPAN = re.compile(r"`([^`]+)`")
NUMBER = r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"


def rows():
    """(section, what, how, result) of every row with three cells."""
    section = ""
    with open(PAGE, encoding="utf-8") as page:
        for line in page:
            if line.startswith("#"):
                section = line.lstrip("# ").strip()
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if line.startswith("|") and len(cells) == 3 and not set(cells[0]) <= set("-: "):
                if cells[1] != "seen by":
                    yield section, *(c.replace("\\|", "|") for c in cells)


def tests():
    """`SuiteTests.name` of every test there is."""
    found = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "Tests")):
        for name in files:
            if name.endswith(".swift"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                for suite in re.findall(r"struct (\w+Tests)\b", text):
                    found |= {f"{suite}.{t}" for t in re.findall(r"func (\w+)\(", text)}
    return found


def holds(expected, output):
    """Whether an output has a text in it, in which … stands for anything and 1.5±0.1 for numbers near 1.5."""
    pattern, wanted = "", []
    for part in re.split(rf"({NUMBER}±[\d.e-]+|…|\s+)", expected):
        if "±" in part:
            value, distance = part.split("±")
            wanted.append((float(value.replace(",", "")), float(distance)))
            pattern += f"({NUMBER})"
        elif part == "…":
            pattern += ".*?"
        elif part.isspace():
            pattern += r"\s+"
        else:
            pattern += re.escape(part)
    for match in re.finditer(pattern, output):
        numbers = [float(g.replace(",", "")) for g in match.groups()]
        if all(abs(n - v) <= d for n, (v, d) in zip(numbers, wanted)):
            return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tern", default=os.path.join(ROOT, ".build/release/tern"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--log")
    arguments = parser.parse_args()
    known = tests()
    log = open(arguments.log, "w", encoding="utf-8") if arguments.log else None
    counts = {"ok": 0, "left out": 0, "FAILED": 0}

    def say(text):
        print(text, flush=True)
        if log:
            log.write(text + "\n")
            log.flush()

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(DATA, folder, dirs_exist_ok=True)
        shutil.copytree(os.path.join(ROOT, "Benchmarks/models"), folder + "/models")
        os.symlink(os.path.abspath(arguments.tern), folder + "/tern")
        path = f"{folder}:{os.environ['PATH']}"
        for section, what, how, result in rows():
            if arguments.only not in section + what + how:
                continue
            spans = SPAN.findall(how)
            commands = [s for s in spans if re.match(r"(tern|python3?|Tests/\S+) ", s)]
            references = [s for s in spans if re.fullmatch(r"\w+Tests\.\w+", s)]
            faults = [f"no test {r}" for r in references if r not in known]
            if not commands and not references:
                faults.append("neither a command nor a test")
            is_long = result.startswith("⏱")
            start, state = time.time(), "ok"
            output = ""
            if is_long and commands and not arguments.all:
                state = "left out"
            else:
                for command in commands:
                    if command.startswith("Tests/"):
                        command = f"{ROOT}/{command}"
                    done = subprocess.run(
                        command, shell=True, cwd=folder, env={**os.environ, "PATH": path},
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    output += done.stdout
                    if done.returncode:
                        faults.append(f"{command}: exit {done.returncode}")
                if commands:
                    faults += [f"not printed: {e}" for e in SPAN.findall(result) if not holds(e, output)]
            if faults:
                state = "FAILED"
            counts[state] += 1
            took = f"  {time.time() - start:.1f} s" if commands and state != "left out" else ""
            say(f"{state:8}  {section}: {what[:70]}{took}")
            for fault in faults:
                say(f"          {fault}")
            if faults and output:
                say("          " + "\n          ".join(output.strip().splitlines()[-12:]))
    say(", ".join(f"{count} {name}" for name, count in counts.items()))
    sys.exit(counts["FAILED"] > 0)


if __name__ == "__main__":
    main()
