// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"strconv"
	"strings"
)

// parseVersion reads a version of Semantic Versioning 2.0.0 and returns its first two numbers.
func parseVersion(version string) (major, minor int, ok bool) {
	rest, build, hasBuild := strings.Cut(version, "+")
	if hasBuild && !versionIdentifiers(build, true) {
		return 0, 0, false
	}
	core, pre, hasPre := strings.Cut(rest, "-")
	if hasPre && !versionIdentifiers(pre, false) {
		return 0, 0, false
	}
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return 0, 0, false
	}
	var numbers [3]int
	for i, part := range parts {
		if !versionNumber(part) {
			return 0, 0, false
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return 0, 0, false
		}
		numbers[i] = n
	}
	return numbers[0], numbers[1], true
}

// versionIdentifiers checks what follows "-" or "+": a number with a zero in front is not allowed
// after "-".
func versionIdentifiers(list string, leadingZero bool) bool {
	for identifier := range strings.SplitSeq(list, ".") {
		digits := true
		for _, c := range []byte(identifier) {
			switch {
			case '0' <= c && c <= '9':
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-':
				digits = false
			default:
				return false
			}
		}
		if identifier == "" || digits && !leadingZero && !versionNumber(identifier) {
			return false
		}
	}
	return true
}

func versionNumber(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || '9' < c {
			return false
		}
	}
	return s != "" && (s == "0" || s[0] != '0')
}
