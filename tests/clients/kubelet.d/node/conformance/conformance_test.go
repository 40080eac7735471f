package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	"k8s.io/kubernetes/test/e2e/common"
	_ "k8s.io/kubernetes/test/e2e/feature"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
	"k8s.io/kubernetes/test/e2e/framework/testfiles"
	manifests "k8s.io/kubernetes/test/e2e/testing-manifests"
)

var results = flag.String("results", "", "file to which a line for each spec is added: ok|FAIL|SKIP, name, reason")

// report adds the line of a spec, by one call, as the specs run in several processes.
func report(spec ginkgo.SpecReport) {
	state, reason := "FAIL", strings.Join(strings.Fields(spec.Failure.Message), " ")
	switch {
	case spec.State.Is(types.SpecStatePassed):
		state, reason = "ok", ""
	case spec.State.Is(types.SpecStateSkipped) && reason == "":
		return // not asked for
	case spec.State.Is(types.SpecStateSkipped):
		state = "SKIP"
	case spec.State.Is(types.SpecStatePending):
		return
	}
	file, err := os.OpenFile(*results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s\t%s\t%s\n", state, spec.FullText(), reason)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		ginkgo.Fail(err.Error())
	}
}

func TestMain(m *testing.M) {
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	testfiles.AddFileSource(manifests.GetE2ETestingManifestsFS())
	framework.AfterReadingAllFlags(&framework.TestContext)
	os.Exit(m.Run())
}

func TestNode(t *testing.T) {
	gomega.RegisterFailHandler(framework.Fail)
	common.CurrentSuite = common.E2E
	suite, reporter := framework.CreateGinkgoConfig()
	// Not earlier: the framework looks through the specs before, which would report all of them as passed.
	ginkgo.ReportAfterEach(report)
	ginkgo.RunSpecs(t, "NodeConformance", suite, reporter)
}
