package main

import (
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/dns/dnsmessage"
)

// dnsCommand is the cluster's name server: it knows the names that it is given (NAME=IPv4-ADDRESS), and that there are no
// others.
func dnsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dns ADDRESS:PORT NAME=ADDRESS...", Args: cobra.MinimumNArgs(2), SilenceUsage: true,
		RunE: func(_ *cobra.Command, args []string) error {
			names := map[string]netip.Addr{}
			for _, arg := range args[1:] {
				name, address, _ := strings.Cut(arg, "=")
				ip, err := netip.ParseAddr(address)
				if err != nil {
					return err
				}
				names[name+"."] = ip
			}
			connection, err := net.ListenPacket("udp", args[0])
			if err != nil {
				return err
			}
			return serveNames(connection, names)
		},
	}
}

func serveNames(connection net.PacketConn, names map[string]netip.Addr) error {
	buffer := make([]byte, 1500)
	for {
		n, from, err := connection.ReadFrom(buffer)
		if err != nil {
			return err
		}
		var query dnsmessage.Message
		if query.Unpack(buffer[:n]) != nil || len(query.Questions) != 1 {
			continue
		}
		response, err := answer(query, names)
		if err != nil {
			return err
		}
		// Whoever does not get it asks again.
		_, _ = connection.WriteTo(response, from)
	}
}

func answer(query dnsmessage.Message, names map[string]netip.Addr) ([]byte, error) {
	question := query.Questions[0]
	response := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true, RecursionDesired: query.RecursionDesired},
		Questions: query.Questions,
	}
	ip, known := names[strings.ToLower(question.Name.String())]
	switch {
	case !known:
		response.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 5}
		response.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}}}
	}
	return response.Pack()
}
