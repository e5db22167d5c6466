#!/usr/bin/env python3
"""What GPUs' compilers make of Tern's OpenCL kernels, on a machine without a GPU: bounds, no measurements.

Each kernel is compiled to NVIDIA's machine code (clang-16, then ptxas and nvdisasm) or to AMD's (clang-16),
with the maker's own library of functions: an exponential, a root, a hyperbolic tangent is what the maker's
OpenCL compiler puts in, too. Printed are registers, spills, stack or scratch memory, local memory, how many work-groups fit
on a multiprocessor, and for kernels that multiply how much of a tile's instructions are multiply-adds, loading
included. NVIDIA: of the issue slots, 1 is the FP32 peak. AMD: a dual or packed multiply-add counts as two,
so that 2 is the peak of gfx11 and gfx90a, 1 of gfx1030. Latency, bank conflicts and caches are not seen.
NVIDIA's own front end may do otherwise than clang.

    tern verify --device opencl/many-threads --kernels builds.json
    Benchmarks/gpu/static.py --builds builds.json                       # all, as a Markdown table
    Benchmarks/gpu/static.py --builds builds.json --brief --gate        # what CI asks for
    Benchmarks/gpu/static.py --kernel matmul/tile_gemm:gemm_tile -D BIAS=1 --target sm_90

Needs clang-16; for AMD rocm-device-libs; for NVIDIA libclc-15 and the PyPI packages nvidia-cuda-nvcc and
nvidia-cuda-nvdisasm, in the environment whose python runs this. Targets whose tools are missing are left
out, and said.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import glob
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KERNELS = ROOT / "Kernels"
# What NVIDIA's front end has for itself and its library does not: places in the grid, vectors in memory.
CLC = pathlib.Path("/usr/lib/clc/nvptx64--nvidiacl.bc")
# AMD's libraries, and of their switches those that its compiler sets for OpenCL by default.
ROCM = pathlib.Path("/usr/lib/x86_64-linux-gnu/amdgcn/bitcode")
ROCM_PARTS = [
    "opencl", "ocml", "ockl", "oclc_abi_version_400", "oclc_correctly_rounded_sqrt_off", "oclc_daz_opt_off",
    "oclc_finite_only_off", "oclc_unsafe_math_off",
]
# The functions of NVIDIA's library that kernels may call: their names in OpenCL C, and how many arguments
# they have. Roots and divisions are instructions.
LIBDEVICE = {
    "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "tanh": 1, "erf": 1, "erfc": 1, "pow": 2, "cospi": 1, "sinpi": 1,
}


@dataclasses.dataclass(frozen=True)
class Target:
    """A GPU's multiprocessor (NVIDIA) or compute unit (AMD): what bounds the groups that it holds."""

    name: str
    card: str
    # Work-items that run in step, and how many such the unit holds.
    warp: int
    warps: int
    # Per work-item and all together, 32 bits each; registers are given out by so many per warp.
    registers: int
    granularity: int
    local_bytes: int
    # The share at which the card reaches its FP32 peak.
    peak_share: float
    # 10¹² instructions of work-items that the card issues in a second, and 10⁹ bytes that its memory moves.
    issue: float
    bandwidth: float

    @property
    def is_amd(self):
        return self.name.startswith("gfx")

    def groups(self, size, registers, local_bytes):
        """How many work-groups of `size` fit."""
        warps = math.ceil(size / self.warp)
        given = math.ceil(max(registers, 1) * self.warp / self.granularity) * self.granularity
        fits = [self.warps // warps, self.registers // (given * warps)]
        if local_bytes:
            fits.append(self.local_bytes // local_bytes)
        return max(0, min(fits))


TARGETS = {
    target.name: target
    for target in [
        Target("sm_75", "RTX 2080", 32, 32, 65536, 256, 64 << 10, 1, 10.1, 448),
        Target("sm_86", "RTX 3060", 32, 48, 65536, 256, 100 << 10, 1, 6.4, 360),
        Target("sm_90", "H200", 32, 64, 65536, 256, 227 << 10, 1, 33.5, 4800),
        # A compute unit of four SIMDs; of RDNA, half of a work-group processor: two SIMDs.
        Target("gfx90a", "MI210", 64, 32, 4 * 512 * 64, 8 * 64, 64 << 10, 2, 11.3, 1638),
        Target("gfx1030", "RX 6900 XT", 32, 32, 2 * 1024 * 32, 8 * 32, 64 << 10, 1, 11.5, 512),
        Target("gfx1100", "RX 7900 XTX", 32, 32, 2 * 1536 * 32, 24 * 32, 64 << 10, 2, 15.4, 960),
    ]
}

# What Tern tells compilers of one maker only: how far the inner loop of a tile is unrolled, and whether
# what a convolution's tile throws away is loaded. See TernOpenCL's ProductTile and TileGather.
def specialised(defines, is_amd):
    """The defines of a build for a maker's devices."""
    values = dict(defines)
    if "UNROLL_D" in values:
        if is_amd:
            unrolled = 4 if values["TILE_ROWS"] == "32" else 8
        else:
            unrolled = {256: 2, 128: 8, 64: 4}[group_of_tile(values)]
        values["UNROLL_D"] = str(unrolled)
    if "SPECULATES" in values:
        values["SPECULATES"] = "1" if is_amd else "0"
    return values


def group_of_tile(defines):
    """The work-items of a tile: each has 8 × 8 sums."""
    return int(defines["TILE_ROWS"]) * int(defines["TILE_COLUMNS"]) // 64


def most_registers(defines):
    """What NVIDIA's compiler is told that a tile may take, so that as many work-items run at once as
    hide each other's waiting: two groups of 256, or with small tiles, whose work-items load more for
    themselves, three of 128 or six of 64."""
    return 128 if group_of_tile(defines) == 256 else 168


# The least part of a tile's instructions that are multiply-adds, of convolutions and of products whose
# operands are read by fours.
LEAST_SHARE = {
    "sm_75": (0.80, 0.84), "sm_86": (0.80, 0.84), "sm_90": (0.80, 0.84), "gfx90a": (1.1, 1.1),
    "gfx1030": (0.74, 0.74), "gfx1100": (0.95, 0.95),
}
# The most instructions for an element, where a kernel neither divides nor takes roots or exponentials,
# and the most loads from local memory for a multiply-add of attention.
MOST_INSTRUCTIONS = 20
MOST_LOCAL_LOADS = 0.3
SIMPLE = {"relu", "affine", "add", "sub", "mul"}

# Kernels whose work-items take V elements, VECTORS times, and the numbers that they read and write for each.
ELEMENTWISE = {
    "unary": 2, "unary_backward": 3, "binary_same": 3, "batch_norm_apply": 2, "batch_norm_backward_apply": 3,
    "update": 3, "blend": 3,
}


# Of those, kernels that go round a loop for the elements of a work-item: the tensors that all launches of the
# node read and write, and those that the kernel reads for an element.
LOOPING = {"batch_norm_apply": (3, 1), "batch_norm_backward_apply": (5, 2)}


class Failure(Exception):
    pass


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode:
        raise Failure(f"{command[0]}: {(result.stderr or result.stdout).strip()[-800:]}")
    return result.stdout + result.stderr


def of_toolkit(pattern):
    """A file of NVIDIA's packages; None where it is missing."""
    for base in {sys.prefix, os.path.dirname(os.path.dirname(sys.executable))}:
        found = glob.glob(f"{base}/lib/python*/site-packages/nvidia/**/{pattern}", recursive=True)
        if found:
            return found[0]
    return None


@functools.cache
def tool(name):
    """A program of NVIDIA's toolkit; None where it is missing."""
    return of_toolkit(f"bin/{name}") or shutil.which(name)


@functools.cache
def libdevice():
    """NVIDIA's library of functions; None where it is missing."""
    return of_toolkit("libdevice.10.bc")


def rocm_libraries(target):
    """AMD's libraries for a target. The newest targets may be newer than the package: it has for each
    generation a few constants, and the same functions."""
    generation = ROCM / f"oclc_isa_version_{target.name[3:]}.bc"
    if not generation.exists():
        generation = ROCM / "oclc_isa_version_1036.bc"
    wave = "on" if target.warp == 64 else "off"
    return [ROCM / f"{part}.bc" for part in [*ROCM_PARTS, f"oclc_wavefrontsize64_{wave}"]] + [generation]


def missing(target):
    """What it takes to compile for a target and is not there."""
    wanted = {"clang-16": shutil.which("clang-16")}
    if target.is_amd:
        wanted["rocm-device-libs"] = all(path.exists() for path in rocm_libraries(target))
    else:
        wanted |= {
            f"{CLC.name} (libclc-15)": CLC.exists(), "libdevice": libdevice(), "ptxas": tool("ptxas"),
            "nvdisasm": tool("nvdisasm"),
        }
    return [name for name, found in wanted.items() if not found]


@dataclasses.dataclass(frozen=True)
class Build:
    """A kernel and what its source is specialised by."""

    file: str
    kernel: str
    defines: tuple

    @staticmethod
    def of(file, kernel, defines):
        return Build(file, kernel, tuple(sorted(defines.items())))

    @staticmethod
    def read(path):
        """The builds of `tern verify --kernels`, or of `tern bench model --plan`."""
        content = json.loads(pathlib.Path(path).read_text())
        builds = set()
        if isinstance(content, list):
            for entry in content:
                GENERATED[entry["file"]] = entry.get("source")
                words = [w[2:] for w in entry["options"].split() if w.startswith("-D")]
                builds.add(Build.of(entry["file"], entry["kernel"], dict(w.split("=", 1) for w in words)))
        else:
            for model in content["models"]:
                for node, launch in ((n, l) for n in model["nodes"] for l in n["launches"] if "file" in l):
                    GENERATED[launch["file"]] = launch.get("source")
                    build = Build.of(launch["file"], launch["name"], launch["defines"])
                    builds.add(build)
                    if build.kernel in LOOPING:
                        tensors = LOOPING[build.kernel][0] + ("RESIDUAL" in launch["defines"])
                        items = math.prod(launch["groups"]) * math.prod(launch["group_size"])
                        LEAST_ELEMENTS[build] = min(
                            LEAST_ELEMENTS.get(build, math.inf), node["bytes"] / 4 / tensors / items)
        return sorted(builds, key=lambda b: (b.file, b.kernel, b.defines))

    def defines_for(self, target):
        return specialised(self.defines, target.is_amd)

    @property
    def is_tile(self):
        return "UNROLL_D" in dict(self.defines)

    @property
    def most_registers(self):
        """The bound of a tile on NVIDIA."""
        return most_registers(dict(self.defines))

    @property
    def label(self):
        return " ".join(f"{name}={value}" for name, value in self.defines)


# Kernels that stand in no file: their sources, as Tern wrote them for a plan.
GENERATED = {}

# How many elements a work-item of a looping kernel has at least, in the launches of a plan.
LEAST_ELEMENTS = {}


@functools.cache
def flattened(file):
    """A kernel file with what it includes put in, once each."""
    if GENERATED.get(file):
        return GENERATED[file]
    seen = set()

    def read(path):
        path = path.resolve()
        if path in seen:
            return ""
        seen.add(path)
        lines = []
        for line in path.read_text().split("\n"):
            include = re.match(r'#include "(.*)"', line)
            lines.append(read(path.parent / include.group(1)) if include else line)
        return "\n".join(lines)

    return read(KERNELS / f"{file}.cl")


def source(build):
    """The file with one of its kernels alone, as the device compiles it: kernels start and end at the
    start of a line."""
    lines, skips = [], False
    for line in flattened(build.file).split("\n"):
        if line.startswith("__kernel "):
            name = re.search(r"void (\w+)\(", line)
            skips = bool(name) and name.group(1) != build.kernel
        if not skips:
            lines.append(line)
        if line == "}":
            skips = False
    return "\n".join(lines)


@dataclasses.dataclass
class Code:
    """A compiled kernel: its instructions as (name, operands), and where labels stand."""

    instructions: list
    labels: dict
    # Of the instructions that a work-item may pass over, by their numbers.
    conditional: set
    registers: int
    stack: int
    spills: int
    local_bytes: int


def functions_of_nvidia(text):
    """What stands in front of a source so that it calls NVIDIA's functions, of vectors one lane after the
    other as NVIDIA's front end does."""
    lines = []
    for name, count in LIBDEVICE.items():
        if not re.search(rf"\b{name}\(", text):
            continue
        letters = "xy"[:count]

        def function(type, value):
            parameters = ", ".join(f"{type} {letter}" for letter in letters)
            return (f"static inline __attribute__((overloadable, always_inline)) {type} own_{name}({parameters}) "
                    f"{{ return {value}; }}")

        def call(lane):
            return f"__nv_{name}f({', '.join(letter + lane for letter in letters)})"

        lines += [f"float __nv_{name}f({', '.join(['float'] * count)});", function("float", call(""))]
        for width in (2, 4):
            lanes = ", ".join(call(f".s{lane}") for lane in range(width))
            lines.append(function(f"float{width}", f"(float{width})({lanes})"))
        lines.append(f"#define {name} own_{name}")
    return "\n".join(lines) + "\n"


def linked(*libraries):
    return [word for path in libraries for word in ("-Xclang", "-mlink-builtin-bitcode", "-Xclang", path)]


def compile_nvidia(build, target, text, folder):
    ptx, cubin = folder / "kernel.ptx", folder / "kernel.cubin"
    text.write_text(functions_of_nvidia(text.read_text()) + text.read_text())
    run(*clang(build, target), "-target", "nvptx64--nvidiacl", "-Xclang", "-target-cpu", "-Xclang",
        target.name, "-mllvm", "-nvptx-prec-divf32=1", *linked(CLC, libdevice()), "-o", ptx, text)
    code = re.sub(r"\.version .*", ".version 7.8", ptx.read_text())
    # libclc's root is rounded correctly; OpenCL asks for less, and so does NVIDIA's front end.
    code = code.replace("sqrt.rn.f32", "sqrt.approx.f32")
    ptx.write_text(re.sub(r"\.target [^\n]*", f".target {target.name}", code))
    limit = ["--maxrregcount", str(build.most_registers)] if build.is_tile else []
    log = run(tool("ptxas"), f"-arch={target.name}", "-v", *limit, ptx, "-o", cubin)
    listing = run(tool("nvdisasm"), "-c", cubin)
    instructions, labels, conditional, inside = [], {}, set(), False
    for line in listing.splitlines():
        stripped = line.strip()
        if stripped.startswith(".text."):
            inside = stripped.startswith(f".text.{build.kernel}:")
        label = re.match(r"\.(L\w+):", stripped)
        if label:
            if inside:
                labels[label.group(1)] = len(instructions)
            continue
        found = re.search(r"/\*[0-9a-f]{4,}\*/\s+(@!?U?P\w+\s+)?([A-Z0-9_.]+)\s*(.*?);", line)
        if found and inside and found.group(2) != "NOP":
            if found.group(1):
                conditional.add(len(instructions))
            instructions.append((found.group(2), found.group(3)))
    part = log[log.find(f"'{build.kernel}'"):]

    def number(pattern):
        found = re.search(pattern, part)
        return int(found.group(1)) if found else 0

    return Code(
        instructions, labels, conditional, number(r"Used (\d+) registers"), number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes smem"))


def compile_amd(build, target, text, folder):
    listing = folder / "kernel.s"
    run(*clang(build, target), "-target", "amdgcn-amd-amdhsa", f"-mcpu={target.name}", "-nogpulib",
        *linked(*rocm_libraries(target)), "-o", listing, text)
    code = listing.read_text()
    instructions, labels, conditional, inside = [], {}, set(), False
    for line in code.splitlines():
        label = re.match(r"^(\.?\w+):", line)
        if label:
            name = label.group(1)
            if name == build.kernel:
                inside, instructions, labels = True, [], {}
            elif not name.startswith((".L", "BB")):
                inside = False
            labels[name] = len(instructions)
            continue
        if line.strip().startswith((".section", ".amdhsa_kernel")):
            inside = False
        found = re.match(r"^\s+([a-z]\w+)\s*(.*?)(;.*)?$", line)
        if inside and found and not line.strip().startswith("."):
            if found.group(1).startswith("s_cbranch"):
                conditional.add(len(instructions))
            instructions.append((found.group(1), found.group(2)))
    part = code[code.find(f".amdhsa_kernel {build.kernel}\n"):]
    part = part[:part.find(".end_amdhsa_kernel")]

    def number(name):
        found = re.search(rf"\.amdhsa_{name}\s+(\d+)", part)
        return int(found.group(1)) if found else 0

    counts = re.findall(rf"\.name:\s+{build.kernel}\n.*?\.vgpr_spill_count:\s*(\d+)", code, re.S)
    return Code(
        instructions, labels, conditional, number("next_free_vgpr"), number("private_segment_fixed_size"),
        4 * int(counts[-1]) if counts else 0, number("group_segment_fixed_size"))


def clang(build, target):
    defines = [f"-D{name}={value}" for name, value in sorted(build.defines_for(target).items())]
    return ["clang-16", "-cl-std=CL1.2", "-x", "cl", "-O3", "-Xclang", "-finclude-default-header",
            "-Wno-everything", "-S", *defines]


@dataclasses.dataclass
class Finding:
    build: Build
    target: Target
    code: Code
    group_size: int | None
    share: float | None
    memory: collections.Counter

    @property
    def groups(self):
        size = self.group_size or 64
        return self.target.groups(size, self.code.registers, self.code.local_bytes)

    @property
    def instructions_of_element(self):
        """Of kernels that take elements one like the other: what a work-item issues at most, for each of
        its elements. AMD's scalar instructions, which a warp issues once and beside the others, do not
        count."""
        defines = dict(self.build.defines)
        if self.build.kernel not in ELEMENTWISE or "V" not in defines:
            return None
        if self.build.kernel in LOOPING:
            return self.instructions_of_loops
        vectors = int(defines.get("VECTORS", 1))
        return longest_path(self.code, self.target, vectors) / (int(defines["V"]) * vectors)

    @property
    def instructions_of_loops(self):
        """The same of a kernel that goes round a loop: what a round issues, for each of its elements, and
        what is issued once, for each of the elements that a work-item has in the smallest launch. `None` where
        no plan says how many those are.

        A group that has a whole channel (ONE_PART) goes round a loop for its sums before. What is left over
        at the end goes round a shorter loop, which is not counted."""
        if self.build not in LEAST_ELEMENTS:
            return None
        defines = dict(self.build.defines)
        width, reads = int(defines["V"]), LOOPING[self.build.kernel][1]

        def accesses(loop, kind):
            names = {"load": ("LDG", "global_load", "buffer_load"), "store": ("STG", "global_store", "buffer_store")}
            return sum(name.startswith(names[kind]) for name, _ in self.code.instructions[loop[0]:loop[1]])

        rounds, previous = 0, 0
        loops = sorted(innermost(loops_of(self.code, self.target)))
        elements_of_loops = []
        for loop in loops:
            stores, loads = accesses(loop, "store"), accesses(loop, "load")
            if stores == 0 and "ONE_PART" not in defines:
                continue
            vectors = stores or loads // reads
            is_rest = vectors == 0 or previous > vectors and previous % vectors == 0
            elements_of_loops.append(loop)
            if not is_rest:
                rounds += issued(self.code, self.target, loop) / (vectors * width)
                previous = vectors
            else:
                previous = 0
        once = longest_path(self.code, self.target, 1, without=elements_of_loops)
        return rounds + once / LEAST_ELEMENTS[self.build]

    @property
    def part_of_memory_time(self):
        """What it takes to issue those instructions, as a part of what it takes to move an element's bytes."""
        if self.instructions_of_element is None:
            return None
        defines = dict(self.build.defines)
        numbers = (ELEMENTWISE[self.build.kernel] + 2 * int(defines.get("STATES", 0))
                   + int(defines.get("RESIDUAL", 0)))
        issuing = self.instructions_of_element / (self.target.issue * 1e12)
        return issuing / (4 * numbers / (self.target.bandwidth * 1e9))

    @property
    def faults(self):
        """What no kernel should have."""
        faults = []
        if self.code.spills:
            faults.append(f"{self.code.spills} bytes spilled")
        if self.code.stack:
            faults.append(f"{self.code.stack} bytes of stack")
        if self.build.is_tile and not self.target.is_amd:
            if self.code.registers > self.build.most_registers:
                faults.append(f"{self.code.registers} registers")
            if self.groups < 2:
                faults.append("one group on a multiprocessor")
        return faults + self.misses

    @property
    def misses(self):
        """What a kernel for GPUs should reach and does not."""
        defines, misses = dict(self.build.defines), []
        least = self.least_share
        if least and (self.share or 0) < least:
            misses.append(f"a share of {self.share or 0:.2f} of {least}")
        each = self.instructions_of_element
        is_simple = defines.get("FUNCTION", "add") in SIMPLE and defines.get("RULE", "0") in "01"
        if each and is_simple and "ALIGNED" in defines:
            if each > MOST_INSTRUCTIONS:
                misses.append(f"{each:.1f} instructions an element")
            wide = [name for name in self.memory if re.search(r"128|x4", name)]
            if not any("load" in n or "LDG" in n for n in wide) or not any("store" in n or "STG" in n for n in wide):
                misses.append("no memory accesses of 128 bits")
        if each and self.part_of_memory_time > 1:
            misses.append(f"instructions take {self.part_of_memory_time:.2f} of the time of the bytes")
        if self.build.kernel.startswith("attention") and (self.local_loads or 0) > MOST_LOCAL_LOADS:
            misses.append(f"{self.local_loads:.2f} local loads a multiply-add")
        return misses

    @property
    def least_share(self):
        """What the share of a tile must be; `None` where that is open: of small tiles, of products of
        matrices whose rows start anywhere, of convolutions with more than 31 rows and columns of taps."""
        defines = dict(self.build.defines)
        if not self.build.is_tile or group_of_tile(defines) < (256 if self.target.is_amd else 128):
            return None
        of_convolutions, of_products = LEAST_SHARE[self.target.name]
        if self.build.kernel == "gemm_tile":
            return of_products if defines["LEFT_WIDTH"] == defines["RIGHT_WIDTH"] == "4" else None
        return of_convolutions if defines.get("PLACES", "0") == "0" else None

    @property
    def local_loads(self):
        """Loads from local memory for each multiply-add; `None` where nothing is multiplied."""
        names = [name for name, _ in self.code.instructions]
        sums = sum(multiply_adds(self.target, name) for name in names)
        loads = sum(name.startswith(("LDS", "ds_read", "ds_load")) for name in names)
        return loads / sums if sums else None


def multiply_adds(target, name):
    """How many of the peak's multiply-adds an instruction is."""
    if not target.is_amd:
        return 1 if name.startswith("FFMA") else 0
    if name.startswith(("v_dual_fmac", "v_dual_fma", "v_pk_fma_f32")):
        return 2
    return 1 if re.match(r"v_(fmac|fma|mac|mad)_f32|v_fmamk|v_fmaak", name) else 0


def jump(target, name, operands):
    """The label that an instruction may go back to."""
    if target.is_amd:
        return operands.split()[0] if name.startswith(("s_cbranch", "s_branch")) and operands else None
    found = re.search(r"`\(\.(L\w+)\)", operands) if name.startswith("BRA") else None
    return found.group(1) if found else None


def is_issued(target, name):
    """Whether an instruction takes a place of its own: a warp issues AMD's scalar ones beside the others."""
    return not target.is_amd or name.startswith(("v_", "global_", "ds_"))


def issued(code, target, loop):
    return sum(is_issued(target, name) for name, _ in code.instructions[loop[0]:loop[1]])


def loops_of(code, target):
    """The loops of a kernel, as the numbers of their first instruction and of the one behind their last."""
    loops = set()
    for index, (name, operands) in enumerate(code.instructions):
        start = code.labels.get(jump(target, name, operands))
        if start is not None and start <= index and index + 1 - start > 1:
            loops.add((start, index + 1))
    return loops


def innermost(loops):
    return [(s, e) for s, e in loops
            if not any((s, e) != (t, u) and s <= t and u <= e for t, u in loops)]


def longest_path(code, target, rounds, without=()):
    """The most instructions from the first to an end, where loops go round so often, those `without` never."""
    targets = [code.labels.get(jump(target, *instruction)) for instruction in code.instructions]
    weights = [int(is_issued(target, name)) for name, _ in code.instructions]
    for start, end in without:
        weights[start:end] = [0] * (end - start)
    for index, start in enumerate(targets):
        if start is not None and start < index:
            for inside in range(start, index + 1):
                weights[inside] *= rounds
    longest = [0] * (len(weights) + 1)
    for index in reversed(range(len(weights))):
        name, start = code.instructions[index][0], targets[index]
        passes = index in code.conditional or not name.startswith(("EXIT", "RET", "BRA", "s_branch", "s_endpgm"))
        after = [longest[index + 1]] if passes else [0]
        if start is not None and start > index:
            after.append(longest[start])
        longest[index] = weights[index] + max(after)
    return longest[0]


def share_of_tile(code, target, trips):
    """Multiply-adds among the instructions of a tile: of the loop around the innermost with most of them,
    which goes round `trips` times."""
    def count(start, end):
        return sum(multiply_adds(target, name) for name, _ in code.instructions[start:end])

    loops = loops_of(code, target)
    inner = innermost(loops)
    best = max(inner, key=lambda loop: (count(*loop), loop[0] - loop[1]), default=None)
    if best is None or count(*best) < 8:
        return None
    start, end = best
    around = [(t, u) for t, u in loops if t <= start and end <= u and (t, u) != best]
    if trips <= 1 or not around:
        return count(start, end) / (end - start)
    first, last = min(around, key=lambda loop: loop[1] - loop[0])
    length = last - first + (trips - 1) * (end - start)
    return (count(first, last) + (trips - 1) * count(start, end)) / length


def trips(build, target):
    """How often the inner loop of a tile goes round."""
    unrolled = build.defines_for(target).get("UNROLL_D")
    depth = re.search(r"^#define DEPTH (\d+)", flattened(build.file), re.M)
    return max(1, int(depth.group(1)) // int(unrolled)) if unrolled and depth else 1


def memory_accesses(code, target):
    counts = collections.Counter()
    for name, _ in code.instructions:
        if target.is_amd:
            if name.startswith(("global_", "ds_", "scratch_", "buffer_", "flat_")):
                counts[name] += 1
        else:
            words = name.split(".")
            if words[0] in ("LDG", "STG", "LDS", "STS", "LDL", "STL", "LD", "ST"):
                width = next((w for w in ("128", "64") if w in words), "32")
                counts[f"{words[0]}.{width}"] += 1
    return counts


def study(build, target):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = folder / "kernel.cl"
        text.write_text(source(build))
        compiler = compile_amd if target.is_amd else compile_nvidia
        code = compiler(build, target, text, folder)
    defines = dict(build.defines)
    required = None
    if build.is_tile:
        required = group_of_tile(defines)
    elif "GROUP" in defines:
        required = int(defines["GROUP"]) * int(defines.get("TEAMS", 1))
    return Finding(
        build, target, code, required, share_of_tile(code, target, trips(build, target)),
        memory_accesses(code, target))


def one_of_each(builds):
    """The build with most defines of every kernel, function and rule, and all of tiles."""
    best = {}
    for build in builds:
        defines = dict(build.defines)
        what = tuple(defines.get(name) for name in ("FUNCTION", "RULE", "STRADDLES"))
        key = (build.file, build.kernel, build.defines if build.is_tile else what)
        if key not in best or len(build.defines) > len(best[key].defines):
            best[key] = build
    return list(best.values())


def table(findings):
    lines = ["| kernel | defines | target | registers | spills | stack | local bytes | groups | share | "
             "instructions | an element | of the bytes' time | memory |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for f in findings:
        memory = ", ".join(f"{name} {count}" for name, count in f.memory.most_common(4))
        share = "" if f.share is None else f"{f.share:.2f}"
        each, part = "", ""
        if f.instructions_of_element is not None:
            each, part = f"{f.instructions_of_element:.1f}", f"{f.part_of_memory_time:.2f}"
        lines.append(
            f"| {f.build.kernel} | {f.build.label} | {f.target.name} | {f.code.registers} | {f.code.spills} | "
            f"{f.code.stack} | {f.code.local_bytes} | {f.groups} | {share} | "
            f"{len(f.code.instructions)} | {each} | {part} | {memory} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", metavar="FILE", action="append", default=[],
                        help="what `tern verify --kernels` or `tern bench model --plan` wrote")
    parser.add_argument("--kernel", metavar="FILE:NAME", help="one kernel, such as matmul/gemm:gemm_rows")
    parser.add_argument("-D", metavar="NAME=VALUE", action="append", default=[])
    parser.add_argument("--target", nargs="+", choices=list(TARGETS),
                        help="those that are named must be there; all that are, where none is")
    parser.add_argument("--match", metavar="REGEX", default="", help="only kernels whose name matches")
    parser.add_argument("--brief", action="store_true", help="one build of each kernel, all of tiles")
    parser.add_argument("--gate", action="store_true", help="fail where a kernel spills or has a stack, "
                        "a tile has no room beside another on NVIDIA, or a kernel misses what it should reach")
    parser.add_argument("--known", metavar="NAME", nargs="*", default=[],
                        help="kernels whose faults are known and do not fail the gate")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    targets = []
    for name in arguments.target or TARGETS:
        absent = missing(TARGETS[name])
        if absent:
            print(f"static.py: {name} left out: no {', '.join(absent)}", file=sys.stderr)
            if arguments.target:
                return 69
        else:
            targets.append(TARGETS[name])
    builds = [build for path in arguments.builds for build in Build.read(path)]
    if arguments.kernel:
        file, kernel = arguments.kernel.split(":")
        builds.append(Build.of(file, kernel, dict(d.split("=", 1) for d in arguments.D)))
    builds = [build for build in dict.fromkeys(builds) if re.search(arguments.match, build.kernel)]
    if arguments.brief:
        builds = one_of_each(builds)
    if not targets or not builds:
        print("static.py: nothing to compile", file=sys.stderr)
        return 0 if arguments.gate and not targets else 64

    work = [(build, target) for build in builds for target in targets]
    findings, failures = [], []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for (build, target), future in [(item, pool.submit(study, *item)) for item in work]:
            try:
                findings.append(future.result())
            except Failure as failure:
                failures.append(f"{build.kernel} {build.label} on {target.name}: {failure}")
    print(table(findings))
    for finding in findings:
        for fault in finding.faults:
            known = finding.build.kernel in arguments.known
            message = f"{finding.build.kernel} {finding.build.label} on {finding.target.name}: {fault}"
            print(f"static.py: {'known: ' if known else ''}{message}", file=sys.stderr)
            if not known:
                failures.append(message)
    compiled = len(findings)
    print(f"static.py: {compiled} of {len(work)} compiled, {len(failures)} faults", file=sys.stderr)
    return 1 if arguments.gate and failures or compiled < len(work) else 0


if __name__ == "__main__":
    sys.exit(main())
