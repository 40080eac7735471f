// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"strings"
)

// bar is one bar of the chart.
type bar struct {
	name  string
	value float64
	unit  string
}

// group is a title and the bars below it; the longest one fills the width.
type group struct {
	layout, work string
	bars         []bar
}

// Sizes of the chart in pixels.
const (
	chartWidth   = 760
	barLeft      = 70
	barRight     = 660
	barHeight    = 14
	barStep      = 18
	groupHeading = 24
	chartTop     = 34
	chartBottom  = 30
)

// Colours that can be read on white and on black.
var barColours = []string{"#2a9d8f", "#e9a23b", "#8d7bb8", "#c0605c"}

const textColour = "#808080"

// groups collects the rows of one work and layout, over the peers: rt's bar is that of the first pairing.
// Processor times are left out: they are in the table.
func (r *report) groups() []group {
	var all []group
	for _, one := range r.Rows {
		if one.Problem != "" || strings.HasSuffix(one.Work, timeMetrics[1].suffix) {
			continue
		}
		last := len(all) - 1
		if last < 0 || all[last].layout != one.Layout || all[last].work != one.Work {
			all = append(all, group{one.Layout, one.Work, []bar{{r.subject, one.Subject.Median, one.Unit}}})
			last++
		}
		all[last].bars = append(all[last].bars, bar{one.Peer, one.Other.Median, one.Unit})
	}
	return all
}

// writeChart draws the medians as bars.
func (r *report) writeChart(f *os.File) error {
	groups := r.groups()
	height := chartTop + chartBottom
	for _, g := range groups {
		height += groupHeading + barStep*len(g.bars)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		chartWidth, height, chartWidth, height)
	text(w, 0, 18, "bold", "Medians; shorter is better")
	y := chartTop
	for _, g := range groups {
		text(w, 0, y+14, "bold", g.work+" ("+g.layout+")")
		y += groupHeading
		y = drawBars(w, g.bars, y)
	}
	text(w, 0, height-8, "normal", r.machine())
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// drawBars draws the bars of a group from y downwards and returns where they end.
func drawBars(w *bufio.Writer, bars []bar, y int) int {
	longest := 0.0
	for _, b := range bars {
		longest = max(longest, b.value)
	}
	for i, b := range bars {
		length := max(1, int(ratio(b.value, longest)*(barRight-barLeft)))
		text(w, 8, y+barHeight-3, "normal", b.name)
		fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n",
			barLeft, y, length, barHeight, barColours[i%len(barColours)])
		text(w, barLeft+length+6, y+barHeight-3, "normal", figure(b.value)+" "+b.unit)
		y += barStep
	}
	return y
}

func text(w *bufio.Writer, x, y int, weight, content string) {
	fmt.Fprintf(w, `<text x="%d" y="%d" font-weight="%s" fill="%s">%s</text>`+"\n", x, y, weight, textColour, html.EscapeString(content))
}
