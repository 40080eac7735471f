// SPDX-License-Identifier: Apache-2.0

package lsm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAppArmor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for content, want := range map[string]string{"Y\n": "", "Y": "", "N\n": "not enabled", "": "not enabled"} {
		file := filepath.Join(dir, "enabled")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := appArmor(file); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
	if err := appArmor(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "built without it") {
		t.Errorf("got %v", err)
	}
	if err := appArmor(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("got %v", err)
	}
}

func TestSELinux(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir   string
		magic int64
		want  string
	}{
		{filepath.Join(dir, "absent"), fs.Type, "built without it"},
		{dir, unix.SELINUX_MAGIC, "no selinuxfs is mounted"},
		{dir, fs.Type, "enforce: no such file"},
	} {
		if err := selinux(c.dir, c.magic); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "enforce"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := selinux(dir, fs.Type); err != nil {
		t.Error(err)
	}
}
