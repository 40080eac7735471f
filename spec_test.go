// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestSpecWritesIntoTheBundle(t *testing.T) {
	dir := t.TempDir()
	wantStatus(t, rt(t, "spec", "--bundle", dir), 0)
	checkConfig(t, dir)

	here := t.TempDir()
	t.Chdir(here)
	wantStatus(t, rt(t, "spec"), 0)
	checkConfig(t, here)
}

// checkConfig wants a config.json that reads back, indented with tabs, alone in the directory.
func checkConfig(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config specs.Spec
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	if config.Version != specs.Version || config.Root == nil || config.Root.Path != "rootfs" || !slices.Equal(config.Process.Args, []string{"sh"}) {
		t.Errorf("unexpected config: %s", data)
	}
	if !bytes.HasPrefix(data, []byte("{\n\t\"ociVersion\": ")) || !bytes.HasSuffix(data, []byte("}\n")) {
		t.Errorf("not indented with tabs: %s", data)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("directory holds %v, %v", entries, err)
	}
}

func TestSpecNeverReplacesAConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := rt(t, "spec", "-b", dir)
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, "exists (remove it first)")
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("config.json holds %q, %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("directory holds %v, %v", entries, err)
	}
}

func TestSpecOfAMissingBundle(t *testing.T) {
	got := rt(t, "spec", "-b", filepath.Join(t.TempDir(), "missing"))
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, "spec: create config: ")
	wantContains(t, "stderr", got.stderr, "no such file or directory")
}

func TestSpecRootless(t *testing.T) {
	dir := t.TempDir()
	wantStatus(t, rt(t, "spec", "-b", dir, "--rootless"), 0)
	checkConfig(t, dir)
}
