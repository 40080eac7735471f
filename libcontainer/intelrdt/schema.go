// SPDX-License-Identifier: Apache-2.0

package intelrdt

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// compare refuses a class that has other shares than these lines say.
func (g *Group) compare(lines []string) error {
	path := filepath.Join(g.Path, "schemata")
	var have map[string]map[string]string
	for _, line := range lines {
		if line == "" {
			continue
		}
		if have == nil {
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read the shares of a class of service: %w", err)
			}
			have = make(map[string]map[string]string)
			for set := range strings.Lines(string(text)) {
				resource, shares := parseSchema(set)
				have[resource] = shares
			}
		}
		resource, want := parseSchema(line)
		for domain, share := range want {
			if have[resource][domain] != share {
				return fmt.Errorf("class of service %q: its shares in %q are not those of %q (use its own, or another closID)", g.Path, path, line)
			}
		}
	}
	return nil
}

// parseSchema splits a line such as "L3:0=7f0;1=1f" into the resource and the share of each domain, as numbers without
// padding: the kernel adds zeros and blanks.
func parseSchema(line string) (resource string, shares map[string]string) {
	resource, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
	base := 16
	if strings.TrimSpace(resource) == "MB" {
		base = 10
	}
	shares = make(map[string]string)
	for entry := range strings.SplitSeq(rest, ";") {
		domain, share, ok := strings.Cut(entry, "=")
		if ok {
			shares[number(domain, 10)] = number(share, base)
		}
	}
	return strings.TrimSpace(resource), shares
}

// number is a number in its shortest form, or the text if it is none.
func number(text string, base int) string {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseUint(text, base, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return text
}
