// Package cri has checks of a container runtime under containerd's CRI plugin, and the images that they need.
//
// The images are made here, of the machine's own static busybox and of a program of a few lines: the checks reach no registry.
package cri

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
)

// entry is a file, a directory (a name that ends in "/") or a symbolic link of an image.
type entry struct {
	name, link string
	data       []byte
	mode       int64
	uid, gid   int
}

// image is what there is to say about an image of one layer.
type image struct {
	name    string
	config  map[string]any // the member "config" of an OCI image's configuration
	entries []entry
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// write writes the image as a tar of an OCI image layout (image-spec, image-layout.md), as `ctr images import` reads it.
func (i image) write(w io.Writer) error {
	layer, err := i.layer()
	if err != nil {
		return fmt.Errorf("make layer of %s: %w", i.name, err)
	}
	out := &layout{tar: tar.NewWriter(w)}
	layerAt := out.blob("application/vnd.oci.image.layer.v1.tar", layer)
	configAt := out.json("application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": i.config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerAt.Digest}},
	})
	manifestAt := out.json("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": configAt, "layers": []descriptor{layerAt},
	})
	manifestAt.Annotations = map[string]string{"io.containerd.image.name": i.name}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifestAt}})
	if err != nil {
		return fmt.Errorf("encode index of %s: %w", i.name, err)
	}
	out.file("index.json", index)
	out.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if out.err != nil {
		return fmt.Errorf("write image %s: %w", i.name, out.err)
	}
	return out.tar.Close()
}

func (i image) layer() ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, e := range i.entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.gid, Size: int64(len(e.data))}
		switch {
		case e.link != "":
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, e.link, 0o777
		case e.name[len(e.name)-1] == '/':
			header.Typeflag = tar.TypeDir
		default:
			header.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buffer.Bytes(), err
}

// layout collects the files of an image layout; the first thing that goes wrong stays in err.
type layout struct {
	tar *tar.Writer
	err error
}

func (l *layout) file(name string, data []byte) {
	if l.err != nil {
		return
	}
	if l.err = l.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); l.err == nil {
		_, l.err = l.tar.Write(data)
	}
}

func (l *layout) blob(mediaType string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	l.file(path.Join("blobs/sha256", digest), data)
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(data)}
}

func (l *layout) json(mediaType string, v any) descriptor {
	data, err := json.Marshal(v)
	if err != nil && l.err == nil {
		l.err = err
	}
	return l.blob(mediaType, data)
}

// program is a file of the host as an executable of an image.
func program(name, source string) (entry, error) {
	data, err := os.ReadFile(source)
	return entry{name: name, data: data, mode: 0o755}, err
}
