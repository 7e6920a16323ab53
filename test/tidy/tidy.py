#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Checks that the house is still ours: run by ./test/run, or alone.

usage: tidy.py [--root DIR] [--untracked] [--list] [RULE...]

Each rule prints "ok - RULE" or its findings as "FILE:LINE: what is wrong, remedy" and "not ok - RULE".
Exit 0 when every rule holds. --untracked looks also at files that git does not know yet.
"""
import argparse
import pathlib
import sys

import code_rules
import doc_rules
import house_rules
from tree import Tree

RULES = {**house_rules.RULES, **code_rules.RULES, **doc_rules.RULES}


def main():
    parser = argparse.ArgumentParser(description="checks the house rules")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--untracked", action="store_true", help="also files git does not know yet")
    parser.add_argument("--list", action="store_true", help="name the rules and what they ask for")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    args = parser.parse_args()
    if args.list:
        for name, rule in RULES.items():
            print(f"{name:10} {rule.__doc__.splitlines()[0]}")
        return 0
    unknown = [name for name in args.rules if name not in RULES]
    if unknown:
        parser.error(f"no such rule: {', '.join(unknown)}; --list names them")

    tree = Tree(args.root, args.untracked)
    bad = 0
    for name in args.rules or RULES:
        findings = sorted(set(RULES[name](tree)))
        for file, line, what in findings:
            print(f"{file}:{line}: {what}")
        print(f"not ok - {name} ({len(findings)} findings)" if findings else f"ok - {name}")
        bad += bool(findings)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
