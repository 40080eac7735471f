// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// summary describes one side's samples of a row, in the unit of the row.
type summary struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

// summarize wants at least one value.
func summarize(values []float64) summary {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return summary{}
	}
	return summary{Min: sorted[0], Median: median(sorted), P95: percentile(sorted, 95)}
}

func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// percentile is the smallest value that at least p per cent of the values do not exceed (nearest rank).
func percentile(sorted []float64, p float64) float64 {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
