# SPDX-License-Identifier: EUPL-1.2
"""Rules on where things stand: rooms, floors, libraries, files that nobody uses."""
import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# A room may include itself and the rooms named here. The longest matching prefix is the room.
ROOMS = {
    "proto/base": [],
    "proto": ["proto/base"],
    "conf": ["proto"],
    "broker": ["proto", "conf"],
    "adapters/sdk": ["proto", "conf"],
    "adapters/connectors": ["proto", "conf", "adapters/sdk"],
    "test/kit": ["proto", "conf", "adapters/sdk"],  # bus and party speak the wire, built after the SDK
    "test": ["proto", "conf", "broker", "adapters"],
}
AGENCY = ["proto", "conf", "adapters/sdk", "adapters/connectors"]  # any other folder of adapters/

# Who may include a library's header. What a library is for is decided in one place.
LIBRARIES = {
    "zmq.h": ["broker/transport/socket.c", "adapters/sdk/socket.c", "test/kit/", "test/bench/"],
    "lmdb.h": ["proto/base/db.c"],
    "sodium.h": ["proto/"],
    "nettle/sha2.h": ["proto/base/sha256.c"],
    "cyaml/": ["conf/"],
    "libxml/": ["adapters/", "proto/schema/"],
}

TOP_LEVEL = {
    "meson.build", "meson_options.txt", "broker", "adapters", "proto", "conf", "test", "deploy",
    "README.md", "docs", "LICENSE", "publiccode.yml", "CONTRIBUTING.md",
}
FLOORS = ["test/kit", "proto", "conf", "broker", "adapters", "test", "deploy"]


def room_of(name):
    """The room a file stands in, and what it may include."""
    best = max((r for r in ROOMS if name.startswith(r + "/")), key=len, default=None)
    parts = name.split("/")
    if best is None and parts[0] == "adapters" and len(parts) > 2:
        return f"adapters/{parts[1]}", AGENCY
    return best, ROOMS.get(best, [])


def check_includes(tree):
    """Includes go one way (proto, conf, then broker or adapters) and are named from the root."""
    for source in tree.select(".c", ".h"):
        room, allowed = room_of(source.name)
        if source.is_test():
            allowed = [*allowed, "test/kit"]
            if room == "proto/base":
                allowed.append("proto/frame.pb-c.h")  # something hostile to unpack
        for match in INCLUDE.finditer(source.text):
            kind, target = match.groups()
            line = source.line_of(match.start())
            if kind == "<":
                if tree.has(target):
                    yield source.name, line, f"<{target}> is ours: include it with quotes"
                continue
            generated = re.fullmatch(r"(proto/\w+)\.pb-c\.h", target)
            real = f"{generated.group(1)}.proto" if generated else target
            if not tree.has(real):
                yield (source.name, line,
                       f'"{target}" does not exist: name files from the root of the tree')
            elif room is None:
                yield source.name, line, "code outside every room: move it into one"
            elif not target.startswith(tuple(r if r.endswith(".h") else r + "/" for r in [room, *allowed])):
                yield (source.name, line, f'"{target}" is not for {room}/, which may include '
                       f'{", ".join([room, *allowed])}: move what is shared down a floor')


def check_libraries(tree):
    """A library's header appears only in the files that fold that library."""
    for source in tree.select(".c", ".h"):
        for match in INCLUDE.finditer(source.text):
            for header, places in LIBRARIES.items():
                if not match.group(2).startswith(header) or source.name.startswith(tuple(places)):
                    continue
                yield (source.name, source.line_of(match.start()),
                       f"<{match.group(2)}> only in {', '.join(places)}: go through its wrapper")


def check_floors(tree):
    """subdir() lines in the top meson.build stand in the order of the floors."""
    if not tree.has("meson.build"):
        yield "meson.build", 1, "missing: it names the floors of the house"
        return
    source = tree.source("meson.build")
    found = re.findall(r"^subdir\('([^']+)'\)", source.text, re.M)
    if found != FLOORS:
        yield ("meson.build", 1, f"subdir() order is {', '.join(found)}; a floor may use only those "
               f"above it: {', '.join(FLOORS)}")


def check_top(tree):
    """The top of the tree holds what a newcomer must see, and nothing else."""
    for name in sorted({n.split("/")[0] for n in tree.names}):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield name, 1, "not at the top of the tree: put it into the folder it belongs to"


def quoted(tree, folder):
    """Every string in a folder's meson.build."""
    name = f"{folder}/meson.build" if folder != "." else "meson.build"
    if not tree.has(name):
        return set()
    text = re.sub(r"#.*", "", tree.source(name).text)
    return set(re.findall(r"'([^'\n]*)'", text))


def is_built(tree, source):
    """Is it named by a meson.build of its folder or one above, whole or as stem in a foreach?"""
    for folder in source.path.parents:
        strings = quoted(tree, folder.as_posix())
        inside = source.path.relative_to(folder)
        stem = inside.with_suffix("").as_posix()
        names = {stem, stem.removeprefix("test-").removeprefix("fuzz-")}
        pieced = any(s.endswith(source.path.suffix) and s != inside.as_posix() for s in strings)
        if inside.as_posix() in strings or (pieced and names & strings):
            return True
    return False


def check_dead(tree):
    """Every source is built, every header included, every script called, every page linked."""
    for source in tree.select(".c", ".proto", ".scd"):
        if not is_built(tree, source):
            yield source.name, 1, "no meson.build names it: build it or remove it"
    yield from dead_folders(tree)
    included = set()
    for source in tree.select(".c", ".h"):
        included |= {m.group(2) for m in INCLUDE.finditer(source.text) if m.group(2) != source.name}
    for source in tree.select(".h"):
        if source.name not in included:
            yield source.name, 1, "nobody includes it: use it or remove it"
    yield from dead_scripts(tree)
    yield from dead_pages(tree)


def dead_folders(tree):
    """A meson.build that no folder above enters builds nothing."""
    for source in tree.select("/meson.build"):
        folder = source.path.parent
        entered = any(folder.relative_to(above).as_posix() in quoted(tree, above.as_posix())
                      for above in folder.parents)
        if not entered:
            yield source.name, 1, "no meson.build above enters this folder: add its subdir()"


def dead_scripts(tree):
    for source in tree.select(".py"):
        word = re.compile(rf"\b{re.escape(source.path.stem)}\b")
        others = [n for n in tree.names if n != source.name and not n.endswith((".c", ".h", ".md"))]
        users = (tree.source(n).text for n in others
                 if n.endswith((".py", ".build")) or "." not in n.split("/")[-1])
        if not any(word.search(text) for text in users):
            yield source.name, 1, "no script or meson.build names it: call it or remove it"


def dead_pages(tree):
    doors = [n for n in ("README.md", "docs/architecture.md") if tree.has(n)]
    linked = "\n".join(tree.source(n).text for n in doors)
    for source in tree.select(".md"):
        if source.name.startswith("docs/") and source.name not in doors:
            if not re.search(rf"\]\([^)]*{re.escape(source.path.name)}", linked):
                yield (source.name, 1,
                       "linked from neither README.md nor docs/architecture.md: link it there")
    for name in doors + [s.name for s in tree.select(".md") if s.name not in doors]:
        yield from broken_links(tree, tree.source(name))


def broken_links(tree, source):
    for match in re.finditer(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", source.text):
        target = match.group(1)
        if "://" in target or target.startswith("mailto:"):
            continue
        if not (tree.root / source.path.parent / target).exists():
            yield source.name, source.line_of(match.start()), f"link to {target} leads nowhere: mend it"


RULES = {
    "includes": check_includes,
    "libraries": check_libraries,
    "floors": check_floors,
    "top": check_top,
    "dead": check_dead,
}
