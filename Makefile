# `make train` and `make test` need a Swift 6 toolchain and make; they install the rest.

PACKAGES := ocl-icd-opencl-dev opencl-headers libclblast-dev libdnnl-dev zlib1g-dev \
            libpng-dev libjpeg-dev pocl-opencl-icd dataset-fashion-mnist
SWIFT ?= swift
TERN := .build/release/tern

.PHONY: all build train test attack packages format clean

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

# Release mode: numeric loops are a hundred times slower without optimisation.
test: packages
	$(SWIFT) test -c release

# Damaged files and calls that fail, as Tests/attack/attack.py says; ARGUMENTS=--quick for a part.
attack: build
	Tests/attack/attack.py $(ARGUMENTS)

format:
	$(SWIFT) format -i -r Sources Tests Package.swift

clean:
	$(SWIFT) package clean
