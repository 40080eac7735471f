// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// directory is the directory of a group that a walk has come to. A container that may write to its own group can nest
// groups as deep as it likes, so the whole path may be longer than what the kernel takes (PATH_MAX): all access is by
// the name below an open directory. It is valid until the visit returns.
type directory struct {
	parentFD int    // AT_FDCWD at the top of the walk
	name     string // below parentFD; at the top the absolute path
	path     []byte // absolute, to compare and to show only
}

// is tells whether path is the absolute path of the directory.
func (d directory) is(path string) bool { return path == string(d.path) }

// String returns the path for a message, which a container must not be able to blow up: the middle of a long one is
// left out.
func (d directory) String() string {
	const most = 1024
	if len(d.path) <= most {
		return string(d.path)
	}
	return string(d.path[:most/2]) + "[...]" + string(d.path[len(d.path)-most/2:])
}

func (d directory) open(name string, flags int) (*os.File, error) {
	return openAt(d.parentFD, d.name+"/"+name, flags, d.String()+"/"+name)
}

// read returns the content of a control file, see readControl.
func (d directory) read(name string) (string, error) {
	f, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readValue(f)
}

// write writes value to a control file, see writeControl.
func (d directory) write(name, value string) error {
	f, err := d.open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeValue(f, value)
}

func (d directory) remove() error {
	if err := unix.Unlinkat(d.parentFD, d.name, unix.AT_REMOVEDIR); err != nil {
		return fmt.Errorf("remove control group %q: %w", d, err)
	}
	return nil
}

// walk calls visit for the groups below dir, children first, and then for dir. Groups that go away meanwhile, dir
// included, are passed over. Neither stack nor open descriptors grow with the depth.
func walk(dir string, visit func(d directory) error) error {
	w := walker{visit: visit}
	defer w.close()
	if err := w.enter(dir); err != nil {
		return err
	}
	for len(w.levels) > 0 {
		var err error
		innermost := &w.levels[len(w.levels)-1]
		if last := len(innermost.below) - 1; last >= 0 {
			name := innermost.below[last]
			innermost.below = innermost.below[:last]
			err = w.enter(name)
		} else {
			err = w.leave()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walker holds one directory open: it goes down by name, and up by "..".
type walker struct {
	visit  func(d directory) error
	at     *os.File // the innermost level; nil above the top
	path   []byte   // of at
	levels []level  // outermost first
}

// level is a directory that the walk is in.
type level struct {
	name  string
	info  os.FileInfo
	below []string // the groups in it that are still to be walked
}

func (w *walker) close() {
	if w.at != nil {
		w.at.Close()
	}
}

func (w *walker) directory(name string) directory {
	d := directory{parentFD: unix.AT_FDCWD, name: name}
	if w.at == nil {
		d.path = []byte(name)
	} else {
		d.parentFD = int(w.at.Fd())
		d.path = append(append(w.path, '/'), name...)
	}
	return d
}

// enter visits a group without groups below it, and goes into any other.
func (w *walker) enter(name string) error {
	d := w.directory(name)
	var st unix.Stat_t
	err := unix.Fstatat(d.parentFD, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return fmt.Errorf("fstatat %q: %w", d, err)
	case st.Nlink == 2:
		// kernfs counts sub-directories in the link number (2 = none): the usual leaf needs no reading.
		return w.visited(d)
	}
	f, err := openAt(d.parentFD, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, d.String())
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	w.close()
	w.at, w.path = f, d.path
	info, err := f.Stat()
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err != nil && !gone(err) {
		return err
	}
	l := level{name: name, info: info}
	for _, entry := range entries {
		if entry.IsDir() {
			l.below = append(l.below, entry.Name())
		}
	}
	w.levels = append(w.levels, l)
	return nil
}

// leave goes up from the innermost level, and visits it from there.
func (w *walker) leave() error {
	last := len(w.levels) - 1
	name := w.levels[last].name
	w.levels = w.levels[:last]
	var parent *os.File
	if last > 0 {
		w.path = w.path[:len(w.path)-len("/")-len(name)]
		var err error
		if parent, err = w.up(w.levels[last-1].info); err != nil {
			return err
		}
	}
	w.close()
	w.at = parent
	return w.visited(w.directory(name))
}

// up opens the directory above the one that is open, also if that has been removed, and makes sure that it is the one
// that the walk came from.
func (w *walker) up(from os.FileInfo) (*os.File, error) {
	shown := directory{path: w.path}.String()
	parent, err := openAt(int(w.at.Fd()), "..", unix.O_RDONLY|unix.O_DIRECTORY, shown)
	if err != nil {
		return nil, err
	}
	info, err := parent.Stat()
	if err == nil && !os.SameFile(info, from) {
		// The kernel renames a v1 group within its parent only, and a v2 group not at all.
		err = fmt.Errorf("walk control group %q: a group below it was moved out of it", shown)
	}
	if err != nil {
		parent.Close()
		return nil, err
	}
	return parent, nil
}

func (w *walker) visited(d directory) error {
	if err := w.visit(d); err != nil && !gone(err) {
		return err
	}
	return nil
}
