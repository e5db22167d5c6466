# `make train` and `make test` need a Swift 6 toolchain and make; they install the rest.

PACKAGES := ocl-icd-opencl-dev opencl-headers libclblast-dev libdnnl-dev zlib1g-dev \
            libpng-dev libjpeg-dev liblmdb-dev pocl-opencl-icd dataset-fashion-mnist openmpi-bin hdf5-tools
SWIFT ?= swift
TERN := .build/release/tern

.PHONY: all build train test quick examples notes lint kernels attack meters packages format clean

all: build

# Installs the Debian packages that are missing: as root, or by sudo; else prints the line to run.
packages:
	@missing=""; \
	for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then run=; \
	  elif sudo -n true 2>/dev/null; then run=sudo; \
	  else echo "Please run: sudo apt-get install$$missing" >&2; exit 1; fi; \
	  $$run apt-get update && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y --no-install-recommends $$missing; \
	fi

build: packages
	$(SWIFT) build -c release --product tern

train: build
	$(TERN) train lenet5 --data fashion-mnist --epochs 8 --schedule inverse-sqrt

# Release mode: numeric loops are a hundred times slower without optimisation. The first line builds everything. PoCL
# compiles one kernel at a time in a process, so that what follows is two: one runs the cases on kernels as users have
# them, the other everything else on kernels that PoCL does not optimise: TernNNTests took a third of the time so.
COMPILING := TernConformanceTests|TernOpenCLTests
UNOPTIMISED := POCL_EXTRA_BUILD_FLAGS=-cl-opt-disable
test: packages
	$(SWIFT) test -c release --filter '^TernCoreTests\.'
	@$(SWIFT) test -c release --skip-build --ignore-lock --filter '^($(COMPILING))\.' & compiling=$$!; \
	$(UNOPTIMISED) $(SWIFT) test -c release --skip-build --ignore-lock --skip '^(TernCoreTests|$(COMPILING))\.'; rest=$$?; \
	wait $$compiling && exit $$rest

# What most changes break first: no network is trained, no GPU driver asked.
quick: packages
	$(SWIFT) test -c release --skip 'CLITests|TernOpenCLTests|TernTrainTests|TernConformanceTests|TernDataTests'

# Programs that import Tern as any other package would, built outside it and run.
examples: packages
	$(SWIFT) build -c release --package-path Examples
	Tests/examples.sh Examples/.build

# The page on the notes: its tests are there, its short commands print what it says.
notes: build
	Tests/notes.py --tern $(TERN)

# swift-format's rules, every kernel as OpenCL C 1.2 with the defaults of its defines, and what users see:
# no public name in two modules, and a word about every public declaration.
lint: kernels
	$(SWIFT) format lint --strict -r Sources Tests Examples/Sources Package.swift
	Tests/public_surface.py

KERNEL_FILES := $(shell grep -l __kernel Kernels/*/*.cl)
CLANG ?= $(or $(wildcard $(dir $(shell command -v $(SWIFT)))clang),clang)
kernels:
	@for file in $(KERNEL_FILES); do \
	  $(CLANG) -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -Wall \
	    -Wno-unused-function -Wno-unused-variable -Wno-bitwise-conditional-parentheses -Werror $$file || exit 1; \
	done

# Damaged files and calls that fail, as Tests/attack/attack.py says; ARGUMENTS=--quick for a part.
attack: build
	Tests/attack/attack.py $(ARGUMENTS)

# Meters of the kernels for GPUs that need no GPU: a simulator, which sees the missing barriers that
# drivers for processors hide, and what GPUs' compilers make of the kernels of some networks (no spills, no
# stack, two tiles on a multiprocessor, shares and instructions as static.py says). NVIDIA's compiler comes
# from PyPI.
GPU_TOOLS := .build/gpu-tools
METERED := opencl/many-threads/compute-units=132
meters: build
	$(MAKE) packages PACKAGES="oclgrind clang-16 libclc-15 rocm-device-libs python3-venv"
	Tests/oclgrind.sh --quick
	test -e $(GPU_TOOLS)/done || { python3 -m venv $(GPU_TOOLS) && \
	  $(GPU_TOOLS)/bin/pip -q install nvidia-cuda-nvcc nvidia-cuda-nvdisasm && touch $(GPU_TOOLS)/done; }
	$(TERN) bench model resnet50 mobilenet_v2 vit_b_16 lstm unet --batch-size 64 --device $(METERED) \
	  --plan .build/plans.json
	$(GPU_TOOLS)/bin/python Benchmarks/gpu/static.py --builds .build/plans.json --brief --gate \
	  --target sm_75 sm_86 sm_90 gfx90a gfx1030 gfx1100 > .build/gpu-static.md

format:
	$(SWIFT) format -i -r Sources Tests Examples/Sources Package.swift

clean:
	$(SWIFT) package clean
