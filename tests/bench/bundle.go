// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// bundles are the bundles that all runtimes share; they differ in what they run only.
type bundles struct {
	ends     string // /bin/true
	filtered string // /bin/true under a large seccomp profile
	stays    string // says "up" and sleeps until it is killed
}

// filter has the shape and the size of the default profiles of engines: it allows hundreds of calls by name, a few on
// conditions, on three architectures.
//
//go:embed seccomp.json
var filter json.RawMessage

// peerVersion is what Debian 12's crun (1.8.1) understands; later versions of the spec add nothing to these bundles.
const peerVersion = "1.0.2"

// newBundles makes them from busybox and from what `spec` of the first runtime writes.
func newBundles(scratch string, r *runtime) (bundles, error) {
	rootfs := filepath.Join(scratch, "rootfs")
	if err := makeRootfs(rootfs); err != nil {
		return bundles{}, err
	}
	b := bundles{ends: filepath.Join(scratch, "ends"), filtered: filepath.Join(scratch, "filtered"), stays: filepath.Join(scratch, "stays")}
	if err := makeBundle(r, b.ends, rootfs, nil, "/bin/true"); err != nil {
		return b, err
	}
	if err := makeBundle(r, b.filtered, rootfs, filter, "/bin/true"); err != nil {
		return b, err
	}
	return b, makeBundle(r, b.stays, rootfs, nil, "/bin/sh", "-c", "echo up; exec sleep 1000")
}

// makeRootfs makes a root file system of Debian's busybox-static.
func makeRootfs(rootfs string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("find busybox (Debian: busybox-static): %w", err)
	}
	bin := filepath.Join(rootfs, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(bin, "busybox"), busybox); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "true", "sleep"} {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

// makeBundle makes a bundle with the default config, but for the program, the seccomp filter, the terminal (there is
// none here), and the version.
func makeBundle(r *runtime, bundle, rootfs string, filter json.RawMessage, args ...string) error {
	if err := os.Mkdir(bundle, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command(r.path, "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		return fmt.Errorf("%s spec: %w: %s", r.name, err, out)
	}
	name := filepath.Join(bundle, "config.json")
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var config struct {
		Process map[string]any `json:"process"`
		Root    map[string]any `json:"root"`
		Linux   map[string]any `json:"linux"`
	}
	whole := map[string]any{}
	for _, into := range []any{&config, &whole} {
		if err := json.Unmarshal(content, into); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	config.Process["terminal"] = false
	config.Process["args"] = args
	config.Root["path"] = rootfs
	if filter != nil {
		config.Linux["seccomp"] = filter
	}
	whole["process"], whole["root"], whole["linux"] = config.Process, config.Root, config.Linux
	whole["ociVersion"] = peerVersion
	if content, err = json.Marshal(whole); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}
