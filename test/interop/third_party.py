#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Exports and proofs under programs that others wrote: Go's golang.org/x/mod/sumdb and npm's
@sigstore/verify.

usage: third_party.py --cache DIR --policy FILE [--export DIR] [--proof FILE]... [--consistency FILE]...
       third_party.py --cache DIR --policy FILE --admin PROGRAM --journal DIR --export DIR

With --journal, the journal is exported first, or the export brought up to date. The policy has to pin the
log's key. Exit 0 when everything holds, 1 when something does not, 77 when neither of the two verifiers can be
had on this machine. Both are built once into the cache.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GOPATH = pathlib.Path("/usr/share/gocode")
SKIPPED = 77
TOOL_S = 300


class Absent(Exception):
    """A verifier that this machine does not have, and why."""


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                          timeout=TOOL_S, **options)


class Go:
    """golang.org/x/mod/sumdb, as Debian packages it."""
    name = "Go"

    def __init__(self, cache):
        self.program, source = cache / "verify-go", HERE / "go" / "verify.go"
        if not shutil.which("go"):
            raise Absent("no Go: the package golang-go is missing")
        if not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
            raise Absent("no golang.org/x/mod/sumdb: the package golang-golang-x-mod-dev is missing")
        if self.program.exists() and self.program.stat().st_mtime >= source.stat().st_mtime:
            return
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": "",
                       "GOCACHE": str(cache / "go")}
        done = run("go", "build", "-o", self.program, source, env=environment)
        if done.returncode:
            raise RuntimeError(f"verify.go does not build: {done.stderr}")

    def check(self, policy, what, *paths):
        return run(self.program, policy, what, *paths)


class JavaScript:
    """@sigstore/verify, as npm has it: proofs of entries only."""
    name = "@sigstore/verify"

    def __init__(self, cache):
        folder = cache / "js"
        self.modules = folder / "node_modules"
        lock = (HERE / "js" / "package-lock.json").read_bytes()
        for program in ("node", "npm"):
            if not shutil.which(program):
                raise Absent(f"no {program}: the package {program.replace('node', 'nodejs')} is missing")
        done = folder / "installed"
        if done.exists() and done.read_bytes() == lock:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "js" / name, folder)
        # "ci" installs what the lock names, by its hashes, from whatever registry this machine uses.
        installed = run("npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts",
                        cwd=folder)
        if installed.returncode:
            raise Absent("npm cannot install @sigstore/verify: "
                         + (installed.stderr.strip().splitlines() or ["no reason given"])[0])
        done.write_bytes(lock)

    def check(self, policy, what, *paths):
        if what != "proof":
            raise ValueError(what)
        return run("node", HERE / "js" / "verify.js", self.modules, policy, *paths)


def verifiers(cache):
    """([those that can be had], [why others cannot])."""
    cache.mkdir(parents=True, exist_ok=True)
    have, lacking = [], []
    for kind in (Go, JavaScript):
        try:
            have.append(kind(cache))
        except Absent as why:
            lacking.append(str(why))
    return have, lacking


def check(have, policy, what, *paths):
    """What each verifier that can do so says about some files: [(name, exit code, text)]."""
    said = []
    for verifier in have:
        if what == "proof" or isinstance(verifier, Go):
            done = verifier.check(policy, what, *paths)
            said.append((verifier.name, done.returncode, done.stdout + done.stderr))
    return said


def main():
    parser = argparse.ArgumentParser(description="exports and proofs under programs of others")
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--admin", help="dienstweg-admin, for --journal")
    parser.add_argument("--journal")
    parser.add_argument("--export")
    parser.add_argument("--proof", action="append", default=[])
    parser.add_argument("--consistency", action="append", default=[])
    args = parser.parse_args()
    have, lacking = verifiers(args.cache)
    for why in lacking:
        print(f"skipped: {why}")
    if not have:
        return SKIPPED
    if args.journal:
        done = run(args.admin, "audit", "export", args.export, "--journal", args.journal)
        if done.returncode:
            print(done.stdout + done.stderr, end="")
            return 1
    said = []
    for what, paths in (("export", [args.export] if args.export else []), ("proof", args.proof),
                        ("consistency", args.consistency)):
        said += check(have, args.policy, what, *paths) if paths else []
    for name, _, text in said:
        print(f"{name}: {text}", end="")
    return any(code for _, code, _ in said)


if __name__ == "__main__":
    sys.exit(main())
