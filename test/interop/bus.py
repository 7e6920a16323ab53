# SPDX-License-Identifier: EUPL-1.2
"""A whole bus in a folder, made by the programs that people use: keys, registry, policy, the broker."""
import json
import queue
import shutil
import signal
import socket
import subprocess
import threading

END_S = 60

SOURCE = {
    "bus.yaml": """
bus: interop.demo
stale_after: 400 days
roots:
  - name: root1.interop.demo
  - name: root2.interop.demo
  - name: root3.interop.demo
classes:
  - {number: 1, name: standard, content_days: 21, record_days: 730}
""",
    "parties.yaml": """
parties:
  - {name: city.interop, title: City}
  - {name: youth.interop, title: Youth office of the city, operated_by: city.interop}
  - {name: jobcenter.interop, title: Jobcenter}
  - {name: ministry.interop, title: Ministry}
""",
    "services.yaml": """
services:
  - {name: alg2.application, title: Application, retention: standard}
  - {name: alg2.status, title: Status of a case, retention: standard}
  - {name: figures, title: Figures, retention: standard, confidentiality: broker-readable}
  - {name: benefit.question, title: Benefits yes or no, retention: standard, pattern: enquiry, answer_within: 1 h,
     pending: 8}
  - {name: referral, title: Referral, retention: standard, overdue: 1 s, warn: 0 s}
  - {name: referral.slow, title: Referral with time, retention: standard, overdue: 1 h, warn: 3599 s}
  - {name: referral.slower, title: Referral with more time, retention: standard, overdue: 24 h}
  - name: event.death
    title: Death notice
    retention: standard
    confidentiality: broker-readable
    event: true
""",
    "agreements.yaml": """
agreements:
  - id: interop.alg2
    title: City and jobcenter
    legal_basis: none, this is a test
    first_day: 2021-07-01
    flows:
      - services: [alg2.application]
        from: [city.interop, youth.interop]
        to: jobcenter.interop
        regions: ["05124"]
      - {services: [benefit.question, referral, referral.slow, referral.slower], from: [city.interop], to: jobcenter.interop}
      - {services: [alg2.status], from: [jobcenter.interop], to: city.interop}
      - {services: [alg2.status], from: [jobcenter.interop], to: youth.interop}
      - {services: [event.death], from: [city.interop], to: jobcenter.interop}
      - {services: [event.death], from: [city.interop], to: ministry.interop}
  - id: interop.figures
    title: Figures of the state, and of one city apart
    legal_basis: none, this is a test
    first_day: 2021-07-01
    flows:
      - {services: [figures], from: [city.interop], to: ministry.interop, regions: ["05"]}
      - {services: [figures], from: [city.interop], to: jobcenter.interop, regions: ["05124"]}
  - id: interop.old
    title: Ended
    legal_basis: none, this is a test
    first_day: 2019-01-01
    last_day: 2020-12-31
    flows:
      - {services: [figures], from: [jobcenter.interop], to: ministry.interop}
""",
}
PARTIES = ["city.interop", "youth.interop", "jobcenter.interop", "ministry.interop"]
ROOTS = ["root1.interop.demo", "root2.interop.demo", "root3.interop.demo"]


class Bus:
    def __init__(self, folder, dienstweg, broker):
        self.folder, self.dienstweg, self.program = folder, dienstweg, broker
        self.keys, self.registry = folder / "keys", folder / "registry.signed"
        self.policy, self.log = folder / "policy", folder / "broker.log"
        self.process, self.lines, self.agencies = None, queue.Queue(), []
        # Bound and not listening: nobody else gets the port while the broker is away.
        self.port = socket.socket()
        self.port.bind(("127.0.0.1", 0))
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.endpoint = f"tcp://127.0.0.1:{self.port.getsockname()[1]}"

    def run(self, *words):
        done = subprocess.run([self.dienstweg, *map(str, words)], capture_output=True, text=True,
                              check=False, timeout=END_S)
        if done.returncode:
            raise RuntimeError(f"dienstweg {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout

    def make_keys(self):
        for kind, name in [("bus", "interop.demo"), *[("party", name) for name in PARTIES]]:
            self.run("keygen", kind, name, "--out", self.keys)
        for name in ROOTS:
            self.run("keygen", "root", name, "--out", self.folder / "roots")
        self.run("keygen", "master", "master", "--out", self.folder / "master")
        for name in ROOTS:
            shutil.copy(self.folder / "roots" / f"{name}.keys", self.keys)
        roots = [self.keys / f"{name}.keys" for name in ROOTS]
        self.run("registry", "policy", *roots, "--out", self.policy)

    def build_registry(self, out, previous=None, changes=None):
        """Version 1, or the one after the previous, from a source with changes; without signatures."""
        source = self.folder / "source"
        source.mkdir(exist_ok=True)
        for name, text in SOURCE.items():
            for old, new in (changes or {}).items():
                text = text.replace(old, new)
            (source / name).write_text(text)
        after = ["--previous", previous] if previous else ["--first"]
        self.run("registry", "build", "--source", source, "--keys", self.keys, *after,
                 "--out", out)

    def sign_registry(self, registry, root):
        secret = self.folder / "roots" / f"{root}.secret"
        self.run("registry", "sign", "--in", registry, "--key", secret)

    def write_config(self):
        (self.folder / "broker.yaml").write_text(f"""
bus: interop.demo
listen: [{self.endpoint}]
state: {self.folder}/state
registry: {self.registry}
policy: {self.policy}
keys: {self.keys}/interop.demo.secret
master_key: {self.folder}/master/master.key
journal: {{map_size: 256 MiB, disk_reserve: 1 MiB}}
limits: {{party_bytes: 1 MiB}}
""")

    def start(self, *words):
        """Start the broker and wait for the line that says that it serves."""
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [self.program, "--config", self.folder / "broker.yaml", "--demo", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self._read, args=(self.process.stderr, self.lines), daemon=True).start()
        self.wait_line("serving")

    def _read(self, pipe, lines):
        with pipe, open(self.log, "ab") as log:
            for line in pipe:
                log.write(line)
                log.flush()
                lines.put(line)
        lines.put(None)

    def wait_line(self, event):
        """The next line of the broker's log with this event."""
        while (line := self.lines.get(timeout=END_S)) is not None:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row.get("event") == event:
                return row
        raise RuntimeError(f"the broker ended without {event}:\n" + self.log.read_text()[-2000:])

    def reload(self, registry):
        """Put a registry where the broker looks for it, and see it in force."""
        registry.rename(self.registry)
        self.process.send_signal(signal.SIGHUP)
        self.wait_line("registry in force")

    def close(self):
        """End what a story that failed left behind."""
        for process in self.agencies:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.end(signal.SIGKILL)
        self.port.close()

    def end(self, how=signal.SIGTERM):
        if self.process is None:
            return 0
        self.process.send_signal(how)
        code = self.process.wait(timeout=END_S)
        self.process = None
        return code


class Agency:
    """A party that the C program plays: its configuration and its two verbs."""

    def __init__(self, bus, program, name, label=""):
        self.bus, self.program, self.folder = bus, program, bus.folder / f"agency-{label}{name}"
        self.folder.mkdir()
        (self.folder / "registry.signed").write_bytes(bus.registry.read_bytes())
        self.config = self.folder / "adapter.yaml"
        self.config.write_text(f"""
bus: interop.demo
broker: {bus.endpoint}
party: {name}
keys: [{bus.keys}/{name}.secret]
registry: registry.signed
policy: {bus.policy}
state: state
connector: {{kind: none}}
""")

    def start(self, verb, *words):
        process = subprocess.Popen([self.program, verb, "--config", self.config, "--demo",
                                    *(["--json"] if verb != "evidence" else []), *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.bus.agencies.append(process)
        return process

    def finish(self, process):
        """Wait for its end; the events that it told."""
        try:
            out, err = process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{process.args}: {process.returncode}: {out}{err}")
        return [json.loads(line) for line in out.splitlines()]
