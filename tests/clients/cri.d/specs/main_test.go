package cri

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var (
	endpoint  = flag.String("cri-endpoint", "", "address of the CRI server, unix:///...")
	handler   = flag.String("runtime-handler", "", "runtime handler of the pods")
	binary    = flag.String("runtime", "", "program of the handler")
	stateRoot = flag.String("state-root", "", "directory with the states of the handler's containers")
	restrict  = flag.Bool("oom-restricted", false, "no oom_score_adj below that of containerd is given")
	manifests = flag.String("manifests", "", "directory with manifests of Kubernetes")
	images    = flag.String("write-images", "", "write the images into this directory, and end")
	pauseFile = flag.String("pause", "", "the static program of the pause image (for -write-images)")
)

var (
	service      cri.RuntimeServiceClient
	imageService cri.ImageServiceClient
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *images != "" {
		if err := writeImages(*images, *pauseFile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	connection, err := grpc.NewClient(*endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	service, imageService = cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection)
	os.Exit(m.Run())
}

// callTimeout is how long one call of the CRI may take: a loaded machine is slow, a hanging call must end.
const callTimeout = 2 * time.Minute

func call(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
