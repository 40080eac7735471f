// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MountOptions is what the options of one mount ask for (config.md, "Linux mount options").
//
// Plain options are for the top mount, r-options for the whole tree; the r-options are applied after
// the plain ones, so that they win on the top mount. Set and Clear never share a bit except within
// MOUNT_ATTR__ATIME, which is a field of three bits: Clear holds the whole field when Set gives it a
// value (mount_setattr(2)). RecursiveSet and RecursiveClear follow the same rule.
type MountOptions struct {
	Set, Clear                   uint64 // unix.MOUNT_ATTR_*, top mount
	RecursiveSet, RecursiveClear uint64 // unix.MOUNT_ATTR_*, with AT_RECURSIVE

	// Named has the bits that any option named, to set or to clear them, with r-options. A word on
	// access times names all of MOUNT_ATTR__ATIME.
	Named uint64
	// NamesFlag says that a plain option named a mount attribute. A bind mount then has exactly the
	// attributes of its options, otherwise it keeps those of its source. Access times are kept in both
	// cases unless Clear says otherwise: an option that only takes one back ("atime", "norelatime",
	// "nostrictatime", "diratime") leaves no trace in Clear.
	NamesFlag bool

	Propagation []Propagation // in the order given
	SuperFlags  []string      // names for FSCONFIG_SET_FLAG, each once, never "ro"
	Data        []string      // options of the file system, in the order given

	Bind          bool // bind or rbind
	RecursiveBind bool
	CopyUp        bool // tmpcopyup
	IDMap         bool // idmap or ridmap
	// RecursiveIDMap extends the id mapping to the whole tree.
	RecursiveIDMap bool
	Remount        bool
}

// Propagation is one change of propagation type.
type Propagation struct {
	Flag      uint64 // unix.MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE
	Recursive bool
}

// mountOption is one word; what is zero does not concern it.
type mountOption struct {
	name        string
	set, clear  uint64 // MOUNT_ATTR_* and attrRelatime
	recursive   bool
	propagation uint64
	superOn     string // super block flag that it sets
	superOff    string // super block flag that it takes back
	member      func(*MountOptions)
}

const (
	// attrRelatime stands for MOUNT_ATTR_RELATIME, whose value is 0, while options are being read.
	attrRelatime = 1 << 63
	atimeModes   = unix.MOUNT_ATTR_NOATIME | unix.MOUNT_ATTR_STRICTATIME | attrRelatime
	atimeWords   = atimeModes | unix.MOUNT_ATTR_NODIRATIME
)

// mountOptions lists every option of the specification, sorted by name. Options without an effect
// are those that Linux 5.14 no longer has, or that the new mount API can't express.
var mountOptions = [...]mountOption{
	{name: "async", superOff: "sync"},
	{name: "atime", clear: unix.MOUNT_ATTR_NOATIME},
	{name: "bind", member: func(o *MountOptions) { o.Bind = true }},
	{name: "defaults"},
	{name: "dev", clear: unix.MOUNT_ATTR_NODEV},
	{name: "diratime", clear: unix.MOUNT_ATTR_NODIRATIME},
	{name: "dirsync", superOn: "dirsync"},
	{name: "exec", clear: unix.MOUNT_ATTR_NOEXEC},
	{name: "idmap", member: func(o *MountOptions) { o.IDMap = true }},
	{name: "iversion"},
	{name: "lazytime", superOn: "lazytime"},
	{name: "loud"},
	{name: "mand", superOn: "mand"},
	{name: "noatime", set: unix.MOUNT_ATTR_NOATIME, clear: atimeModes &^ unix.MOUNT_ATTR_NOATIME},
	{name: "nodev", set: unix.MOUNT_ATTR_NODEV},
	{name: "nodiratime", set: unix.MOUNT_ATTR_NODIRATIME},
	{name: "noexec", set: unix.MOUNT_ATTR_NOEXEC},
	{name: "noiversion"},
	{name: "nolazytime", superOff: "lazytime"},
	{name: "nomand", superOff: "mand"},
	{name: "norelatime", clear: attrRelatime},
	{name: "nostrictatime", clear: unix.MOUNT_ATTR_STRICTATIME},
	{name: "nosuid", set: unix.MOUNT_ATTR_NOSUID},
	{name: "nosymfollow", set: unix.MOUNT_ATTR_NOSYMFOLLOW},
	{name: "private", propagation: unix.MS_PRIVATE},
	{name: "ratime", clear: unix.MOUNT_ATTR_NOATIME, recursive: true},
	{name: "rbind", member: func(o *MountOptions) { o.Bind, o.RecursiveBind = true, true }},
	{name: "rdev", clear: unix.MOUNT_ATTR_NODEV, recursive: true},
	{name: "rdiratime", clear: unix.MOUNT_ATTR_NODIRATIME, recursive: true},
	{name: "relatime", set: attrRelatime, clear: atimeModes &^ attrRelatime},
	{name: "remount", member: func(o *MountOptions) { o.Remount = true }},
	{name: "rexec", clear: unix.MOUNT_ATTR_NOEXEC, recursive: true},
	{name: "ridmap", member: func(o *MountOptions) { o.IDMap, o.RecursiveIDMap = true, true }},
	{name: "rnoatime", set: unix.MOUNT_ATTR_NOATIME, clear: atimeModes &^ unix.MOUNT_ATTR_NOATIME, recursive: true},
	{name: "rnodev", set: unix.MOUNT_ATTR_NODEV, recursive: true},
	{name: "rnodiratime", set: unix.MOUNT_ATTR_NODIRATIME, recursive: true},
	{name: "rnoexec", set: unix.MOUNT_ATTR_NOEXEC, recursive: true},
	{name: "rnorelatime", clear: attrRelatime, recursive: true},
	{name: "rnostrictatime", clear: unix.MOUNT_ATTR_STRICTATIME, recursive: true},
	{name: "rnosuid", set: unix.MOUNT_ATTR_NOSUID, recursive: true},
	{name: "rnosymfollow", set: unix.MOUNT_ATTR_NOSYMFOLLOW, recursive: true},
	{name: "ro", set: unix.MOUNT_ATTR_RDONLY},
	{name: "rprivate", propagation: unix.MS_PRIVATE, recursive: true},
	{name: "rrelatime", set: attrRelatime, clear: atimeModes &^ attrRelatime, recursive: true},
	{name: "rro", set: unix.MOUNT_ATTR_RDONLY, recursive: true},
	{name: "rrw", clear: unix.MOUNT_ATTR_RDONLY, recursive: true},
	{name: "rshared", propagation: unix.MS_SHARED, recursive: true},
	{name: "rslave", propagation: unix.MS_SLAVE, recursive: true},
	{name: "rstrictatime", set: unix.MOUNT_ATTR_STRICTATIME, clear: atimeModes &^ unix.MOUNT_ATTR_STRICTATIME, recursive: true},
	{name: "rsuid", clear: unix.MOUNT_ATTR_NOSUID, recursive: true},
	{name: "rsymfollow", clear: unix.MOUNT_ATTR_NOSYMFOLLOW, recursive: true},
	{name: "runbindable", propagation: unix.MS_UNBINDABLE, recursive: true},
	{name: "rw", clear: unix.MOUNT_ATTR_RDONLY},
	{name: "shared", propagation: unix.MS_SHARED},
	{name: "silent"},
	{name: "slave", propagation: unix.MS_SLAVE},
	{name: "strictatime", set: unix.MOUNT_ATTR_STRICTATIME, clear: atimeModes &^ unix.MOUNT_ATTR_STRICTATIME},
	{name: "suid", clear: unix.MOUNT_ATTR_NOSUID},
	{name: "symfollow", clear: unix.MOUNT_ATTR_NOSYMFOLLOW},
	{name: "sync", superOn: "sync"},
	{name: "tmpcopyup", member: func(o *MountOptions) { o.CopyUp = true }},
	{name: "unbindable", propagation: unix.MS_UNBINDABLE},
}

// MountOptionNames returns every option that is honoured and not passed to the file system, sorted.
func MountOptionNames() []string {
	names := make([]string, 0, len(mountOptions))
	for i := range mountOptions {
		names = append(names, mountOptions[i].name)
	}
	return names
}

// ParseMountOptions reads the options of one mount. Of two options that contradict each other the
// later one wins. One entry may hold several options separated by commas, as mount(8) takes them;
// a comma inside double quotes or after a backslash belongs to the option. Empty ones are skipped.
func ParseMountOptions(options []string) (MountOptions, error) {
	var o MountOptions
	for _, entry := range options {
		for entry != "" {
			var word string
			word, entry = cutMountOption(entry)
			if err := o.add(word); err != nil {
				return MountOptions{}, err
			}
		}
	}
	o.finish()
	return o, nil
}

// cutMountOption returns the first option of a list and what follows its comma.
func cutMountOption(list string) (word, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case ',':
			if !quoted {
				return list[:i], list[i+1:]
			}
		}
	}
	return list, ""
}

func (o *MountOptions) add(word string) error {
	if word == "" {
		return nil
	}
	if strings.IndexByte(word, 0) >= 0 {
		return fmt.Errorf("parse mount option %q: it has a NUL byte", word)
	}
	if word[0] == '=' {
		return fmt.Errorf("parse mount option %q: no name before \"=\"", word)
	}
	i, known := slices.BinarySearchFunc(mountOptions[:], word, func(row mountOption, name string) int {
		return strings.Compare(row.name, name)
	})
	if !known {
		o.Data = append(o.Data, word)
		return nil
	}
	row := &mountOptions[i]
	o.addAttributes(row)
	o.addSuper(row)
	if row.propagation != 0 {
		o.Propagation = append(o.Propagation, Propagation{Flag: row.propagation, Recursive: row.recursive})
	}
	if row.member != nil {
		row.member(o)
	}
	return nil
}

func (o *MountOptions) addAttributes(row *mountOption) {
	named := row.set | row.clear
	if named == 0 {
		return
	}
	if named&atimeModes != 0 {
		named = named&^attrRelatime | unix.MOUNT_ATTR__ATIME
	}
	o.Named |= named
	if row.recursive {
		o.RecursiveSet = o.RecursiveSet&^row.clear | row.set
		o.RecursiveClear = o.RecursiveClear&^row.set | row.clear
		return
	}
	o.NamesFlag = true
	o.Set = o.Set&^row.clear | row.set
	o.Clear = o.Clear&^row.set | row.clear
}

func (o *MountOptions) addSuper(row *mountOption) {
	if row.superOn != "" && !slices.Contains(o.SuperFlags, row.superOn) {
		o.SuperFlags = append(o.SuperFlags, row.superOn)
	}
	if row.superOff != "" {
		o.SuperFlags = slices.DeleteFunc(o.SuperFlags, func(name string) bool { return name == row.superOff })
	}
}

// finish turns the words on access times into the field that mount_setattr(2) has.
// A plain word that sets something replaces all that the source had, nodiratime included, because
// mount(2) did; a plain word that only takes something back changes nothing. An r-word can't look at
// each mount of the tree: it gives all of them the same value, relatime if it takes something back.
func (o *MountOptions) finish() {
	changes := o.Set&atimeWords != 0
	o.Clear &^= atimeWords
	if changes {
		o.Clear |= (unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME) &^ (o.Set & unix.MOUNT_ATTR_NODIRATIME)
	}
	o.Set &^= attrRelatime

	if (o.RecursiveSet|o.RecursiveClear)&atimeModes != 0 {
		o.RecursiveClear = o.RecursiveClear&^atimeModes | unix.MOUNT_ATTR__ATIME
		o.RecursiveSet &^= attrRelatime
	}
}
