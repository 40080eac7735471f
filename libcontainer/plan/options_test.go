// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	testRO          = unix.MOUNT_ATTR_RDONLY
	testNoSUID      = unix.MOUNT_ATTR_NOSUID
	testNoDev       = unix.MOUNT_ATTR_NODEV
	testNoExec      = unix.MOUNT_ATTR_NOEXEC
	testNoAtime     = unix.MOUNT_ATTR_NOATIME
	testStrictAtime = unix.MOUNT_ATTR_STRICTATIME
	testNoDirAtime  = unix.MOUNT_ATTR_NODIRATIME
	testNoSymFollow = unix.MOUNT_ATTR_NOSYMFOLLOW
	testAtimeField  = unix.MOUNT_ATTR__ATIME
)

func TestParseMountOptions(t *testing.T) {
	for _, c := range []struct {
		options string // separated by blanks
		want    MountOptions
	}{
		{"", MountOptions{}},
		{"defaults silent loud iversion noiversion", MountOptions{}},

		{"ro", MountOptions{Set: testRO, Named: testRO, NamesFlag: true}},
		{"rw", MountOptions{Clear: testRO, Named: testRO, NamesFlag: true}},
		{"ro rw", MountOptions{Clear: testRO, Named: testRO, NamesFlag: true}},
		{"rw ro", MountOptions{Set: testRO, Named: testRO, NamesFlag: true}},
		{"nosuid", MountOptions{Set: testNoSUID, Named: testNoSUID, NamesFlag: true}},
		{"suid", MountOptions{Clear: testNoSUID, Named: testNoSUID, NamesFlag: true}},
		{"nodev", MountOptions{Set: testNoDev, Named: testNoDev, NamesFlag: true}},
		{"dev", MountOptions{Clear: testNoDev, Named: testNoDev, NamesFlag: true}},
		{"noexec", MountOptions{Set: testNoExec, Named: testNoExec, NamesFlag: true}},
		{"exec", MountOptions{Clear: testNoExec, Named: testNoExec, NamesFlag: true}},
		{"nosymfollow", MountOptions{Set: testNoSymFollow, Named: testNoSymFollow, NamesFlag: true}},
		{"symfollow", MountOptions{Clear: testNoSymFollow, Named: testNoSymFollow, NamesFlag: true}},

		{"noatime", MountOptions{Set: testNoAtime, Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"relatime", MountOptions{Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"strictatime", MountOptions{Set: testStrictAtime, Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"nodiratime", MountOptions{Set: testNoDirAtime, Clear: testAtimeField, Named: testNoDirAtime, NamesFlag: true}},
		{"nodiratime strictatime", MountOptions{Set: testNoDirAtime | testStrictAtime, Clear: testAtimeField, Named: testAtimeField | testNoDirAtime, NamesFlag: true}},
		{"nodiratime norelatime", MountOptions{Set: testNoDirAtime, Clear: testAtimeField, Named: testAtimeField | testNoDirAtime, NamesFlag: true}},
		{"noatime nodiratime", MountOptions{Set: testNoAtime | testNoDirAtime, Clear: testAtimeField, Named: testAtimeField | testNoDirAtime, NamesFlag: true}},
		{"atime", MountOptions{Named: testAtimeField, NamesFlag: true}},
		{"norelatime", MountOptions{Named: testAtimeField, NamesFlag: true}},
		{"nostrictatime", MountOptions{Named: testAtimeField, NamesFlag: true}},
		{"diratime", MountOptions{Named: testNoDirAtime, NamesFlag: true}},
		{"noatime strictatime", MountOptions{Set: testStrictAtime, Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"strictatime relatime", MountOptions{Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"noatime atime", MountOptions{Named: testAtimeField, NamesFlag: true}},
		{"relatime norelatime", MountOptions{Named: testAtimeField, NamesFlag: true}},
		{"noatime nostrictatime", MountOptions{Set: testNoAtime, Clear: testAtimeField | testNoDirAtime, Named: testAtimeField, NamesFlag: true}},
		{"nodiratime diratime", MountOptions{Named: testNoDirAtime, NamesFlag: true}},

		{"rro", MountOptions{RecursiveSet: testRO, Named: testRO}},
		{"rrw", MountOptions{RecursiveClear: testRO, Named: testRO}},
		{"rro rrw", MountOptions{RecursiveClear: testRO, Named: testRO}},
		{"ro rro", MountOptions{Set: testRO, RecursiveSet: testRO, Named: testRO, NamesFlag: true}},
		{"rnosuid rnodev rnoexec rnosymfollow", MountOptions{RecursiveSet: testNoSUID | testNoDev | testNoExec | testNoSymFollow, Named: testNoSUID | testNoDev | testNoExec | testNoSymFollow}},
		{"rsuid rdev rexec rsymfollow", MountOptions{RecursiveClear: testNoSUID | testNoDev | testNoExec | testNoSymFollow, Named: testNoSUID | testNoDev | testNoExec | testNoSymFollow}},
		{"rnoatime", MountOptions{RecursiveSet: testNoAtime, RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"ratime", MountOptions{RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rrelatime", MountOptions{RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rnorelatime", MountOptions{RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rstrictatime", MountOptions{RecursiveSet: testStrictAtime, RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rnostrictatime", MountOptions{RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rnoatime rstrictatime", MountOptions{RecursiveSet: testStrictAtime, RecursiveClear: testAtimeField, Named: testAtimeField}},
		{"rnodiratime", MountOptions{RecursiveSet: testNoDirAtime, Named: testNoDirAtime}},
		{"rdiratime", MountOptions{RecursiveClear: testNoDirAtime, Named: testNoDirAtime}},

		{"bind", MountOptions{Bind: true}},
		{"rbind", MountOptions{Bind: true, RecursiveBind: true}},
		{"rbind bind", MountOptions{Bind: true, RecursiveBind: true}},
		{"bind remount", MountOptions{Bind: true, Remount: true}},
		{"tmpcopyup", MountOptions{CopyUp: true}},
		{"idmap", MountOptions{IDMap: true}},
		{"ridmap", MountOptions{IDMap: true, RecursiveIDMap: true}},

		{"private", MountOptions{Propagation: []Propagation{{Flag: unix.MS_PRIVATE}}}},
		{"rprivate", MountOptions{Propagation: []Propagation{{Flag: unix.MS_PRIVATE, Recursive: true}}}},
		{"slave", MountOptions{Propagation: []Propagation{{Flag: unix.MS_SLAVE}}}},
		{"rslave shared", MountOptions{Propagation: []Propagation{{Flag: unix.MS_SLAVE, Recursive: true}, {Flag: unix.MS_SHARED}}}},
		{"rshared", MountOptions{Propagation: []Propagation{{Flag: unix.MS_SHARED, Recursive: true}}}},
		{"unbindable", MountOptions{Propagation: []Propagation{{Flag: unix.MS_UNBINDABLE}}}},
		{"runbindable", MountOptions{Propagation: []Propagation{{Flag: unix.MS_UNBINDABLE, Recursive: true}}}},

		{"sync dirsync lazytime mand", MountOptions{SuperFlags: []string{"sync", "dirsync", "lazytime", "mand"}}},
		{"sync sync", MountOptions{SuperFlags: []string{"sync"}}},
		{"sync lazytime async", MountOptions{SuperFlags: []string{"lazytime"}}},
		{"async sync", MountOptions{SuperFlags: []string{"sync"}}},
		{"async nolazytime nomand", MountOptions{}},

		{"mode=755 size=65536k", MountOptions{Data: []string{"mode=755", "size=65536k"}}},
		{"nosuid,nodev,mode=755", MountOptions{Set: testNoSUID | testNoDev, Named: testNoSUID | testNoDev, NamesFlag: true, Data: []string{"mode=755"}}},
		{",ro,", MountOptions{Set: testRO, Named: testRO, NamesFlag: true}},
		{`context="system_u:object_r:tmp_t:s0:c1,c2",ro`, MountOptions{Set: testRO, Named: testRO, NamesFlag: true, Data: []string{`context="system_u:object_r:tmp_t:s0:c1,c2"`}}},
		{`lowerdir=/a\,b:/c,upperdir=/u`, MountOptions{Data: []string{`lowerdir=/a\,b:/c`, "upperdir=/u"}}},
		{"RO newinstance", MountOptions{Data: []string{"RO", "newinstance"}}},
	} {
		got, err := ParseMountOptions(strings.Split(c.options, " "))
		if len(got.SuperFlags) == 0 {
			got.SuperFlags = nil
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", c.options, got, err, c.want)
		}
	}
}

func TestParseMountOptionsRefuses(t *testing.T) {
	for option, want := range map[string]string{
		"size=1\x00": `parse mount option "size=1\x00": it has a NUL byte`,
		"=1":         `parse mount option "=1": no name before "="`,
		"ro,=":       `parse mount option "=": no name before "="`,
	} {
		got, err := ParseMountOptions([]string{"nosuid", option})
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", option, err, want)
		}
		if !reflect.DeepEqual(got, MountOptions{}) {
			t.Errorf("%q: result %+v beside the error", option, got)
		}
	}
}

func TestMountOptionNames(t *testing.T) {
	names := MountOptionNames()
	want := strings.Fields(`async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand noatime nodev
		nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev
		rdiratime relatime remount rexec ridmap rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid
		rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent
		slave strictatime suid symfollow sync tmpcopyup unbindable`)
	if !slices.Equal(names, want) {
		t.Errorf("got %q\nwant %q", names, want)
	}
	if !slices.IsSorted(names) {
		t.Error("the table is not sorted: look-ups by binary search miss options")
	}
	for _, name := range names {
		if o, err := ParseMountOptions([]string{name}); err != nil || len(o.Data) > 0 {
			t.Errorf("%s is passed to the file system: %+v, %v", name, o, err)
		}
	}
}

// FuzzParseMountOptions checks that what comes out is fit for mount_setattr(2) whatever goes in.
func FuzzParseMountOptions(f *testing.F) {
	f.Add("ro\nnosuid\nmode=755")
	f.Add(strings.Join(MountOptionNames(), "\n"))
	f.Add("a=\"b,c\",d\\,e,,\n=\nrnoatime,noatime,atime,ratime")
	const valid = testRO | testNoSUID | testNoDev | testNoExec | testAtimeField | testNoDirAtime | testNoSymFollow
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseMountOptions(strings.Split(text, "\n"))
		if err != nil {
			return
		}
		for _, pair := range [][2]uint64{{o.Set, o.Clear}, {o.RecursiveSet, o.RecursiveClear}} {
			set, clear := pair[0], pair[1]
			if (set|clear)&^valid != 0 {
				t.Errorf("set %#x, clear %#x: unknown bits", set, clear)
			}
			if set&clear&^testAtimeField != 0 {
				t.Errorf("set %#x, clear %#x: a bit is in both", set, clear)
			}
			if whole := clear&testAtimeField == testAtimeField; !whole && (set|clear)&testAtimeField != 0 {
				t.Errorf("set %#x, clear %#x: the field of access times must be cleared as a whole", set, clear)
			}
			if mode := set & testAtimeField; mode != 0 && mode != testNoAtime && mode != testStrictAtime {
				t.Errorf("set %#x: no such access time mode", set)
			}
		}
		if o.Named&^valid != 0 {
			t.Errorf("named %#x: unknown bits", o.Named)
		}
		for _, d := range o.Data {
			if d == "" || d[0] == '=' {
				t.Errorf("data %q", d)
			}
		}
	})
}
