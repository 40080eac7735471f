// SPDX-License-Identifier: Apache-2.0

// Package startup makes the Go runtime fit for a process that lives for a few milliseconds. It imports nothing, so that
// it is initialised before all other packages, whose init functions are half of the start
// (https://go.dev/ref/spec#Program_initialization).
package startup

func init() {
	CalmMonitor(true)
	growStack()
}
