# SPDX-License-Identifier: EUPL-1.2
"""Rules on code: format, banned calls, size, state."""
import re
import subprocess

from tree import functions, top_level

BANNED = {
    "unbounded: copy with an explicit length (memcpy, snprintf)":
        "strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets scanf fscanf sscanf",
    "hidden state: parse over struct bytes": "strtok strtok_r",
    "silent on bad numbers: text_parse_u64() and friends":
        "atoi atol atoll atof strtol strtoul strtoll strtoull strtod strtof",
    "weak: random_fill()": "rand srand random srandom rand_r drand48",
    "a shell between us and the program: posix_spawn or execve": "system popen",
    "waiting for time to pass: wait for the event (poll, eventfd, timerfd, inotify)":
        "sleep usleep nanosleep clock_nanosleep",
    "stack without bound: arena or a fixed buffer": "alloca",
    "jumps past cleanups: return an error": "setjmp longjmp sigsetjmp siglongjmp",
    "not for two threads: the _r form": "localtime gmtime ctime asctime strerror",
}
# Where a banned call is at home, with the reason.
BANNED_AT_HOME = {
    "proto/base/text.c": {"strtod"},  # text_* is the wrapper that everybody else uses
}
TEST_ONLY = {"popen"}

MUTABLE_AT_HOME = {
    "proto/base/log.c": "a log line must be writable from everywhere; set once before threads start",
}

FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70


def check_format(tree):
    """clang-format has nothing to change."""
    names = [s.name for s in tree.select(".c", ".h")]
    if not names:
        return
    command = ["clang-format", "--dry-run", "-Werror", "--style=file", *names]
    try:
        done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield ".clang-format", 1, "clang-format is missing: ./deploy/packages test"
        return
    found = False
    for match in re.finditer(r"^([^:\n]+):(\d+):\d+: error: code should be", done.stderr, re.M):
        found = True
        yield match.group(1), int(match.group(2)), "not formatted: clang-format -i " + match.group(1)
    if done.returncode and not found:
        yield ".clang-format", 1, done.stderr.strip().replace("\n", " ")


def check_banned(tree):
    """No calls that copy without bound, hide state, or wait for time to pass."""
    reasons = {name: why for why, names in BANNED.items() for name in names.split()}
    call = re.compile(r"(?<![\w.>])(" + "|".join(reasons) + r")\s*\(")
    for source in tree.select(".c", ".h"):
        home = next((v for k, v in BANNED_AT_HOME.items() if source.name.startswith(k)), set())
        for match in call.finditer(source.code):
            name = match.group(1)
            if name in home or (name in TEST_ONLY and source.is_test()):
                continue
            yield source.name, source.line_of(match.start()), f"{name}() is {reasons[name]}"
        for match in re.finditer(r"\b(?:poll|select)\s*\(\s*(?:NULL|0)\s*,", source.code):
            yield (source.name, source.line_of(match.start()),
                   "poll() on nothing is a sleep: wait for the event")


def call_text(code, start):
    """Arguments of the call whose '(' stands at start."""
    depth = 0
    for offset in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[offset], 0)
        if depth == 0:
            return code[start + 1:offset]
    return code[start + 1:]


def check_asserts(tree):
    """assert() only looks: no assignment, no increment inside."""
    for source in tree.select(".c", ".h"):
        for match in re.finditer(r"(?<!\w)assert\s*\(", source.code):
            inside = call_text(source.code, match.end() - 1)
            if re.search(r"\+\+|--|(?<![=!<>])=(?!=)", inside):
                yield (source.name, source.line_of(match.start()),
                       "assert() with a side effect: do the work before it")


def check_size(tree):
    """Files stay under 700 lines, functions under 70."""
    for source in tree.select(".c", ".h", ".py", ".proto"):
        count = source.text.count("\n")
        if count > FILE_LINES_MAX:
            yield (source.name, count,
                   f"{count} lines, at most {FILE_LINES_MAX}: it holds more than one noun, split it")
        if not source.is_c():
            continue
        for function in functions(source):
            length = function.last - function.first + 1
            if length > FUNCTION_LINES_MAX:
                yield (source.name, function.first, f"{function.name}() has {length} lines, at most "
                       f"{FUNCTION_LINES_MAX}: give its steps names")


def is_mutable(head, tail):
    """Does this declaration (text before its initialiser) make a variable that can change?"""
    # Attributes have parentheses that would look like a function's.
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)|_Alignas\s*\([^)]*\)", " ", head, flags=re.S).strip()
    if not head or re.match(r"(typedef|extern)\b", head):
        return False
    # The first parenthesis decides: a function may well take a pointer to one.
    pointer_to_function = re.match(
        r"[^(]*\(\s*\*\s*(const\b\s*)?\w+\s*(\[[^\]]*\]\s*)*\)\s*\(", head)
    if pointer_to_function:
        return not pointer_to_function.group(1)
    if "(" in head:
        return False  # a function, or a macro that makes one
    if re.fullmatch(r"(struct|union|enum)(\s+\w+)?", head):
        # A type, unless a variable follows its body.
        head = tail.rpartition("}")[2].strip()
        return bool(head)
    if not re.search(r"\w+\s+[\w*]", head):
        return False
    after_star = head.rpartition("*")[2] if "*" in head else head
    return not re.search(r"\bconst\b", after_star)


def check_state(tree):
    """No state outside structs: nothing mutable at file scope, no mutable static in a function."""
    for source in tree.select(".c", ".h"):
        # A test program runs its cases one after the other and ends: its scratch may be static.
        if source.is_test() or source.name.startswith(tuple(MUTABLE_AT_HOME)):
            continue
        for line, head, tail in top_level(source):
            if is_mutable(head, tail):
                yield source.name, line, "mutable state at file scope: put it into a struct, or const"
        for match in re.finditer(r"^[ \t]+static\s+([^;={]*)[;={]", source.code, re.M):
            if is_mutable(match.group(1), ""):
                yield (source.name, source.line_of(match.start()),
                       "mutable static in a function: pass it in, or const")
        for match in re.finditer(r"\b(_Thread_local|__thread)\b", source.code):
            yield (source.name, source.line_of(match.start()),
                   "thread-local state is a global in disguise: pass it in")


def check_types(tree):
    """A struct, enum or union is called by its name, without typedef; headers open with #pragma once."""
    for source in tree.select(".c", ".h"):
        for match in re.finditer(r"\btypedef\s+(struct|enum|union)\b", source.code):
            yield (source.name, source.line_of(match.start()),
                   f"typedef of a {match.group(1)}: write {match.group(1)} NAME")
        if source.name.endswith(".h") and not re.search(r"^#pragma once$", source.text, re.M):
            yield source.name, 1, "no #pragma once: add it after the licence line"


RULES = {
    "format": check_format,
    "banned": check_banned,
    "asserts": check_asserts,
    "size": check_size,
    "state": check_state,
    "types": check_types,
}
