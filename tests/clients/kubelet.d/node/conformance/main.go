// Package conformance has Kubernetes' own specs that a node has to pass (test/e2e/common, NodeConformance), without those for
// clouds, storage systems and controllers.
package conformance
