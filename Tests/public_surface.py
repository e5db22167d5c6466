#!/usr/bin/env python3
"""What `import Tern` gives: no name twice, nothing without a word about it.

Reads the sources of the modules that Sources/Tern/Tern.swift exports and complains of

- a type that is public in two of them: the name alone would not say which is meant;
- a public declaration, a case of a public enumeration or a requirement of a public protocol without
  a documentation comment. A member that a protocol asks for inherits that of the protocol.

Given names of modules, it asks for documentation in these alone. `--count` prints how many public
declarations each module has.
"""
import pathlib
import re
import sys

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "Sources"

# What the standard library's protocols ask for and say themselves.
STANDARD = {
    "CustomStringConvertible": {"description"},
    "Error": {"description"},
    "Equatable": {"=="},
    "Hashable": {"==", "hash"},
    "Comparable": {"<", "=="},
    "RandomAccessCollection": {"startIndex", "endIndex", "subscript", "index"},
    "Collection": {"startIndex", "endIndex", "subscript", "index"},
    "Sequence": {"makeIterator"},
    "IteratorProtocol": {"next"},
    "AsyncSequence": {"makeAsyncIterator"},
    "AsyncIteratorProtocol": {"next"},
    "ExpressibleByArrayLiteral": {"init"},
    "ExpressibleByStringLiteral": {"init"},
    "ExpressibleByDictionaryLiteral": {"init"},
    "ExpressibleByFloatLiteral": {"init"},
    "ExpressibleByIntegerLiteral": {"init"},
    "CaseIterable": {"allCases"},
    "RawRepresentable": {"init", "rawValue"},
}

MODIFIERS = (
    r"(?:(?:public|package|internal|fileprivate|private)(?:\(set\))?|static|final|mutating|nonmutating|"
    r"consuming|indirect|convenience|required|override|lazy|nonisolated|weak|unowned) ")
DECLARATION = re.compile(
    rf"^(?P<indent> *)(?P<attributes>(?:@\w+(?:\([^)]*\))? )*)(?P<modifiers>(?:{MODIFIERS})*)"
    r"(?P<kind>struct|class|enum|protocol|extension|actor|typealias|associatedtype|func|var|let|init|subscript|case)\b"
    r"(?: *(?P<name>[\w.`]+|[-+*/<>=!&|~^%]+))?")
CONTAINERS = {"struct", "class", "enum", "protocol", "extension", "actor"}


class Declaration:
    def __init__(self, match, module, place, container):
        self.module, self.place, self.container = module, place, container
        self.kind = match["kind"]
        self.name = {"init": "init", "subscript": "subscript"}.get(self.kind, match["name"] or "")
        self.modifiers = match["modifiers"].split()
        self.isDocumented = False
        self.conformances = set()

    @property
    def isPublic(self):
        if "public" in self.modifiers:
            return True
        inside = self.container
        if inside is None or not inside.isPublic:
            return False
        if inside.kind == "enum" and self.kind == "case":
            return True
        return inside.kind == "protocol" and not self.modifiers

    @property
    def typeName(self):
        """The name of the type it makes or extends, with the types around it."""
        if self.kind == "extension" or self.container is None:
            return self.name
        return f"{self.container.typeName}.{self.name}"


def declarations(path, module):
    """The declarations of a file that other files could see, by indentation: the formatter sets it."""
    found, stack = [], []
    lines = path.read_text().split("\n")
    documented = False
    inText = False
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if inText or stripped.count('"""') == 1:
            if stripped.count('"""') == 1:
                inText = not inText
            documented = False
            continue
        if stripped.startswith("///"):
            documented = True
            continue
        if re.fullmatch(r"@\w+(\([^)]*\))?", stripped):
            continue
        match = DECLARATION.match(line)
        indent = len(line) - len(line.lstrip())
        if stripped and not stripped.startswith("//"):
            while stack and stack[-1][0] >= indent and not stripped.startswith(("{", "}", ")", "where")):
                stack.pop()
        if match and (not stack or stack[-1][0] == indent - 2):
            container = stack[-1][1] if stack else None
            declaration = Declaration(match, module, f"{path.relative_to(SOURCES.parent)}:{number}", container)
            declaration.isDocumented = documented
            found.append(declaration)
            if declaration.kind in CONTAINERS:
                header, rest = "", lines[number - 1:]
                for part in rest:
                    header += " " + part.strip()
                    if "{" in part:
                        break
                header = header.split("{")[0]
                header = re.sub(r"<[^>]*>", "", header)
                if ":" in header:
                    names = header.split(":", 1)[1].split(" where ")[0]
                    declaration.conformances = {n.strip().split(".")[-1].removeprefix("any ") for n in names.split(",")}
                stack.append((indent, declaration))
            elif "{" in line and "}" not in line:
                stack.append((indent, declaration))
        documented = documented and stripped.startswith("@")
    return found


def main():
    exported = re.findall(r"^@_exported import (\w+)", (SOURCES / "Tern/Tern.swift").read_text(), re.M)
    everything = [
        declaration
        for module in exported + ["Tern"]
        for path in sorted((SOURCES / module).rglob("*.swift"))
        for declaration in declarations(path, module)
    ]
    requirements = {name: set(members) for name, members in STANDARD.items()}
    parents = {}
    conformances = {}
    for declaration in everything:
        inside = declaration.container
        if declaration.kind in CONTAINERS:
            conformances.setdefault(declaration.typeName, set()).update(declaration.conformances)
        if declaration.kind == "protocol":
            parents[declaration.name] = declaration.conformances
        if inside is not None and inside.kind == "protocol":
            requirements.setdefault(inside.name, set()).add(declaration.name)

    def asked(name, seen=()):
        """The members that the protocols of a type ask for."""
        return set().union(
            *(requirements.get(p, set()) | (asked(p, seen + (p,)) if p not in seen else set())
              for p in conformances.get(name, set()) | parents.get(name, set())), set())

    asked_for = [word for word in sys.argv[1:] if not word.startswith("--")]
    faults = []
    homes = {}
    for declaration in everything:
        if not declaration.isPublic:
            continue
        if declaration.container is None and declaration.kind in CONTAINERS | {"typealias"} - {"extension"}:
            if declaration.kind != "extension":
                first = homes.setdefault(declaration.name, declaration)
                if first.module != declaration.module:
                    faults.append(f"{declaration.place}: {declaration.name} is public here and in {first.place}")
        if declaration.isDocumented or declaration.kind == "extension":
            continue
        if asked_for and declaration.module not in asked_for:
            continue
        inside = declaration.container
        if inside is not None and inside.kind != "protocol":
            # A protocol's members with a default say what they do where the protocol asks for them.
            own = requirements.get(inside.name, set()) if inside.kind == "extension" else set()
            if declaration.name in asked(inside.typeName) | own:
                continue
        faults.append(f"{declaration.place}: {declaration.kind} {declaration.name} is public and not documented")
    if "--count" in sys.argv:
        for module in exported + ["Tern"]:
            print(module, sum(d.isPublic for d in everything if d.module == module))
    print("\n".join(faults) if faults else "import Tern: no name twice, every public declaration documented")
    sys.exit(1 if faults else 0)


main()
