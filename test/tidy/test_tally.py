#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Shows that the verdict counts what happened: above all, that nothing bad is counted as good."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tally  # noqa: E402


def record(result, stdout="", name="dienstweg:unit / a"):
    return {"name": name, "result": result, "stdout": stdout}


COUNTS = [
    ("a silent program is one", [record("OK")], "1 0 0"),
    ("cases are counted", [record("OK", "ok - a\nok - b\nnoise ok - c\n")], "2 0 0"),
    ("a failure keeps its finished cases", [record("FAIL", "ok - a\n")], "1 1 0"),
    ("a timeout is a failure", [record("TIMEOUT")], "0 1 0"),
    ("a crash is a failure", [record("ERROR", "ok - a\n")], "1 1 0"),
    ("an interrupted test is a failure", [record("INTERRUPT")], "0 1 0"),
    ("an unexpected pass is a failure", [record("UNEXPECTEDPASS")], "0 1 0"),
    ("a skip is no pass", [record("SKIP", "skipped: no data\n")], "0 0 1"),
    ("a test without record is a failure", [], "0 1 0"),
]
LINES = [
    ("lines are counted", 0, "ok - a\nok - b\n", "2 0 0"),
    ("bad lines are counted", 1, "ok - a\nnot ok - b\n", "1 1 0"),
    ("a script that died is a failure", 1, "ok - a\n", "1 1 0"),
    ("a script that says nothing is a failure", 0, "", "0 1 0"),
]


def main():
    bad = []

    def report(name, found, expected):
        print(("ok - " if found == expected else "not ok - ") + name)
        if found != expected:
            print(f"    found {found}, expected {expected}")
            bad.append(name)

    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder)
        log = build / "log.json"
        (build / "meson-info").mkdir()
        intro = build / "meson-info/intro-tests.json"
        intro.write_text(json.dumps([{"name": "a", "suite": ["dienstweg:unit"]}]))
        for name, records, expected in COUNTS:
            log.write_text("".join(json.dumps(r) + "\n" for r in records))
            report(name, tally.count(log, build, "unit"), expected)
        log.write_text(json.dumps(record("SKIP", "skipped: no data\n")) + "\n")
        report("a skip tells why", tally.skips([log]), ["skipped: a: no data"])
        logs = build / "gcc/meson-logs"
        logs.mkdir(parents=True)
        failed = record("FAIL", "ok - a\nnot ok - b\n") | {"stderr": "a.c:7: two\n"}
        (logs / "unit.json").write_text(json.dumps(record("OK", "ok - a\n")) + "\n" + json.dumps(failed))
        report(
            "a failure is told once more",
            tally.failures([logs / "unit.json"]),
            [
                "failed: gcc: dienstweg:unit / a: FAIL",
                "  stdout: ok - a",
                "  stdout: not ok - b",
                "  stderr: a.c:7: two",
            ],
        )
        intro.write_text(json.dumps([{"name": "a", "suite": ["dienstweg:odd"]}]))
        with contextlib.redirect_stderr(io.StringIO()):
            report("a test in no known suite is noticed", tally.suites(build), ("odd", True))
    for name, status, text, expected in LINES:
        report(name, tally.lines(status, text), expected)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
