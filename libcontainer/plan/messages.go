// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/rt-oci/rt/nsenter"

// Message is a message that the stage sends while it executes a plan.
type Message struct {
	Type       uint32 // nsenter.Message*
	Descriptor uint32 // nsenter.Descriptor*, with nsenter.MessageDescriptor
}

// Messages returns what the stage will send, in its order. Besides, it may send an error at any time.
func (p *Plan) Messages() []Message {
	var messages []Message
	for i := range p.Steps {
		switch s := p.Steps[i].Step.(type) {
		case Sync:
			messages = append(messages, Message{Type: s.Message})
		case Fork:
			messages = append(messages, Message{Type: nsenter.MessageForked})
		case Console:
			messages = append(messages, Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorConsole})
		case MapTree:
			messages = append(messages, Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorTree})
		case Home:
			messages = append(messages, Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorPasswd})
		}
	}
	return messages
}
