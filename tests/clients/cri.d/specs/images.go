package cri

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Names of the images. The last four have the content that containerd's own CRI tests ask for.
const (
	pauseImage     = "rt.test/pause:1"
	busyboxImage   = "rt.test/busybox:1"
	userImage      = "rt.test/user:1"      // USER 1000:2000
	userNameImage  = "rt.test/user-name:1" // USER worker
	copyUpImage    = "rt.test/volume-copy-up:1"
	ownershipImage = "rt.test/volume-ownership:1"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
worker:x:1000:2000:worker:/home/worker:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`

const group = `root:x:0:
daemon:x:1:
wheel:x:10:root
staff:x:2000:
helpers:x:3000:worker
nogroup:x:65534:
`

// writeImages writes a tar for each image into dir; pause is the pod's own program, a static binary.
func writeImages(dir, pause string) error {
	pauseProgram, err := program("pause", pause)
	if err != nil {
		return err
	}
	rootfs, err := busyboxRootfs()
	if err != nil {
		return err
	}
	environment := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "FROM_IMAGE=yes"}
	busybox := func(name string, config map[string]any, more ...entry) image {
		config["Env"] = environment
		return image{name: name, config: config, entries: append(append([]entry{}, rootfs...), more...)}
	}
	volume := map[string]any{"/test_dir": map[string]any{}}
	images := []image{
		{name: pauseImage, config: map[string]any{"Entrypoint": []string{"/pause"}}, entries: []entry{pauseProgram}},
		busybox(busyboxImage, map[string]any{"Cmd": []string{"sh"}}),
		busybox(userImage, map[string]any{"User": "1000:2000"}),
		busybox(userNameImage, map[string]any{"User": "worker"}),
		busybox(copyUpImage, map[string]any{"Volumes": volume}, entry{name: "test_dir/", mode: 0o755},
			entry{name: "test_dir/test_file", mode: 0o644, data: []byte("test_content\n")}),
		busybox(ownershipImage, map[string]any{"Volumes": volume},
			entry{name: "test_dir/", mode: 0o755, uid: 65534, gid: 65534}),
	}
	for _, i := range images {
		if err := i.save(dir); err != nil {
			return err
		}
	}
	return nil
}

func (i image) save(dir string) error {
	base, _, _ := strings.Cut(filepath.Base(i.name), ":")
	file, err := os.Create(filepath.Join(dir, base+".tar"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := i.write(file); err != nil {
		return err
	}
	return file.Close()
}

// busyboxRootfs is a root filesystem of the machine's static busybox with a link for each of its programs.
func busyboxRootfs() ([]entry, error) {
	binary, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("find busybox: %w (Debian's package busybox-static has it)", err)
	}
	busybox, err := program("bin/busybox", binary)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(binary, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("run busybox --list: %w", err)
	}
	entries := []entry{
		{name: "bin/", mode: 0o755},
		busybox,
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, data: []byte(passwd)},
		{name: "etc/group", mode: 0o644, data: []byte(group)},
		{name: "etc/not-executable", mode: 0o644, data: []byte("text\n")},
		{name: "root/", mode: 0o700},
		{name: "home/", mode: 0o755},
		{name: "home/worker/", mode: 0o755, uid: 1000, gid: 2000},
		{name: "tmp/", mode: 0o1777},
		{name: "www/", mode: 0o755},
		{name: "www/index.html", mode: 0o644, data: []byte("hello from the pod\n")},
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name != "busybox" {
			entries = append(entries, entry{name: "bin/" + name, link: "busybox"})
		}
	}
	return entries, nil
}
