#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Shows that every tidy rule fires: a small house that keeps all rules, and one wrong thing at a time.

A rule that finds nothing looks like a house in order, so each rule must be seen to fail, at the line
that is wrong and nowhere else.
"""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import tidy  # noqa: E402
from tree import Tree  # noqa: E402

C = "/* SPDX-License-Identifier: EUPL-1.2 */\n"
WHY = ("\n/* Kept apart because the order of these steps is the promise, and a reader must see it"
       " whole. */\n")
H = C + "#pragma once\n"
SH = "#!/bin/bash\n# SPDX-License-Identifier: EUPL-1.2\n"
B = "# SPDX-License-Identifier: EUPL-1.2\n"

GOOD = {
    ".clang-format": B + "BasedOnStyle: LLVM\nIndentWidth: 8\nUseTab: Always\n"
                         "BreakBeforeBraces: Linux\nColumnLimit: 100\n",
    "meson.build": B + "".join(f"subdir('{f}')\n" for f in (
        "test/kit", "proto", "conf", "broker", "adapters", "test", "deploy")),
    "README.md": "See [architecture](docs/architecture.md) and [protocol](docs/protocol.md).\n",
    "docs/architecture.md": "Floors.\n",
    "docs/protocol.md": "Frames.\n",
    "proto/meson.build": B + "foreach n : ['frame']\n  g = n + '.proto'\nendforeach\n"
                             "s = files('base/log.c', 'base/text.c')\n",
    "proto/frame.proto": "// SPDX-License-Identifier: EUPL-1.2\n",
    "proto/base/log.h": H + "\n/**\n * log_put() - write a line\n * @text: what\n"
                            " * @len:  its length\n */\nvoid log_put(const char *text, int len);\n",
    "proto/base/log.c": C + WHY + '#include "proto/base/log.h"\n\nstatic int log_fd;\n\n'
                                  "void log_put(const char *text, int len)\n{\n\tlog_fd += len;\n}\n",
    "proto/base/text.h": H + "\n/* Text forms. */\nint text_a(int a);\nint text_b(int b);\n",
    "proto/base/text.c": C + WHY + '#include "proto/base/text.h"\n\n'
                                   "static const char *const names[] = {\"a\", \"b\"};\n"
                                   "static int (*const call)(int a) = text_a;\n"
                                   "int each(int a, void (*done)(int b), int c);\n"
                                   "struct pair {\n\tint a;\n};\n"
                                   "static const struct pair pairs[] = {{1}, {2}};\n\n"
                                   "int text_a(int a)\n{\n\tstatic const int one = 1;\n"
                                   "\treturn one + a;\n}\n",
    "broker/meson.build": B + "executable('dienstweg-broker', 'main.c')\n",
    "broker/main.c": C + WHY + '#include "proto/base/log.h"\n#include "proto/base/text.h"\n'
                               '#include "proto/frame.pb-c.h"\n',
    "broker/dienstweg-broker.1.scd": "; SPDX-License-Identifier: EUPL-1.2\n*--check*\n",
    "deploy/demo": SH,
}

# rule, what is wrong, files laid over GOOD, where it must be found, words of the finding
CASES = [
    ("includes", "broker includes adapters",
     {"broker/main.c": C + WHY + '#include "adapters/sdk/a.h"\n', "adapters/sdk/a.h": H},
     "broker/main.c:4", "is not for broker/"),
    ("includes", "proto includes conf",
     {"proto/base/log.c": C + WHY + '#include "conf/a.h"\n', "conf/a.h": H},
     "proto/base/log.c:4", "move what is shared down"),
    ("includes", "one agency includes another",
     {"adapters/city/map.c": C + WHY + '#include "adapters/jobcenter/a.h"\n',
      "adapters/jobcenter/a.h": H}, "adapters/city/map.c:4", "is not for adapters/city/"),
    ("includes", "sdk includes a connector",
     {"adapters/sdk/a.c": C + WHY + '#include "adapters/connectors/a.h"\n',
      "adapters/connectors/a.h": H}, "adapters/sdk/a.c:4", "is not for adapters/sdk/"),
    ("includes", "product code includes the test kit",
     {"broker/main.c": C + WHY + '#include "test/kit/check.h"\n', "test/kit/check.h": H},
     "broker/main.c:4", "is not for broker/"),
    ("includes", "a name that is not from the root",
     {"broker/main.c": C + WHY + '#include "log.h"\n'}, "broker/main.c:4", "does not exist"),
    ("includes", "generated from a .proto that is not here",
     {"broker/main.c": C + WHY + '#include "proto/gone.pb-c.h"\n'},
     "broker/main.c:4", "does not exist"),
    ("includes", "our own header in angle brackets",
     {"broker/main.c": C + WHY + "#include <proto/base/log.h>\n"}, "broker/main.c:4", "is ours"),
    ("libraries", "zmq.h elsewhere", {"broker/main.c": C + WHY + "#include <zmq.h>\n"},
     "broker/main.c:4", "only in broker/transport/socket.c"),
    ("libraries", "lmdb.h elsewhere", {"proto/base/log.c": C + WHY + "#include <lmdb.h>\n"},
     "proto/base/log.c:4", "only in proto/base/db.c"),
    ("libraries", "sodium.h outside proto", {"broker/main.c": C + WHY + "#include <sodium.h>\n"},
     "broker/main.c:4", "only in proto/"),
    ("floors", "floors in another order",
     {"meson.build": GOOD["meson.build"].replace("'conf'", "'x'").replace("'broker'", "'conf'")},
     "meson.build:1", "subdir() order"),
    ("top", "a folder beside the house", {"tools/x.txt": ""}, "tools:1", "not at the top"),
    ("dead", "a source that nobody builds", {"broker/old.c": C + WHY},
     "broker/old.c:1", "no meson.build names it"),
    ("dead", "a .proto that nobody builds", {"proto/old.proto": "//\n"},
     "proto/old.proto:1", "no meson.build names it"),
    ("dead", "a man page that nobody builds is found by name",
     {"broker/meson.build": B + "x = 'main.c'\n"},
     "broker/dienstweg-broker.1.scd:1", "no meson.build names it"),
    ("dead", "a folder that nobody enters", {"broker/audit/meson.build": B},
     "broker/audit/meson.build:1", "add its subdir"),
    ("dead", "a header that nobody includes", {"broker/old.h": H}, "broker/old.h:1", "nobody includes"),
    ("dead", "a header that only it includes", {"broker/old.h": H + '#include "broker/old.h"\n'},
     "broker/old.h:1", "nobody includes"),
    ("dead", "a script that nobody calls", {"test/old.py": B}, "test/old.py:1", "call it or remove"),
    ("dead", "a page that nobody links", {"docs/old.md": ""}, "docs/old.md:1", "link it there"),
    ("dead", "a link that leads nowhere", {"docs/protocol.md": "\n[x](gone.md)\n"},
     "docs/protocol.md:2", "leads nowhere"),
    ("format", "not formatted", {"broker/main.c": C + WHY + "int  a;\n"},
     "broker/main.c:4", "clang-format -i"),
    *[("banned", f"{call}", {"broker/main.c": C + WHY + f"\n\tx = {call};\n"}, "broker/main.c:5", why)
      for call, why in [
          ("strcpy(a, b)", "unbounded"), ("sprintf (a, b)", "unbounded"), ("strtok(a, b)", "hidden"),
          ("atoi(a)", "silent"), ("strtoul(a, 0, 0)", "silent"), ("rand()", "weak"),
          ("system(a)", "a shell"), ("popen(a, b)", "a shell"), ("usleep(1)", "waiting for time"),
          ("alloca(n)", "stack without bound"), ("setjmp(j)", "jumps"), ("localtime(t)", "threads"),
          ("poll(NULL, 0, 10)", "sleep")]],
    ("asserts", "an assert that assigns", {"broker/main.c": C + WHY + "\n\tassert((a = b()) == 0);\n"},
     "broker/main.c:5", "side effect"),
    ("asserts", "an assert that counts", {"broker/main.c": C + WHY + "\n\tassert(n++ < 3);\n"},
     "broker/main.c:5", "side effect"),
    ("size", "a file of 701 lines", {"broker/main.c": C + WHY + "\n" * 699},
     "broker/main.c:702", "at most 700"),
    ("size", "a function of 71 lines",
     {"broker/main.c": C + WHY + "\nint a(int b,\n\tint c)\n{\n" + "\tb++;\n" * 67 + "}\n"},
     "broker/main.c:5", "a() has 71 lines"),
    *[("state", text, {"broker/main.c": C + WHY + f"\n{text}\n"}, "broker/main.c:5", "mutable state")
      for text in [
          "static int count;", "int count = 3;", "static const char *name = \"a\";",
          "static struct pair pairs[] = {{1}, {2}};", "static int (*call)(int);",
          "struct pair { int a; } pair;", "static char *const *names;",
          "static int b __attribute__((aligned(8)));", "static int grid[2][2] = {{1}, {2}};"]],
    ("state", "mutable after a function",
     {"broker/main.c": C + WHY + "\nint a(void)\n{\n\treturn 1;\n}\n\nstatic int b;\n"},
     "broker/main.c:10", "mutable state"),
    ("state", "a static that remembers",
     {"broker/main.c": C + WHY + "\nint a(void)\n{\n\tstatic int n;\n\treturn n;\n}\n"},
     "broker/main.c:7", "mutable static"),
    ("state", "thread-local", {"broker/main.c": C + WHY + "\nextern _Thread_local int n;\n"},
     "broker/main.c:5", "thread-local"),
    ("types", "a typedef of a struct", {"broker/main.c": C + WHY + "\ntypedef struct a b;\n"},
     "broker/main.c:5", "typedef"),
    ("types", "a header without guard", {"proto/base/text.h": C + "int a;\n"},
     "proto/base/text.h:1", "#pragma once"),
    ("spdx", "a source without licence", {"broker/main.c": "int a;\n"}, "broker/main.c:1", "licence"),
    ("spdx", "a script without licence", {"deploy/demo": "#!/bin/bash\n"}, "deploy/demo:1", "licence"),
    ("reasons", "a source without reason", {"broker/main.c": C + "\n#include <a.h>\n"},
     "broker/main.c:3", "reason"),
    ("reasons", "a title is no reason", {"broker/main.c": C + "\n/* The main file. */\n"},
     "broker/main.c:3", "reason"),
    ("notes", "a note to ourselves", {"docs/protocol.md": "a\n" + "TO" + "DO: more\n"},
     "docs/protocol.md:2", "or open an issue"),
    ("params", "a parameter without words",
     {"proto/base/log.h": H + "\n/**\n * log_put() - write\n * @text: what\n */\n"
                              "void log_put(const char *text, int (*call)(int a, int b));\n"},
     "proto/base/log.h:8", "log_put(): @call: is not documented"),
    ("params", "words without a parameter",
     {"proto/base/log.h": H + "\n/**\n * log_put() - write\n * @text: what\n * @gone: x\n */\n"
                              "void log_put(const char *text);\n"},
     "proto/base/log.h:4", "@gone: documents no parameter"),
    ("params", "words without a function",
     {"proto/base/log.h": H + "\n/**\n * log_gone() - write\n */\n"},
     "proto/base/log.h:4", "which is not here"),
    ("params", "a group without comment",
     {"proto/base/log.h": H + "\nvoid log_put(const char *text);\n"},
     "proto/base/log.h:4", "has no comment"),
    ("params", "a blank line ends the group",
     {"proto/base/log.h": H + "\n/* A group. */\nvoid log_a(int a);\n\nvoid log_put(int a);\n"},
     "proto/base/log.h:7", "has no comment"),
    ("params", "too large for a group",
     {"proto/base/log.h": H + "\n/* A group. */\nvoid log_a(int a);\nvoid log_put(int a, int b,\n"
                              "\tint c, int d, int e, int f);\n"},
     "proto/base/log.h:6", "too large for a group"),
    ("man", "a program without page",
     {"broker/meson.build": B + "executable('dienstweg-city', 'main.c')\n"},
     "broker/meson.build:2", "has no man page"),
    ("man", "an option without words",
     {"broker/main.c": C + WHY + '\tconst struct option o[] = {{"gone", no_argument, NULL, 1}};\n'},
     "broker/main.c:4", "--gone is in no man page"),
]


def lay(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def findings(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        lay(root, {**GOOD, **files})
        return sorted({(f"{file}:{line}", what) for file, line, what in tidy.RULES[rule](Tree(root))})


def check_good(report):
    for rule in tidy.RULES:
        found = findings(rule, {"broker/meson.build": GOOD["broker/meson.build"]
                                + "m = 'dienstweg-broker.1.scd'\n"})
        if rule == "format":
            found = []  # the small house is not laid out for it
        report(f"{rule} holds in a house in order", not found, found)


def check_bad(report):
    for rule, name, files, where, words in CASES:
        page = {"broker/meson.build": GOOD["broker/meson.build"] + "m = 'dienstweg-broker.1.scd'\n"}
        found = findings(rule, {**(page if "broker/meson.build" not in files else {}), **files})
        if rule == "format":
            found = [f for f in found if f[0] == where]
        hits = [f for f in found if f[0] == where and words in f[1]]
        report(f"{rule}: {name}", bool(hits) and len(found) == len(hits), found)


def check_covered(report):
    for rule in tidy.RULES:
        report(f"{rule} has a case", any(case[0] == rule for case in CASES), [])


def check_git(report):
    """Files that git does not know are left alone, unless asked for; a bad tree ends with exit 1."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        lay(root, {**GOOD, "stray/x.txt": ""})
        git = ["git", "-C", folder]
        try:
            subprocess.run([*git, "init", "-q"], check=True, capture_output=True)
            subprocess.run([*git, "add", "--", *GOOD], check=True, capture_output=True)
        except OSError:
            print("ok - git is absent: the tree is walked")
            return
        command = [sys.executable, str(HERE / "tidy.py"), "--root", folder, "top"]
        known = subprocess.run(command, capture_output=True, text=True, check=False)
        every = subprocess.run([*command, "--untracked"], capture_output=True, text=True, check=False)
        report("git: a stray file is left alone", known.returncode == 0, known.stdout)
        report("git: --untracked finds it", every.returncode == 1 and "stray:1" in every.stdout,
               every.stdout)


def main():
    bad = []

    def report(name, good, found):
        print(("ok - " if good else "not ok - ") + name)
        if not good:
            print(f"    found: {found}")
            bad.append(name)

    check_good(report)
    check_covered(report)
    check_bad(report)
    check_git(report)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
