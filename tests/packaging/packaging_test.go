// SPDX-License-Identifier: Apache-2.0

// Package packaging tests the Debian package and `make install`: `make package-test` runs it.
package packaging

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const top = "../.."

// debFile returns the package to test.
func debFile(t *testing.T) string {
	t.Helper()
	path := os.Getenv("RT_DEB")
	if path == "" {
		t.Skip("RT_DEB names no package: run make package-test")
	}
	return path
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// wanted is what has to be installed, below /usr; compressed says that manual pages and news are, as Debian wants them.
func wanted(t *testing.T, compressed bool) []string {
	t.Helper()
	gz, zsh := "", "share/zsh/site-functions/_rt"
	if compressed {
		gz, zsh = ".gz", "share/zsh/vendor-completions/_rt"
	}
	files := []string{
		"bin/rt", zsh, "share/bash-completion/completions/rt", "share/fish/vendor_completions.d/rt.fish",
		"share/doc/rt/README.md", "share/doc/rt/SECURITY.md",
	}
	if compressed {
		files = append(files, "share/doc/rt/NEWS.gz", "share/doc/rt/changelog.gz", "share/doc/rt/copyright", "share/lintian/overrides/rt")
	} else {
		files = append(files, "share/doc/rt/CHANGELOG.md", "share/doc/rt/LICENSE")
	}
	for _, page := range glob(t, "man/*.8") {
		files = append(files, "share/man/man8/"+filepath.Base(page)+gz)
	}
	for _, file := range append(glob(t, "docs/*"), glob(t, "contrib/*")...) {
		for _, name := range filesIn(t, filepath.Join(top, file)) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files = append(files, filepath.Join("share/doc/rt", file, name))
		}
	}
	slices.Sort(files)
	return files
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(top, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], top+"/")
	}
	return found
}

// filesIn lists the files below dir, or "" for a file itself.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(strings.TrimPrefix(path, dir), "/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func TestThePackageHasExactlyTheseFiles(t *testing.T) {
	deb := debFile(t)
	var got []string
	for l := range strings.Lines(command(t, "dpkg-deb", "-c", deb)) {
		mode, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		fields := strings.Fields(rest)
		name := strings.TrimPrefix(fields[len(fields)-1], "./")
		want := "-rw-r--r--"
		switch {
		case strings.HasSuffix(name, "/") || name == "":
			want = "drwxr-xr-x"
		case name == "usr/bin/rt", isScript(t, strings.TrimPrefix(name, "usr/share/doc/rt/")):
			want = "-rwxr-xr-x"
		}
		if mode != want || fields[0] != "root/root" {
			t.Errorf("%s: mode %s of %s, want %s of root/root", name, mode, fields[0], want)
		}
		if !strings.HasSuffix(name, "/") && name != "" {
			got = append(got, strings.TrimPrefix(name, "usr/"))
		}
	}
	slices.Sort(got)
	if want := wanted(t, true); !slices.Equal(got, want) {
		t.Errorf("the package has\n%q\nwant\n%q", got, want)
	}
	for _, page := range filesIn(t, filepath.Join(top, "man")) { // gzip -9n: no name, no time
		text := command(t, "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/share/man/man8/$2.gz" | gzip -d`, "sh", deb, page)
		if source, err := os.ReadFile(filepath.Join(top, "man", page)); err != nil || text != string(source) {
			t.Errorf("the page %s is not that of the sources (%v)", page, err)
		}
	}
}

// isScript says that a file of the sources can be executed.
func isScript(t *testing.T, path string) bool {
	t.Helper()
	info, err := os.Stat(filepath.Join(top, path))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o100 != 0
}

func TestThePackageInstallsRunsAndGoes(t *testing.T) {
	deb := debFile(t)
	if os.Getuid() != 0 {
		t.Skip("dpkg needs root")
	}
	root := t.TempDir()
	for _, dir := range []string{"info", "updates"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	status := filepath.Join(root, "var/lib/dpkg/status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "dpkg", "--root="+root, "--install", deb)
	if said := command(t, "dpkg", "--root="+root, "--verify", "rt"); said != "" {
		t.Errorf("dpkg --verify: %s", said)
	}
	binary := filepath.Join(root, "usr/bin/rt")
	version, err := os.ReadFile(filepath.Join(top, "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	if said, want := command(t, binary, "--version"), "rt version "+string(version); !strings.HasPrefix(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
	knowsItsParts(t, binary)
	runsAContainer(t, binary)
	command(t, "dpkg", "--root="+root, "--purge", "rt")
	if _, err := os.Lstat(filepath.Join(root, "usr")); !os.IsNotExist(err) {
		t.Errorf("left behind: %q, %v", filesIn(t, root), err)
	}
}

// knowsItsParts compares what the binary says about itself with what the linker has written into it.
func knowsItsParts(t *testing.T, binary string) {
	t.Helper()
	var v struct {
		Stage     struct{ SHA256 string }
		Libraries []struct{ Name, Version, Sum string }
	}
	if err := json.Unmarshal([]byte(command(t, binary, "version", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, l := range v.Libraries {
		got = append(got, l.Name+" "+l.Version+" "+l.Sum)
	}
	for l := range strings.Lines(command(t, "go", "version", "-m", binary)) {
		if fields := strings.Fields(l); fields[0] == "dep" {
			want = append(want, strings.Join(fields[1:], " "))
		}
	}
	if !slices.Equal(got, want) || len(want) < 4 {
		t.Errorf("libraries %q, want %q", got, want)
	}
	if sum := command(t, "sha256sum", filepath.Join(top, "nsenter/stage-"+runtime.GOARCH)); !strings.HasPrefix(sum, v.Stage.SHA256+" ") {
		t.Errorf("stage %s, want %s", v.Stage.SHA256, sum)
	}
}

// runsAContainer runs busybox in a container, from a bundle that the binary has written.
func runsAContainer(t *testing.T, binary string) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed")
	}
	bundle := t.TempDir()
	script := `set -eu; cd "$2"; mkdir -p rootfs/bin; cp "$3" rootfs/bin/busybox; ln -s busybox rootfs/bin/sh
		"$1" spec; sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sh", "-c", "echo from the container"/' config.json
		exec "$1" --root "$2/state" run "packaging-$$"`
	if said := command(t, "sh", "-c", script, "sh", binary, bundle, busybox); said != "from the container\n" {
		t.Errorf("the container says %q", said)
	}
}

func TestMakeInstallPutsTheSameFiles(t *testing.T) {
	debFile(t) // else rt may not be built
	dir := t.TempDir()
	command(t, "make", "--no-print-directory", "-C", top, "install", "DESTDIR="+dir, "PREFIX=/opt/x")
	if got, want := filesIn(t, filepath.Join(dir, "opt/x")), wanted(t, false); !slices.Equal(got, want) {
		t.Errorf("installed\n%q\nwant\n%q", got, want)
	}
	if got := filesIn(t, dir); len(got) != len(wanted(t, false)) {
		t.Errorf("files outside of the prefix: %q", got)
	}
}

// The link is as good as the program: compat.md names it for callers that know no other path.
func TestMakeInstallAsRunc(t *testing.T) {
	debFile(t)
	dir := t.TempDir()
	command(t, "make", "--no-print-directory", "-C", top, "install", "install-as-runc", "DESTDIR="+dir, "PREFIX=/usr")
	if said := command(t, filepath.Join(dir, "usr/bin/runc"), "--version"); !strings.HasPrefix(said, "runc version ") {
		t.Errorf("it says %q", said)
	}
	for _, page := range filesIn(t, filepath.Join(top, "man")) {
		link := filepath.Join(dir, "usr/share/man/man8", "runc"+strings.TrimPrefix(page, "rt"))
		if text, err := os.ReadFile(link); err != nil || !strings.Contains(string(text), ".TH ") {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestLintian(t *testing.T) {
	deb := debFile(t)
	if os.Getenv("RT_LINTIAN") == "" {
		t.Skip("RT_LINTIAN is not set: lintian takes as long as all other tests of the package")
	}
	// As root it wants to be told that this is meant.
	out, err := exec.Command("lintian", "--allow-root", "--no-cfg", "--fail-on", "error,warning", deb).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
