// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/rt-oci/rt/nsenter"

// Message is a message that the stage sends while it executes a plan.
type Message struct {
	Type       uint32 // nsenter.Message*
	Descriptor uint32 // nsenter.Descriptor*, with nsenter.MessageDescriptor
}

// Moved says that the stage begins with a wait for its control group (MessageGroup).
func (p *Plan) Moved() bool {
	if len(p.Steps) == 0 {
		return false
	}
	s, ok := p.Steps[0].Step.(Sync)
	return ok && s.Message == nsenter.MessageGroup
}

// Messages returns what the stage will send, in its order. Besides, it may send an error at any time. MessageGroup is
// not in the list: it comes before all others, and who starts the stage answers it; nor is MessageGate, but where others come behind it.
func (p *Plan) Messages() []Message {
	var messages []Message
	for i := range p.Steps {
		switch s := p.Steps[i].Step.(type) {
		case Sync:
			if s.Message != nsenter.MessageGroup {
				messages = append(messages, Message{Type: s.Message})
			}
		case Seccomp:
			if s.AppearsLater {
				messages = append(messages, Message{Type: nsenter.MessageGate})
			}
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
