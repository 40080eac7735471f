// SPDX-License-Identifier: Apache-2.0

// Command sbom prints what is in a binary of rt as a document of SPDX 2.3 in JSON: the Go modules, as the linker has
// written them into the binary and into the filter compiler, the embedded programs, and the C libraries.
// `make sbom` calls it.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// licenses of all modules and libraries: a new dependency has to be looked at before it gets into a release.
var licenses = map[string]string{
	"github.com/opencontainers/runtime-spec": "Apache-2.0",
	"github.com/seccomp/libseccomp-golang":   "BSD-2-Clause",
	"github.com/urfave/cli/v2":               "MIT",
	"github.com/vishvananda/netlink":         "Apache-2.0",
	"github.com/vishvananda/netns":           "Apache-2.0",
	"github.com/xrash/smetrics":              "MIT",
	"github.com/cpuguy83/go-md2man/v2":       "MIT",
	"github.com/russross/blackfriday/v2":     "BSD-2-Clause",
	"golang.org/x/sys":                       "BSD-3-Clause",
	"stdlib":                                 "BSD-3-Clause",
	"libseccomp":                             "LGPL-2.1-only",
	"glibc":                                  "LGPL-2.1-or-later",
}

// source is what the document is made of.
type source struct {
	version, arch, linked   string
	when                    time.Time
	binary, stage, compiler string // files
}

func main() {
	var s source
	flag.StringVar(&s.version, "version", "", "version of rt")
	flag.StringVar(&s.arch, "arch", "", "architecture of the binary")
	flag.StringVar(&s.linked, "linked", "", `C libraries: "glibc (= 2.36-9), libseccomp (= 2.5.4-1)"`)
	flag.StringVar(&s.stage, "stage", "", "file of the stage")
	flag.StringVar(&s.compiler, "compiler", "", "file of the filter compiler")
	seconds := flag.Int64("time", 0, "time of the document, in seconds since 1970")
	flag.Parse()
	s.when, s.binary = time.Unix(*seconds, 0).UTC(), flag.Arg(0)
	if err := s.print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func (s *source) print(w io.Writer) error {
	d, err := s.document()
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

// document lists the binary, what is embedded in it, and what these are linked with.
func (s *source) document() (*document, error) {
	d := &document{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT",
		Name:         "rt-" + s.version + "-" + s.arch,
		CreationInfo: creationInfo{Created: s.when.Format(time.RFC3339), Creators: []string{"Tool: rt-sbom"}},
	}
	root, err := d.addProgram("rt", s.version, s.binary)
	if err != nil {
		return nil, err
	}
	d.Namespace = "https://github.com/rt-oci/rt/spdx/" + d.Name + "-" + root.Checksums[0].Value
	d.relate(d.SPDXID, "DESCRIBES", root.SPDXID)
	if err := d.addModules(s.binary, root.SPDXID); err != nil {
		return nil, err
	}
	stage, err := d.addProgram("rt-stage", s.version, s.stage)
	if err != nil {
		return nil, err
	}
	d.relate(root.SPDXID, "CONTAINS", stage.SPDXID)
	compiler, err := d.addProgram("rt-seccomp", s.version, s.compiler)
	if err != nil {
		return nil, err
	}
	d.relate(root.SPDXID, "CONTAINS", compiler.SPDXID)
	if err := d.addModules(s.compiler, compiler.SPDXID); err != nil {
		return nil, err
	}
	return d, d.addLibraries(s.linked, compiler.SPDXID)
}

// addProgram adds a program of ours, a file.
func (d *document) addProgram(name, version, file string) (*spdxPackage, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return d.add(&spdxPackage{
		Name: name, Version: version, License: "Apache-2.0", FileName: filepath.Base(file),
		Checksums: []checksum{{"SHA256", hex.EncodeToString(sum[:])}},
	}), nil
}

// addModules adds the modules that a program was linked with, the standard library first.
func (d *document) addModules(file, program string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the modules of %q: %w", file, err)
	}
	version := strings.TrimPrefix(info.GoVersion, "go")
	for _, m := range append([]*debug.Module{{Path: "stdlib", Version: version}}, info.Deps...) {
		if m.Replace != nil {
			return fmt.Errorf("module %s is replaced by %s", m.Path, m.Replace.Path)
		}
		purl := "pkg:golang/" + m.Path + "@" + m.Version
		if err := d.addLinked(m.Path, m.Version, purl, program); err != nil {
			return err
		}
	}
	return nil
}

// addLibraries adds what stands in a list of Debian's form.
func (d *document) addLibraries(list, program string) error {
	for item := range strings.SplitSeq(list, ",") {
		name, version, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(item), ")"), " (= ")
		if !ok {
			return fmt.Errorf("-linked %q: want %q", item, "NAME (= VERSION)")
		}
		if err := d.addLinked(name, version, "pkg:deb/debian/"+name+"@"+version, program); err != nil {
			return err
		}
	}
	return nil
}

var errLicense = errors.New("its license is not in the table of build/sbom")

// addLinked adds a library once, and says that the program is linked with it.
func (d *document) addLinked(name, version, purl, program string) error {
	license, ok := licenses[name]
	if !ok {
		return fmt.Errorf("%s: %w", name, errLicense)
	}
	at := slices.IndexFunc(d.Packages, func(p *spdxPackage) bool { return p.Name == name && p.Version == version })
	var p *spdxPackage
	if at >= 0 {
		p = d.Packages[at]
	} else {
		p = d.add(&spdxPackage{
			Name: name, Version: version, License: license,
			References: []reference{{"PACKAGE-MANAGER", "purl", purl}},
		})
	}
	d.relate(program, "STATIC_LINK", p.SPDXID)
	return nil
}

func (d *document) add(p *spdxPackage) *spdxPackage {
	p.SPDXID = "SPDXRef-Package-" + strconv.Itoa(len(d.Packages)+1)
	p.Download, p.Declared, p.Copyright = "NOASSERTION", p.License, "NOASSERTION"
	d.Packages = append(d.Packages, p)
	return p
}

func (d *document) relate(from, how, to string) {
	d.Relationships = append(d.Relationships, relationship{from, how, to})
}
