// SPDX-License-Identifier: EUPL-1.2

// Checks our receipts with @sigstore/verify, which was written for another log and knows nothing of us:
//
//   node verify.js NODE_MODULES POLICY PROOF...
//
// A line for each proof that holds, exit 1 with a reason at the first that does not. Two things are asked of
// the library that it does not offer at its front door, inclusion and checkpoint without a Rekor entry around
// them: hence the paths into it. It demands that it knows every signer of a note, so lines by others than the
// pinned log keys (cosignatures of witnesses, a key that is not pinned), are left out.
"use strict";
const fs = require("fs");
const path = require("path");
const crypto = require("crypto");

const [modules, policyPath, ...proofs] = process.argv.slice(2);
const inside = path.join(path.resolve(modules), "@sigstore", "verify", "dist", "timestamp");
const { verifyCheckpoint } = require(path.join(inside, "checkpoint.js"));
const { verifyMerkleInclusion } = require(path.join(inside, "merkle.js"));

const SPKI = Buffer.from("302a300506032b6570032100", "hex"); // Ed25519

function readLogs(text) {
  return text.split("\n").filter((line) => line.startsWith("log ")).map((line) => {
    const [name, hash, key] = line.split(" ")[1].split("+");
    const bytes = Buffer.from(line.split(" ")[1].slice(name.length + hash.length + 2), "base64");
    if (!key || bytes.length !== 33 || bytes[0] !== 1) throw new Error(`no log key: ${line}`);
    return {
      name,
      logID: Buffer.from(hash, "hex"),
      publicKey: crypto.createPublicKey({
        key: Buffer.concat([SPKI, bytes.subarray(1)]), format: "der", type: "spki" }),
      validFor: { start: new Date(0), end: new Date(8.64e15) },
    };
  });
}

function readProof(text) {
  const at = text.indexOf("\n\n");
  const [magic, extra, index, ...hashes] = text.slice(0, at).split("\n");
  if (magic !== "c2sp.org/tlog-proof@v1" || !extra.startsWith("extra ") || !index.startsWith("index "))
    throw new Error("no tlog-proof");
  return {
    stub: Buffer.from(extra.slice(6), "base64").subarray(1, 36),
    index: index.slice(6),
    hashes: hashes.map((hash) => Buffer.from(hash, "base64")),
    note: text.slice(at + 2),
  };
}

function isBy(line, logs) {
  const [, name, blob] = line.split(" ");
  return logs.some((log) => log.name === name &&
    log.logID.equals(Buffer.from(blob, "base64").subarray(0, 4)));
}

function check(file, logs) {
  const proof = readProof(fs.readFileSync(file, "utf8"));
  const end = proof.note.indexOf("\n\n");
  const [origin, treeSize, root] = proof.note.slice(0, end).split("\n");
  const mine = logs.filter((log) => log.name === origin);
  const lines = proof.note.slice(end + 2).split("\n").filter((line) => isBy(line, mine));
  const entry = {
    integratedTime: "0",
    canonicalizedBody: proof.stub,
    inclusionProof: {
      logIndex: proof.index,
      treeSize,
      rootHash: Buffer.from(root, "base64"),
      hashes: proof.hashes,
      checkpoint: { envelope: proof.note.slice(0, end + 2) + lines.join("\n") + "\n" },
    },
  };
  if (proof.stub.length !== 35) throw new Error("no stub");
  verifyCheckpoint(entry, mine);
  verifyMerkleInclusion(entry);
  console.log(`proof holds: entry ${proof.index} of ${treeSize}, kind ${proof.stub[1]}`);
}

const logs = readLogs(fs.readFileSync(policyPath, "utf8"));
for (const file of proofs) {
  try {
    check(file, logs);
  } catch (wrong) {
    console.error(`${file}: ${wrong.message}`);
    process.exit(1);
  }
}
