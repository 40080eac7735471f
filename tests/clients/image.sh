#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by clients that import an image: makes it without any tool for images, so that it is the same for all.

# blob puts a file into the layout DIR under its digest, and prints the digest and size as members of a descriptor.
blob() { # DIR FILE
	local sum
	sum=$(sha256sum "$2" | cut -d ' ' -f 1)
	cp "$2" "$1/blobs/sha256/$sum"
	printf '"digest": "sha256:%s", "size": %d' "$sum" "$(stat -c %s "$2")"
}

# make_image packs a directory as an OCI image of one layer (image-layout.md, manifest.md, config.md of the image-spec).
# Members of its config, such as "Cmd", may be given as the last argument.
make_image() { # ROOTFS NAME TAR-FILE [CONFIG]
	local rootfs=$1 name=$2 file=$3 more=${4:-} layout layer config manifest arch
	layout=$(mktemp -d "$WORK/image.XXXXXX")
	mkdir -p "$layout/blobs/sha256"
	case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
	tar -C "$rootfs" -cf "$layout/layer" .
	layer=$(blob "$layout" "$layout/layer")
	cat >"$layout/config" <<-JSON
		{"architecture": "$arch", "os": "linux",
		 "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]${more:+, $more}},
		 "history": [{"created_by": "make_image"}],
		 "rootfs": {"type": "layers", "diff_ids": ["sha256:$(sha256sum "$layout/layer" | cut -d ' ' -f 1)"]}}
	JSON
	config=$(blob "$layout" "$layout/config")
	cat >"$layout/manifest" <<-JSON
		{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		 "config": {"mediaType": "application/vnd.oci.image.config.v1+json", $config},
		 "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", $layer}]}
	JSON
	manifest=$(blob "$layout" "$layout/manifest")
	cat >"$layout/index.json" <<-JSON
		{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", $manifest,
		 "annotations": {"io.containerd.image.name": "$name", "org.opencontainers.image.ref.name": "${name##*:}"}}]}
	JSON
	echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
	rm "$layout/layer" "$layout/config" "$layout/manifest"
	tar -C "$layout" -cf "$file" .
	rm -r "$layout"
}

# add_programs copies programs of the machine, with the libraries that they need, into a root file system.
add_programs() { # ROOTFS PROGRAM...
	local rootfs=$1 path library dir
	mkdir -p "$rootfs/usr/bin"
	for dir in lib lib64; do mkdir -p "$rootfs/usr/$dir" && ln -sfn "usr/$dir" "$rootfs/$dir"; done
	shift
	for path in "$@"; do
		path=$(PATH=/usr/sbin:/usr/bin command -v "$path")
		cp -L "$path" "$rootfs/usr/bin/"
		for library in $(ldd "$path" | grep -o '/[^ ]*'); do
			mkdir -p "$rootfs/usr/$(dirname "${library#/usr}")"
			cp -L "$library" "$rootfs/usr/${library#/usr}"
		done
	done
}
