package cri

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	node "k8s.io/api/node/v1"
	rbac "k8s.io/api/rbac/v1"
	reader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// The manifests of contrib/kubernetes have only members that Kubernetes' types have, with values of their kinds.
func TestManifestsAreOfKubernetesTypes(t *testing.T) {
	kinds := map[string]func() any{
		"Namespace":          func() any { return new(core.Namespace) },
		"ServiceAccount":     func() any { return new(core.ServiceAccount) },
		"ClusterRole":        func() any { return new(rbac.ClusterRole) },
		"ClusterRoleBinding": func() any { return new(rbac.ClusterRoleBinding) },
		"DaemonSet":          func() any { return new(apps.DaemonSet) },
		"RuntimeClass":       func() any { return new(node.RuntimeClass) },
	}
	files, err := filepath.Glob(filepath.Join(*manifests, "*.yaml"))
	check(t, err)
	if len(files) == 0 {
		t.Fatalf("no manifests in %s", *manifests)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		check(t, err)
		for decoder := reader.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))); ; {
			document, err := decoder.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			var header struct{ Kind string }
			check(t, yaml.Unmarshal(document, &header))
			kind, ok := kinds[header.Kind]
			if !ok {
				t.Errorf("%s: unexpected kind %q", file, header.Kind)
				continue
			}
			data, err := yaml.YAMLToJSONStrict(document)
			check(t, err)
			unknown, err := json.UnmarshalStrict(data, kind()) // as the API server does it, with case
			if err != nil || len(unknown) > 0 {
				t.Errorf("%s: %s: %v %v", file, header.Kind, err, unknown)
			}
		}
	}
}
