// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rt-oci/rt/libcontainer/dbus"
)

// PropertyPrefix begins the names of annotations that set properties of the scope.
const PropertyPrefix = "org.systemd.property."

// annotatedProperties reads the annotations that are properties of the unit: org.systemd.property.NAME, whose value is
// in GVariant text format. Only properties that say something about the scope itself are accepted. Whoever may annotate
// a container (in Kubernetes that can be the author of a pod) must not be able to run a program on the host by it, start
// other units, or reboot it.
func annotatedProperties(annotations map[string]string) ([]property, error) {
	var properties []property
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, PropertyPrefix)
		if !ok {
			continue
		}
		value, err := dbus.ParseText(annotations[key])
		if err == nil {
			name, value, err = microsecondsOf(name, value)
		}
		if err == nil && !annotatable(name) {
			err = errors.New("this property can't be set by an annotation (docs/systemd.md has those that can)")
		}
		if err == nil && slices.ContainsFunc(properties, func(p property) bool { return p.name == name }) {
			err = fmt.Errorf("another annotation sets %s", name)
		}
		if err != nil {
			return nil, fmt.Errorf("annotation %q: %w", key, err)
		}
		properties = append(properties, property{name, value})
	}
	return properties, nil
}

// microsecondsOf turns a name in ...Sec, which unit files have, into that of the D-Bus property, in microseconds.
func microsecondsOf(name string, value dbus.Value) (string, dbus.Value, error) {
	base, isSec := strings.CutSuffix(name, "Sec")
	if !isSec || strings.HasSuffix(base, "U") { // ...USec
		return name, value, nil
	}
	var seconds float64
	switch n := value.Content.(type) {
	case byte:
		seconds = float64(n)
	case int16:
		seconds = float64(n)
	case uint16:
		seconds = float64(n)
	case int32:
		seconds = float64(n)
	case uint32:
		seconds = float64(n)
	case int64:
		seconds = float64(n)
	case uint64:
		seconds = float64(n)
	case float64:
		seconds = n
	default:
		return "", value, errors.New("not a number of seconds")
	}
	const most = math.MaxInt64 / 1e6
	if !(seconds >= 0 && seconds < most) {
		return "", value, fmt.Errorf("%v is not a number of seconds from 0 to %.0f", value.Content, most)
	}
	return base + "USec", dbus.Value{Signature: "t", Content: uint64(math.Round(seconds * 1e6))}, nil
}

// annotatable tells whether an annotation may set a property: those of the life and the end of a scope
// (systemd.scope(5), systemd.kill(5)), of its order against other units, and those of its resources.
func annotatable(name string) bool {
	switch name {
	case "CollectMode", "DefaultDependencies", "Description", "Documentation", "After", "Before", "PartOf",
		"RuntimeMaxUSec", "RuntimeRandomizedExtraUSec", "TimeoutStopUSec", "OOMPolicy",
		"KillMode", "KillSignal", "FinalKillSignal", "RestartKillSignal", "SendSIGHUP", "SendSIGKILL",
		"AllowedCPUs", "AllowedMemoryNodes", "StartupAllowedCPUs", "StartupAllowedMemoryNodes",
		"IPAccounting", "IPAddressAllow", "IPAddressDeny", "RestrictNetworkInterfaces":
		return true
	}
	for _, family := range [...]string{
		"CPU", "StartupCPU", "Memory", "StartupMemory", "DefaultMemory", "DefaultStartupMemory",
		"Tasks", "IO", "StartupIO", "BlockIO", "StartupBlockIO", "SocketBind", "ManagedOOM",
	} {
		if rest, ok := strings.CutPrefix(name, family); ok && rest != "" && 'A' <= rest[0] && rest[0] <= 'Z' {
			return true
		}
	}
	return false
}
