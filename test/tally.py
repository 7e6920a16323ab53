#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Counts test results from what meson wrote.

A test program prints "ok - NAME" for each case it finished (test/kit/check.h), so a program of twenty
cases counts as twenty; a program that failed counts the cases it finished and one failure; a program
that says nothing counts as one.

  tally.py count LOG.json BUILD SUITE
                             "PASSED FAILED SKIPPED" of one meson run; a test of the suite that left no
                             record failed
  tally.py suites BUILD      suites of the tests in a build folder; 1 if a test is in none that runs
  tally.py lines STATUS      the same three numbers from "ok"/"not ok" lines on stdin, exit code STATUS
  tally.py skips LOG.json... why programs were skipped, once each
  tally.py failures LOG.json...
                             what failed, with the end of what it printed: whoever has only the last
                             page of a long output sees it too
"""
import json
import pathlib
import re
import sys

RUN = {"unit", "fuzz", "scenario", "fault", "sim", "interop", "tidy"}
CASE = re.compile(r"^ok - ", re.M)
BAD_CASE = re.compile(r"^not ok - ", re.M)
SKIP = re.compile(r"^skipped: (.*)$", re.M)
END_LINES = 30


def records(log):
    with open(log, encoding="utf-8", errors="replace") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def tests_of(build):
    tests = json.loads((pathlib.Path(build) / "meson-info/intro-tests.json").read_text())
    return [(test["name"], {name.rpartition(":")[2] for name in test["suite"]}) for test in tests]


def count(log, build, suite):
    ran = records(log)
    passed = skipped = 0
    failed = max(0, sum(suite in mine for _, mine in tests_of(build)) - len(ran))
    for record in ran:
        cases = len(CASE.findall(record.get("stdout") or ""))
        if record["result"] in ("OK", "EXPECTEDFAIL"):
            passed += max(cases, 1)
        elif record["result"] == "SKIP":
            passed += cases
            skipped += 1
        else:
            passed += cases
            failed += 1
    return f"{passed} {failed} {skipped}"


def lines(status, text):
    passed = len(CASE.findall(text))
    failed = len(BAD_CASE.findall(text))
    # A script that died says so by its exit code alone.
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    return f"{passed} {failed} 0"


def suites(build):
    found, lost = set(), []
    for name, mine in tests_of(build):
        found |= mine
        if not mine & RUN:
            lost.append(name)
    for name in lost:
        print(f"not ok - test {name} is in no suite that test/run knows", file=sys.stderr)
    return " ".join(sorted(found)), bool(lost)


def skips(logs):
    seen = {}
    for log in logs:
        for record in records(log):
            if record["result"] != "SKIP":
                continue
            name = record["name"].rpartition(" / ")[2]
            for why in SKIP.findall(record.get("stdout") or "") or ["no reason given"]:
                seen.setdefault((name, why), None)
    return [f"skipped: {name}: {why}" for name, why in seen]


def failures(logs):
    told = []
    for log in logs:
        for record in records(log):
            if record["result"] in ("OK", "EXPECTEDFAIL", "SKIP"):
                continue
            told.append(f"failed: {pathlib.Path(log).parts[-3]}: {record['name']}: {record['result']}")
            for stream in ("stdout", "stderr"):
                last = (record.get(stream) or "").splitlines()[-END_LINES:]
                told += [f"  {stream}: {line}" for line in last]
    return told


def main(argv):
    match argv[1:]:
        case ["count", log, build, suite]:
            print(count(log, build, suite))
        case ["lines", status]:
            print(lines(int(status), sys.stdin.read()))
        case ["suites", build]:
            names, lost = suites(build)
            print(names)
            return 1 if lost else 0
        case ["skips", *logs]:
            for line in skips([log for log in logs if pathlib.Path(log).is_file()]):
                print(line)
        case ["failures", *logs]:
            for line in failures([log for log in logs if pathlib.Path(log).is_file()]):
                print(line)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
