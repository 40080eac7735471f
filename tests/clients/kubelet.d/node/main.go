// Command node is what a node and a control plane of Kubernetes run, in one program: kubelet, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubectl, and a name server. The name under which it is called chooses.
//
// One program, as four fifths of each of them are the same packages: it is linked once.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func command(name string) *cobra.Command {
	switch name {
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background())
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return manager.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "dns":
		return dnsCommand()
	case "kubectl":
		return cmd.NewDefaultKubectlCommand()
	}
	return nil
}

func main() {
	c := command(filepath.Base(os.Args[0]))
	if c == nil {
		fmt.Fprintf(os.Stderr, "node: no command of the name %q\n", filepath.Base(os.Args[0]))
		os.Exit(2)
	}
	os.Exit(cli.Run(c))
}
