// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

const (
	// entryMark is the beginning of an entry. It counts up with every change of how keys and entries are laid out: mark,
	// CRC-32C of what follows, length of the key, key, answer.
	entryMark = "rt filter 1\n"
	// maxEntries and maxEntryBytes bound the cache. A machine has a handful of profiles.
	maxEntries    = 64
	nameBytes     = 16
	maxEntryBytes = 64 << 10
)

// key is what a compiled filter depends on: the profile, the compiler with its libseccomp, the architecture, and the
// kernel, which libseccomp asks what it can do.
type key []byte

func newKey(request []byte) (key, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	k := make(key, 0, len(request)+512)
	for _, input := range [][]byte{
		[]byte(identity), []byte(runtime.GOARCH), cString(name.Release[:]), cString(name.Version[:]), cString(name.Machine[:]), request,
	} {
		k = binary.AppendUvarint(k, uint64(len(input))) // so that no two lists of inputs read the same
		k = append(k, input...)
	}
	return k, nil
}

func cString(b []byte) []byte {
	before, _, _ := bytes.Cut(b, []byte{0})
	return before
}

// name is the name of the key's entry. It finds the entry, and no more: the entry has the whole key.
func (k key) name() string {
	h := fnv.New64a()
	h.Write(k)
	return hex.EncodeToString(h.Sum(nil))
}

// cache is a directory of answers of the compiler, each in a file with its key. It may be removed at any time, and many
// processes use it at once: an entry gets its name when it is complete.
//
// An entry is loaded into containers as it is, so that only we may have written it: the directory and the file must be
// ours and open to nobody else. The checksum is against damage (a full disk, a machine that lost power), not against
// people. An entry of another profile is never taken, whatever its name, as the keys are compared and not hashes of
// them; and rt, which starts for every command, links no cryptography for that.
type cache struct{ dir string }

// open opens the cache and makes sure that it is nobody else's; with create it is made. What is not as we make it is
// left alone.
func (c *cache) open(create bool) (int, error) {
	if create {
		if err := unix.Mkdir(c.dir, 0o700); err != nil && err != unix.EEXIST {
			return -1, fmt.Errorf("mkdir %q: %w", c.dir, err)
		}
	}
	fd, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %q: %w", c.dir, err)
	}
	if _, err := checkOurs(fd, unix.S_IFDIR|0o700); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%q: %w", c.dir, err)
	}
	return fd, nil
}

// checkOurs makes sure of type and owner, and that there are no permissions beyond those of mode.
func checkOurs(fd int, mode uint32) (size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("fstat: %w", err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != mode&unix.S_IFMT || st.Mode&^mode != 0 {
		return 0, fmt.Errorf("mode %o, owner %d: not what rt made", st.Mode, st.Uid)
	}
	return st.Size, nil
}

// load returns the answer that was kept under a key. An error says that there is none that can be used.
func (c *cache) load(k key) (*wire.Answer, error) {
	dir, err := c.open(false)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	name := k.name()
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(fd)
	size, err := checkOurs(fd, unix.S_IFREG|0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if size > maxEntryBytes {
		return nil, fmt.Errorf("%s: %d bytes", name, size)
	}
	entry := make([]byte, size)
	n, err := unix.Read(fd, entry)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	a, err := k.decode(entry[:n])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// encode makes an entry.
func (k key) encode(a *wire.Answer) []byte {
	entry := append([]byte(entryMark), 0, 0, 0, 0)
	entry = append(binary.AppendUvarint(entry, uint64(len(k))), k...)
	entry = append(entry, a.Encode()...)
	binary.BigEndian.PutUint32(entry[len(entryMark):], checksum(entry[len(entryMark)+4:]))
	return entry
}

// decode takes the answer out of an entry if that is complete and of this key.
func (k key) decode(entry []byte) (*wire.Answer, error) {
	rest, marked := bytes.CutPrefix(entry, []byte(entryMark))
	if !marked || len(rest) < 4 {
		return nil, errors.New("not an entry")
	}
	sum, rest := binary.BigEndian.Uint32(rest), rest[4:]
	if checksum(rest) != sum {
		return nil, errors.New("damaged")
	}
	length, n := binary.Uvarint(rest)
	answer, same := bytes.CutPrefix(rest[max(n, 0):], k)
	if length != uint64(len(k)) || !same {
		return nil, errors.New("the entry of another filter")
	}
	return wire.DecodeAnswer(answer)
}

// store keeps an answer. An error says why it could not; that is no reason not to use the answer.
func (c *cache) store(k key, a *wire.Answer) error {
	entry := k.encode(a)
	if len(entry) > maxEntryBytes {
		return fmt.Errorf("an entry of %d bytes: want at most %d", len(entry), maxEntryBytes)
	}
	dir, err := c.open(true)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	name := k.name()
	draft := fmt.Sprintf("%s.%016x", name, rand.Uint64())
	err = writeFile(dir, draft, entry)
	if err == nil {
		err = unix.Renameat(dir, draft, dir, name)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, draft, 0)
		return fmt.Errorf("write %q: %w", c.dir+"/"+name, err)
	}
	return trim(dir)
}

// writeFile writes a new file in a directory.
func writeFile(dir int, name string, data []byte) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, data)
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	if err == nil && n < len(data) {
		err = unix.ENOSPC
	}
	return err
}

// trim removes the oldest entries, and drafts of those who were killed, until there are few enough. Nothing else is
// ever removed.
func trim(dir int) error {
	names, err := entries(dir)
	for err == nil && len(names) > maxEntries {
		oldest, first := 0, int64(0)
		for i, name := range names {
			var st unix.Stat_t
			if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue // another process removed it
			}
			if changed := st.Mtim.Nano(); first == 0 || changed < first {
				oldest, first = i, changed
			}
		}
		if err = unix.Unlinkat(dir, names[oldest], 0); err == unix.ENOENT {
			err = nil
		}
		names = append(names[:oldest], names[oldest+1:]...)
	}
	if err != nil {
		return fmt.Errorf("remove the oldest entries: %w", err)
	}
	return nil
}

// entries lists the files that are named as ours are.
func entries(dir int) ([]string, error) {
	if _, err := unix.Seek(dir, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var names []string
	buffer := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(dir, buffer)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
	ours := names[:0]
	for _, name := range names {
		first, _, _ := strings.Cut(name, ".")
		if _, err := hex.DecodeString(first); err == nil && len(first) == nameBytes {
			ours = append(ours, name)
		}
	}
	return ours, nil
}

// absent says that there simply is no entry, which is nothing to tell.
func absent(err error) bool { return errors.Is(err, unix.ENOENT) }
