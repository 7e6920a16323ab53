# SPDX-License-Identifier: EUPL-1.2
"""The source tree as the rules see it.

Rules read C without a compiler, because most of what they check (comments, includes, names) is gone
once a compiler has read it. That is only safe on code of one shape, which the formatter gives us:
a function's braces stand in column 0. Comments and strings are blanked out, not removed, so that line
numbers stay true.
"""
import pathlib
import re
import subprocess

TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(match):
    text = match.group()
    if text[0] == "/":
        return re.sub(r"[^\n]", " ", text)
    return text[0] + " " * (len(text) - 2) + text[-1]


class Source:
    """One file: its text, and for C its code with comments and literals blanked out."""

    def __init__(self, root, name):
        self.name = name
        self.path = pathlib.Path(name)
        self.text = (root / name).read_text(encoding="utf-8", errors="replace")
        self._code = None

    @property
    def lines(self):
        return self.text.split("\n")

    @property
    def code(self):
        if self._code is None:
            self._code = TOKEN.sub(blank, self.text)
        return self._code

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def is_c(self):
        return self.name.endswith((".c", ".h"))

    def is_test(self):
        return self.name.startswith("test/") or self.path.name.startswith("test-")


class Tree:
    """The files of the project: what git tracks, or everything where there is no git."""

    def __init__(self, root, untracked=False):
        self.root = pathlib.Path(root)
        self.names = sorted(n for n in self._list(untracked) if (self.root / n).is_file())
        self._sources = {}

    def _list(self, untracked):
        command = ["git", "-C", str(self.root), "ls-files", "-z", "--cached"]
        if untracked:
            command += ["--others", "--exclude-standard"]
        if (self.root / ".git").exists():
            try:
                done = subprocess.run(command, capture_output=True, check=True)
                return done.stdout.decode().split("\0")[:-1]
            except (OSError, subprocess.CalledProcessError):
                pass  # no git, or a tree that git calls somebody else's: walk it
        return self._walk()

    def _walk(self):
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            top = name.split("/")[0]
            if top != ".git" and not top.startswith("build") and "__pycache__" not in name:
                yield name

    def source(self, name):
        if name not in self._sources:
            self._sources[name] = Source(self.root, name)
        return self._sources[name]

    def select(self, *endings):
        return [self.source(n) for n in self.names if n.endswith(endings)]

    def has(self, name):
        return name in self._sources or name in self.names


class Function:
    """A function with a body: name, first line of its signature, line of its closing brace."""

    def __init__(self, name, first, last):
        self.name, self.first, self.last = name, first, last


def functions(source):
    """Functions defined in a file, found by the braces in column 0."""
    found = []
    lines = source.code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            first = number - 1
            while first > 1 and lines[first - 2].strip() and not re.match(
                    r"[#}]|.*[;}]\s*$", lines[first - 2]):
                first -= 1
            signature = " ".join(lines[first - 1:number - 1])
            name = re.search(r"(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", signature))
            start = (name.group(1), first) if name else None
        elif line.startswith("}") and start:
            found.append(Function(start[0], start[1], number))
            start = None
    return found


def top_level(source):
    """Declarations at file scope as (line, text up to the first '{' '=' or ';'), without directives."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  source.code, flags=re.M)
    depth, start, head, out = 0, None, None, []
    for offset, char in enumerate(code):
        if start is None and not char.isspace():
            start = offset
        if char == "{":
            if depth == 0 and head is None:
                head = offset
            depth += 1
        elif char == "}":
            depth -= 1
        if depth > 0 or start is None:
            continue
        if char == "=" and head is None:
            head = offset
        # A brace in column 0 ends a function; one before ';' ends a type or an initialiser.
        ends_function = char == "}" and not re.match(r"\s*[;,\w\[=*_]", code[offset + 1:offset + 80])
        ends_function |= char == "}" and code[offset - 1] == "\n" and code[offset + 1:offset + 2] == "\n"
        if char == ";" or ends_function:
            tail = code[head:offset] if head is not None else ""
            out.append((source.line_of(start), code[start:head or offset], tail))
            start = head = None
    return out
