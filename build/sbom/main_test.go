// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// sample is a document about this test program, which has the modules that the test is linked with.
func sample(t *testing.T, linked string) (*document, error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stage := filepath.Join(t.TempDir(), "stage")
	if err := os.WriteFile(stage, []byte("a stage"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := source{
		version: "1.2.3", arch: "amd64", linked: linked, when: time.Unix(1700000000, 0).UTC(),
		binary: program, stage: stage, compiler: program,
	}
	var first, second bytes.Buffer
	if err := s.print(&first); err != nil {
		return nil, err
	}
	if err := s.print(&second); err != nil || first.String() != second.String() {
		t.Errorf("two documents of the same files differ (%v)", err)
	}
	var d document
	decoder := json.NewDecoder(&first)
	decoder.DisallowUnknownFields()
	return &d, decoder.Decode(&d)
}

func TestTheDocument(t *testing.T) {
	d, err := sample(t, "glibc (= 2.36-9), libseccomp (= 2.5.4-1)")
	if err != nil {
		t.Fatal(err)
	}
	checkDocument(t, d)
	info, err := buildinfo.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rt 1.2.3", "stdlib " + info.GoVersion[2:], "rt-stage 1.2.3", "rt-seccomp 1.2.3", "glibc 2.36-9", "libseccomp 2.5.4-1"}
	for _, m := range info.Deps {
		want = append(want, m.Path+" "+m.Version)
	}
	var got []string
	for _, p := range d.Packages {
		got = append(got, p.Name+" "+p.Version)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("packages %q, want %q", got, want)
	}
	if d.CreationInfo.Created != "2023-11-14T22:13:20Z" || d.Name != "rt-1.2.3-amd64" {
		t.Errorf("document %q of %s", d.Name, d.CreationInfo.Created)
	}
}

// TestTheDocumentOfTheBinary looks at what make sbom has made, if RT_SBOM names it.
func TestTheDocumentOfTheBinary(t *testing.T) {
	path := os.Getenv("RT_SBOM")
	if path == "" {
		t.Skip("RT_SBOM names no document: make package-test has one")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	checkDocument(t, &d)
	for name := range licenses { // all are in use: nothing stays in the table when it is gone
		linked := slices.ContainsFunc(d.Packages, func(p *spdxPackage) bool { return p.Name == name })
		if indirect := slices.Contains([]string{"github.com/cpuguy83/go-md2man/v2", "github.com/russross/blackfriday/v2"}, name); linked == indirect {
			t.Errorf("%s: in the binary: %v", name, linked)
		}
	}
}

// checkDocument looks for what SPDX 2.3 demands: the members that are mandatory (their JSON schema's "required"), the
// form of identifiers, checksums and times, and relationships between things that are there.
func checkDocument(t *testing.T, d *document) {
	t.Helper()
	match := func(what, text, pattern string) {
		t.Helper()
		if !regexp.MustCompile("^(" + pattern + ")$").MatchString(text) {
			t.Errorf("%s is %q, want %s", what, text, pattern)
		}
	}
	match("spdxVersion", d.SPDXVersion, `SPDX-2\.3`)
	match("dataLicense", d.DataLicense, `CC0-1\.0`)
	match("SPDXID", d.SPDXID, `SPDXRef-DOCUMENT`)
	match("documentNamespace", d.Namespace, `https://[^#]+`)
	match("created", d.CreationInfo.Created, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	match("creators", d.CreationInfo.Creators[0], `Tool: .+`)
	ids := []string{d.SPDXID}
	for _, p := range d.Packages {
		match("SPDXID", p.SPDXID, `SPDXRef-[A-Za-z0-9.-]+`)
		if slices.Contains(ids, p.SPDXID) {
			t.Errorf("%s stands there twice", p.SPDXID)
		}
		ids = append(ids, p.SPDXID)
		match("name", p.Name, `.+`)
		match("versionInfo of "+p.Name, p.Version, `v?\d.*`)
		match("downloadLocation", p.Download, `NOASSERTION`)
		match("license", p.License+" "+p.Declared, `([A-Za-z0-9.-]+) ([A-Za-z0-9.-]+)`)
		for _, c := range p.Checksums {
			match("checksum", c.Algorithm+c.Value, `SHA256[0-9a-f]{64}`)
		}
		for _, r := range p.References {
			match("reference", r.Category+" "+r.Type+" "+r.Locator, `PACKAGE-MANAGER purl pkg:(golang|deb)/\S+@\S+`)
		}
		if len(p.Checksums)+len(p.References) == 0 {
			t.Errorf("%s has neither checksum nor reference", p.Name)
		}
	}
	for _, r := range d.Relationships {
		match("relationshipType", r.How, `DESCRIBES|CONTAINS|STATIC_LINK`)
		if !slices.Contains(ids, r.From) || !slices.Contains(ids, r.To) {
			t.Errorf("relationship %v: not between known things", r)
		}
	}
	for _, id := range ids[1:] {
		if !slices.ContainsFunc(d.Relationships, func(r relationship) bool { return r.To == id }) {
			t.Errorf("nothing is said about %s", id)
		}
	}
}

func TestWhatHasNoLicenseIsRefused(t *testing.T) {
	if _, err := sample(t, "libnew (= 1.0)"); !errors.Is(err, errLicense) {
		t.Errorf("error %v", err)
	}
	if _, err := sample(t, "glibc"); err == nil {
		t.Error("a library without a version is accepted")
	}
}
