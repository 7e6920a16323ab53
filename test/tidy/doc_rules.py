# SPDX-License-Identifier: EUPL-1.2
"""Rules on what is written beside the code: licence lines, reasons, parameters, man pages."""
import re

LICENCE = "SPDX-License-Identifier: EUPL-1.2"
WITH_LICENCE = (".c", ".h", ".proto", ".py", ".build", ".yaml", ".yml", ".sh", ".scd", ".service",
                ".supp")
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
TEXT = WITH_LICENCE + (".md", ".txt")
REASON_MIN = 60  # characters; less is a title
GROUP_PARAMS_MAX = 5  # a function with more has too much to say to share a comment


def is_script(source):
    return "." not in source.path.name.lstrip(".") and source.text.startswith("#!")


def is_text(name):
    return name.endswith(TEXT) or "." not in name.split("/")[-1].lstrip(".")


def check_spdx(tree):
    """Every source file says its licence in its first lines."""
    for name in tree.names:
        if not name.endswith(WITH_LICENCE) and "." in name.split("/")[-1].lstrip("."):
            continue
        source = tree.source(name)
        if not name.endswith(WITH_LICENCE) and not is_script(source):
            continue
        if not any(LICENCE in line for line in source.lines[:2]):
            yield name, 1, f"no licence line: begin with {LICENCE}"


def check_reasons(tree):
    """A .c file opens with a comment that says why it is as it is."""
    for source in tree.select(".c"):
        after = source.text.partition("*/")[2].lstrip()
        comment = re.match(r"/\*(.*?)\*/", after, re.S)
        words = re.sub(r"[\s*]+", " ", comment.group(1)).strip() if comment else ""
        if len(words) < REASON_MIN:
            yield (source.name, 3, "does not open with its reason: say after the licence line why the "
                   "file is as it is")


def check_notes(tree):
    """No notes to ourselves in the tree: do it, or open an issue."""
    for name in tree.names:
        if not is_text(name):
            continue
        source = tree.source(name)
        for match in UNFINISHED.finditer(source.text):
            yield name, source.line_of(match.start()), f"{match.group(1)}: do it, or open an issue"


class Prototype:
    """A function declared in a header: names of its parameters and where its text stands."""

    def __init__(self, source, match):
        self.name = match.group("name")
        self.first = source.line_of(match.start())
        self.last = source.line_of(match.end() - 1)
        self.params = list(params_of(match.group("params")))
        self.trailing = bool(re.search(r"/\*.*\*/\s*$", source.lines[self.last - 1]))


PROTOTYPE = re.compile(
    r"^(?!static\b|typedef\b|struct\s+\w+\s*\{|#|return\b)(?P<type>\w[\w\s*]*?[\s*])(?P<name>\w+)"
    r"\((?P<params>(?:[^();]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*)\)"
    r"(?P<attributes>(?:\s+[_a-z]\w*(?:\((?:[^()]|\([^()]*\))*\))?)*)\s*;", re.M)


def params_of(text):
    text = re.sub(r"\s+", " ", text).strip()
    if text in ("", "void"):
        return
    depth, part = 0, ""
    for char in text + ",":
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            callback = re.search(r"\(\s*\*\s*(\w+)", part)
            plain = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", part)
            if part.strip() != "..." and (callback or plain):
                yield (callback or plain).group(1)
            part = ""
        else:
            part += char


def prototypes(source):
    # Only column 0: members of structs are indented.
    return [Prototype(source, m) for m in PROTOTYPE.finditer(source.code)]


BLOCK = re.compile(r"/\*\*\s*\n(.*?)\*/", re.S)


def blocks(source):
    """The /** */ blocks that document functions: (first line, last line, names, parameters)."""
    for match in BLOCK.finditer(source.text):
        title = match.group(1).split("\n")[0]
        names = re.findall(r"(\w+)\(\)", title.partition(" - ")[0])
        params = re.findall(r"@(\w+)(?:[ \t]*,[ \t]*@(\w+))*\s*:", match.group(1))
        words = set(re.findall(r"@(\w+)(?=[^\n]*:)", match.group(1))) if params else set()
        yield (source.line_of(match.start()), source.line_of(match.end() - 1), names, words,
               title.strip(" *"))


def stands_under_comment(source, proto):
    """Does a comment stand above this prototype, or above the unbroken group of lines it is in?"""
    lines = source.lines
    number = proto.first - 1
    while number > 0 and lines[number - 1].strip():
        line = lines[number - 1]
        if line.rstrip().endswith("*/") and (line.lstrip().startswith(("/*", "*")) or "/*" not in line):
            return True, number == proto.first - 1
        number -= 1
    return False, False


def check_params(tree):
    """A header documents every parameter of its functions as @name: in the block that names them."""
    for source in tree.select(".h"):
        declared = prototypes(source)
        documented = {}
        for first, _, names, params, title in blocks(source):
            if not names and not re.match(r"(struct|enum|union|define|DEFINE)\b|\w+ - ", title):
                yield source.name, first, f'"{title}" names no function: write NAME() - what it does'
            for name in names:
                documented[name] = (first, params)
        yield from check_declared(source, declared, documented)
        known = {p.name for p in declared} | set(re.findall(r"\b(\w+)\(", source.code))
        for name, (first, _) in documented.items():
            if name not in known:
                yield source.name, first, f"documents {name}(), which is not here: mend or remove"


def check_declared(source, declared, documented):
    together = {}
    for proto in declared:
        if proto.name in documented:
            first, params = documented[proto.name]
            for name in proto.params:
                if name not in params:
                    yield source.name, proto.first, f"{proto.name}(): @{name}: is not documented"
            together.setdefault(first, [set(params), set()])[1].update(proto.params)
            continue
        above, own = stands_under_comment(source, proto)
        if not above and not proto.trailing:
            yield source.name, proto.first, f"{proto.name}() has no comment: say what it promises"
        elif len(proto.params) > GROUP_PARAMS_MAX and not own and not proto.trailing:
            yield (source.name, proto.first,
                   f"{proto.name}() is too large for a group: give it a comment of its own")
    for first, (params, used) in together.items():
        for name in sorted(params - used):
            yield source.name, first, f"@{name}: documents no parameter: mend or remove"


OPTION = re.compile(r'\{\s*(?:\.name\s*=\s*)?"([a-z][a-z0-9-]+)"\s*,\s*(?:\.has_arg\s*=\s*)?'
                    r"(?:no|required|optional)_argument")
PROGRAM = re.compile(r"executable\(\s*'(dienstweg[\w-]*)'")


def check_man(tree):
    """Every program has a man page beside it, and the page names every option."""
    pages = tree.select(".scd")
    for build in tree.select("meson.build"):
        for match in PROGRAM.finditer(build.text):
            name = match.group(1)
            if not any(re.fullmatch(rf"{name}\.[1-8]\.scd", p.path.name) for p in pages):
                yield (build.name, build.line_of(match.start()),
                       f"{name} has no man page: write {name}.1.scd beside it")
    for source in tree.select(".c"):
        if source.is_test():
            continue
        beside = [p for p in pages if p.path.parent == source.path.parent] or pages
        for match in OPTION.finditer(source.text):
            # scdoc wants '-' escaped nowhere but at the start of a list.
            option = "--" + match.group(1)
            if not any(option in p.text.replace("\\", "") for p in beside):
                yield (source.name, source.line_of(match.start()),
                       f"{option} is in no man page: describe it beside the program")


RULES = {
    "spdx": check_spdx,
    "reasons": check_reasons,
    "notes": check_notes,
    "params": check_params,
    "man": check_man,
}
