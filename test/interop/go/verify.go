// SPDX-License-Identifier: EUPL-1.2

// Verify checks our exports and proofs with golang.org/x/mod/sumdb, a library that knows nothing of us and
// that others maintain. What it needs from us beside that library is said in docs/journal.md: where the files
// stand, and how a checkpoint's text reads (tlog.ParseTree takes Go's own logs only).
//
//	verify POLICY export DIR
//	verify POLICY proof FILE...
//	verify POLICY consistency FILE...
//
// A line for each thing that holds, exit 1 with a reason at the first that does not.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height   = 8
	width    = 1 << height
	stubSize = 35
	samples  = 64 // proofs tried out of each export
)

// A witness cosigns with algorithm 4: the time stands before the signature and under it.
type witness struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }
func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	text := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, msg)
	return ed25519.Verify(w.public, []byte(text), sig[8:])
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no verifier key: " + vkey)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, errors.New("no witness's key: " + vkey)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:4])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("the hash does not fit: " + vkey)
	}
	return &witness{parts[0], hash, ed25519.PublicKey(key[1:])}, nil
}

// What a policy pins. Groups are flat here, as our policies have them.
type policy struct {
	verifiers note.Verifiers
	logs      map[string]bool
	members   map[string]string // witness: name of its key
	quorum    []string          // names of those that count
	threshold int
}

func readPolicy(path string) (*policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &policy{logs: map[string]bool{}, members: map[string]string{}}
	groups := map[string][]string{}
	var list []note.Verifier
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch words[0] {
		case "log":
			verifier, err := note.NewVerifier(words[1])
			if err != nil {
				return nil, err
			}
			p.logs[verifier.Name()] = true
			list = append(list, verifier)
		case "witness":
			verifier, err := newWitness(words[2])
			if err != nil {
				return nil, err
			}
			p.members[words[1]] = verifier.Name()
			list = append(list, verifier)
		case "group":
			groups[words[1]] = words[2:]
		case "quorum":
			if words[1] == "none" {
				continue
			}
			group := groups[words[1]]
			if group == nil {
				group = []string{"1", words[1]}
			}
			p.quorum = group[1:]
			switch group[0] {
			case "any":
				p.threshold = 1
			case "all":
				p.threshold = len(p.quorum)
			default:
				if p.threshold, err = strconv.Atoi(group[0]); err != nil {
					return nil, err
				}
			}
		}
	}
	p.verifiers = note.VerifierList(list...)
	return p, nil
}

type checkpoint struct {
	tree     tlog.Tree
	cosigned int
	final    bool
}

// openCheckpoint demands the signature of the log that the checkpoint names.
func (p *policy) openCheckpoint(msg []byte) (*checkpoint, error) {
	n, err := note.Open(msg, p.verifiers)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 {
		return nil, errors.New("checkpoint: too short")
	}
	signed := map[string]bool{}
	for _, sig := range n.Sigs {
		signed[sig.Name] = true
	}
	if !p.logs[lines[0]] || !signed[lines[0]] {
		return nil, errors.New("checkpoint: not signed by a pinned key of " + lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return nil, errors.New("checkpoint: no size: " + lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	c := &checkpoint{tree: tlog.Tree{N: size, Hash: root}}
	for _, name := range p.quorum {
		if signed[p.members[name]] {
			c.cosigned++
		}
	}
	c.final = p.threshold > 0 && c.cosigned >= p.threshold
	return c, nil
}

// Exports

type export struct {
	dir string
}

func place(n int64) string {
	text := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		text = fmt.Sprintf("x%03d/%s", n%1000, text)
	}
	return text
}

func (e export) read(kind string, n int64, w int) ([]byte, error) {
	path := filepath.Join(e.dir, "tile", kind, place(n))
	if w < width {
		path += fmt.Sprintf(".p/%d", w)
	}
	return os.ReadFile(path)
}

func (e export) Height() int                         { return height }
func (e export) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (e export) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := e.read(strconv.Itoa(tile.L), tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// entries hashes the stubs of all bundles.
func (e export) entries(size int64) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for n := int64(0); int64(len(leaves)) < size; n++ {
		w := width
		if left := size - int64(len(leaves)); left < width {
			w = int(left)
		}
		data, err := e.read("entries", n, w)
		if err != nil {
			return nil, err
		}
		for i := 0; i < w; i++ {
			if len(data) < 2+stubSize || binary.BigEndian.Uint16(data) != stubSize {
				return nil, fmt.Errorf("bundle %d: entry %d is no stub", n, i)
			}
			leaves = append(leaves, tlog.RecordHash(data[2:2+stubSize]))
			data = data[2+stubSize:]
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("bundle %d: longer than its entries", n)
		}
	}
	return leaves, nil
}

// treeOf computes all hashes of a tree from its leaves, as Go's logs store them.
func treeOf(leaves []tlog.Hash) (tlog.HashReaderFunc, error) {
	var stored []tlog.Hash
	reader := func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	}
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaf, tlog.HashReaderFunc(reader))
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	return reader, nil
}

func checkTiles(tree tlog.Tree, leaves []tlog.Hash, tiles tlog.HashReader) error {
	for from := 0; from < len(leaves); from += width {
		to := from + width
		if to > len(leaves) {
			to = len(leaves)
		}
		var indexes []int64
		for i := from; i < to; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, int64(i)))
		}
		hashes, err := tiles.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, hash := range hashes {
			if hash != leaves[from+i] {
				return fmt.Errorf("tile: entry %d has another hash", from+i)
			}
		}
	}
	return nil
}

func checkProofs(tree tlog.Tree, leaves []tlog.Hash, tiles tlog.HashReader, all tlog.HashReader) error {
	step := tree.N/samples + 1
	for n := int64(0); n < tree.N; n += step {
		proof, err := tlog.ProveRecord(tree.N, n, tiles)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaves[n])
		}
		if err != nil {
			return fmt.Errorf("inclusion of %d: %w", n, err)
		}
		old, err := tlog.TreeHash(n+1, all)
		if err != nil {
			return err
		}
		older, err := tlog.ProveTree(tree.N, n+1, tiles)
		if err == nil {
			err = tlog.CheckTree(older, tree.N, tree.Hash, n+1, old)
		}
		if err != nil {
			return fmt.Errorf("consistency with %d: %w", n+1, err)
		}
	}
	return nil
}

func (p *policy) checkExport(dir string) error {
	e := export{dir}
	msg, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	c, err := p.openCheckpoint(msg)
	if err != nil {
		return err
	}
	leaves, err := e.entries(c.tree.N)
	if err != nil {
		return err
	}
	all, err := treeOf(leaves)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(c.tree.N, all)
	if err != nil {
		return err
	}
	if root != c.tree.Hash {
		return errors.New("the entries do not give the signed root")
	}
	tiles := tlog.TileHashReader(c.tree, e)
	if err := checkTiles(c.tree, leaves, tiles); err != nil {
		return err
	}
	if err := checkProofs(c.tree, leaves, tiles, all); err != nil {
		return err
	}
	fmt.Printf("export holds: %d entries, root %v, cosigned by %d, final %v\n", c.tree.N, c.tree.Hash,
		c.cosigned, c.final)
	return nil
}

// Proofs

func hashes(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

func cut(line, word string) (string, error) {
	if !strings.HasPrefix(line, word+" ") {
		return "", fmt.Errorf("no line %q", word)
	}
	return line[len(word)+1:], nil
}

// stubOf takes the stub out of an extra line, and rebuilds it where the parts are there.
func stubOf(extra []byte) ([]byte, error) {
	if len(extra) == 1+stubSize && extra[0] == 2 {
		return extra[1:], nil
	}
	if len(extra) < 1+stubSize+64+49 || extra[0] != 1 {
		return nil, errors.New("extra: no stub")
	}
	stub, nonce, private, disclosed := extra[1:36], extra[36:68], extra[68:100], extra[100:]
	h := sha256.New()
	h.Write([]byte("dienstweg/v1/stub\x00"))
	h.Write(nonce)
	binary.Write(h, binary.BigEndian, uint32(len(disclosed)))
	h.Write(disclosed)
	h.Write(private)
	if stub[0] != 0 || stub[1] != disclosed[0] || !bytes.Equal(stub[3:], h.Sum(nil)) {
		return nil, errors.New("extra: the stub is not made of its parts")
	}
	return stub, nil
}

func (p *policy) checkProof(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	front, msg, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(front, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no tlog-proof")
	}
	c, err := p.openCheckpoint([]byte(msg))
	if err != nil {
		return err
	}
	word, err := cut(lines[1], "extra")
	if err != nil {
		return err
	}
	extra, err := base64.StdEncoding.Strict().DecodeString(word)
	if err != nil {
		return err
	}
	stub, err := stubOf(extra)
	if err != nil {
		return err
	}
	if word, err = cut(lines[2], "index"); err != nil {
		return err
	}
	index, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return err
	}
	path_, err := hashes(lines[3:])
	if err != nil {
		return err
	}
	if index < 0 || index >= c.tree.N {
		return errors.New("index: outside the tree")
	}
	err = tlog.CheckRecord(path_, c.tree.N, c.tree.Hash, index, tlog.RecordHash(stub))
	if err == nil {
		fmt.Printf("proof holds: entry %d of %d, kind %d, final %v\n", index, c.tree.N, stub[1], c.final)
	}
	return err
}

func treeLine(line, word string) (tlog.Tree, error) {
	words := strings.Split(line, " ")
	if len(words) != 3 || words[0] != word {
		return tlog.Tree{}, fmt.Errorf("no line %q", word)
	}
	size, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(words[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func (p *policy) checkConsistency(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	front, msg, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(front, "\n")
	if len(lines) < 3 || lines[0] != "dienstweg/v1/consistency" {
		return errors.New("no consistency file")
	}
	older, err := treeLine(lines[1], "old")
	if err != nil {
		return err
	}
	newer, err := treeLine(lines[2], "new")
	if err != nil {
		return err
	}
	c, err := p.openCheckpoint([]byte(msg))
	if err != nil {
		return err
	}
	if c.tree != newer {
		return errors.New("the checkpoint is of another tree")
	}
	proof, err := hashes(lines[3:])
	if err == nil {
		err = tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash)
	}
	if err == nil {
		fmt.Printf("consistency holds: %d begins with %d\n", newer.N, older.N)
	}
	return err
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: verify POLICY export|proof|consistency PATH...")
	}
	p, err := readPolicy(args[0])
	if err != nil {
		return err
	}
	check := map[string]func(string) error{
		"export": p.checkExport, "proof": p.checkProof, "consistency": p.checkConsistency}[args[1]]
	if check == nil {
		return errors.New("no such check: " + args[1])
	}
	for _, path := range args[2:] {
		if err := check(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
