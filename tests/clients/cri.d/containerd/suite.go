//go:build suite

package suite

import _ "github.com/containerd/containerd/integration"
