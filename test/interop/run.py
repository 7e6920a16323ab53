#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""A client written from the documents alone against the real programs.

usage: run.py --dienstweg PROGRAM --broker PROGRAM [--party PROGRAM] [--keep]

Each story prints "ok - STORY". Exit 0 when all went well, 77 when Python packages are missing.
"""
import argparse
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77


def missing():
    """What this test needs and this machine does not have."""
    names = {"zmq": "python3-zmq", "nacl": "python3-nacl", "google.protobuf": "python3-protobuf"}
    for module, package in names.items():
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            yield package
    if shutil.which("protoc") is None:
        yield "protobuf-compiler"


def make_protocol(folder):
    """The modules that protoc makes of the .proto files, on the module path."""
    folder.mkdir()
    protos = [f"proto/{name}.proto" for name in ("envelope", "frame", "journal", "registry")]
    subprocess.run(["protoc", f"--proto_path={ROOT}", f"--python_out={folder}", *protos], check=True,
                   cwd=ROOT)
    # An installed package of the same name would win over a folder that is none.
    (folder / "proto" / "__init__.py").touch()
    sys.path.insert(0, str(folder))


def tell(world, stories):
    for story in stories:
        story(world)
        print(f"ok - {story.__name__.replace('_', ' ')}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="a Python client against the real programs")
    parser.add_argument("--dienstweg", required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--party", help="without it, no story has a C party in it")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the bus")
    args = parser.parse_args()
    lacking = list(missing())
    if lacking:
        print(f"skipped: missing Debian packages: {', '.join(lacking)}")
        return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dienstweg-interop-"))
    make_protocol(folder / "protocol")
    import story_case  # these need what protoc made
    import story_lies
    import story_party
    import story_trouble
    import story_trust
    from world import World
    stories = story_trust.STORIES + story_case.STORIES + story_lies.STORIES \
        + story_trouble.STORIES
    if args.party:
        stories += story_party.STORIES
    world, done = World(folder, args), False
    try:
        tell(world, stories)
        done = True
    finally:
        world.close()
        if done and not args.keep:
            shutil.rmtree(folder)
        else:
            print(f"# the bus is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
