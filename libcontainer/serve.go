// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// errStageEnded says that the stage closed its socket: it executed the user's program, or it died.
var errStageEnded = errors.New("the stage ended")

// hear reads the next message, and the descriptor that came with it, or -1. It looks at the stage's process too: one
// that is killed right after it has forked leaves a child that keeps the socket open and waits for us.
func (s *stage) hear() (*nsenter.Message, int, error) {
	var m nsenter.Message
	switch heard, err := sys.WaitReadable(s.socket, s.pidFD, s.look); {
	case err != nil:
		return nil, -1, err
	case !heard:
		return nil, -1, errStageEnded
	}
	n, fd, err := sys.ReceiveMessage(s.socket, sys.Bytes(&m))
	reset := err
	if errors.Is(reset, unix.ECONNRESET) { // it ended before it read what we sent; what it has sent comes behind this error
		n, fd, err = sys.ReceiveMessage(s.socket, sys.Bytes(&m))
	}
	switch {
	case err == nil && n == 0 && reset != nil:
		return nil, -1, fmt.Errorf("%w: %w", errStageEnded, reset)
	case err != nil:
		return nil, -1, fmt.Errorf("hear from the stage: %w", err)
	case n == 0:
		return nil, -1, errStageEnded
	case n != len(sys.Bytes(&m)):
		return nil, -1, fmt.Errorf("hear from the stage: %d bytes: %w", n, unix.EBADMSG)
	}
	return &m, fd, nil
}

// receive reads the next message. An error message of the stage becomes the error of the step it names.
func (s *stage) receive(p *plan.Plan) (*nsenter.Message, int, error) {
	m, fd, err := s.hear()
	if err == nil && m.Type == nsenter.MessageError {
		return nil, -1, stepError(p, m)
	}
	return m, fd, err
}

// answer lets the stage go on; detail is what it asked for, if it asked.
func (s *stage) answer(detail string) error {
	m := nsenter.Message{Type: nsenter.MessageGo}
	if len(detail) >= len(m.Detail) {
		return fmt.Errorf("answer the stage: %d bytes: %w", len(detail), unix.E2BIG)
	}
	for i := range len(detail) {
		m.Detail[i] = int8(detail[i])
	}
	err := sys.SendMessage(s.socket, sys.Bytes(&m))
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("%w: %w", errStageEnded, err)
	}
	if err != nil {
		return fmt.Errorf("answer the stage: %w", err)
	}
	return nil
}

// death says how a stage ended that should not have: the wait status of the process behind it.
func (s *stage) death() error {
	_ = unix.PidfdSendSignal(s.pidFD, unix.SIGKILL, nil, 0) // its socket is closed; whatever is left must end
	status, err := sys.Reap(s.pid)
	switch {
	case err != nil:
		return fmt.Errorf("the stage ended before the container was ready: %w", err)
	case status.Signaled():
		s.killed = status.Signal() == unix.SIGKILL
		return fmt.Errorf("the stage was killed by %s before the container was ready", unix.SignalName(status.Signal()))
	}
	return fmt.Errorf("the stage ended with status %d before the container was ready", status.ExitStatus())
}

// death is that of who, with the reason if it was memory: of the stage, or of the placeholder in a scope.
func (n *creation) death(who *stage) error {
	err := who.death()
	verdict := n.c.oomVerdict(n.group)
	if verdict == "" {
		verdict = n.withoutCounters(who)
	}
	if verdict != "" {
		return fmt.Errorf("%w (%s)", err, verdict)
	}
	return err
}

// serve lets handle answer the stage until it is ready. Which messages come, and in which order, the plan says; anything
// else is refused.
func (s *stage) serve(p *plan.Plan, handle func(*nsenter.Message, int) error) error {
	for _, want := range p.Messages() {
		m, fd, err := s.receive(p)
		if err != nil {
			return err // that of a stage that ended gets its words when all is undone
		}
		if m.Type != want.Type || want.Type == nsenter.MessageDescriptor && uint32(m.Value) != want.Descriptor {
			return fmt.Errorf("hear from the stage: message %d where %d was due: %w", m.Type, want.Type, unix.EPROTO)
		}
		if err := handle(m, fd); err != nil {
			return err
		}
	}
	return nil
}

// awaitProgram waits for the end of the socket, which execve closes. It returns the error message that came instead, or
// nil.
func (s *stage) awaitProgram() (*nsenter.Message, error) {
	for {
		m, _, err := s.hear()
		if errors.Is(err, errStageEnded) && !errors.Is(err, unix.ECONNRESET) {
			s.closeSocket()
			return nil, nil
		}
		if err != nil || m.Type == nsenter.MessageError {
			return m, err
		}
		if m.Type != nsenter.MessageGate {
			return nil, fmt.Errorf("hear from the stage: message %d was not due: %w", m.Type, unix.EPROTO)
		}
		if _, err := s.serveGate(m); err != nil {
			return nil, err
		}
	}
}

// handle does what one message asks for and answers it.
func (n *creation) handle(m *nsenter.Message, fd int) error {
	// By its first message the stage is in the group. Not before: with its last process a scope would go, and a stage that
	// fails early would take from us what we are writing to.
	if err := n.releasePlaceholder(); err != nil {
		return err
	}
	switch m.Type {
	case nsenter.MessageMapIds:
		switch {
		case !hasPrivate(n.spec, specs.UserNamespace):
			return n.answerAfter(compareIDMaps(n.stage.pid, n.spec.Linux))
		case unprivileged():
			return n.answerAfter(n.prepareUserNamespace())
		}
		return n.answerAfter(writeIDMaps(n.stage.pid, idMaps(n.spec.Linux)))
	case nsenter.MessageOomScore:
		return n.answerAfter(applyOOMScore(n.stage.pid, n.spec.Process))
	case nsenter.MessageTimeOffsets:
		return n.answerAfter(n.setTimeOffsets())
	case nsenter.MessageForked:
		if err := n.stage.follow(int(m.Value)); err != nil {
			return err
		}
		return n.answerAfter(n.prepareState()) // it is another process now
	case nsenter.MessageNetDevices:
		return n.answerAfter(n.moveNetDevices())
	case nsenter.MessageHooks:
		return n.answerAfter(n.runCreateHooks())
	case nsenter.MessageDescriptor:
		switch m.Value {
		case nsenter.DescriptorConsole:
			return n.takeConsole(fd)
		case nsenter.DescriptorTree:
			return n.mapTree(m, fd)
		}
		home := homeDirectory(fd, n.spec.Process.User.UID)
		if fd >= 0 {
			unix.Close(fd)
		}
		n.home = "HOME=" + home
		return nil
	}
	return n.ready() // MessageReady, which Create or Run answers
}

func (n *creation) answerAfter(err error) error {
	if err != nil {
		return err
	}
	return n.stage.answer("")
}

func (n *creation) ready() error {
	if err := applyProcess(n.stage.pid, n.spec.Process); err != nil {
		return err
	}
	if err := n.c.joinRdt(n.stage.pid); err != nil {
		return err
	}
	if err := n.group.Set(n.lateLimits); err != nil {
		return err
	}
	if err := n.delegateCgroup(); err != nil {
		return err
	}
	return n.finish()
}

// idMap is one of the two maps of a user namespace.
type idMap struct {
	name, member string // the file in /proc/PID, and where the config has it
	ids          []specs.LinuxIDMapping
}

func idMaps(linux *specs.Linux) []idMap {
	return []idMap{{"uid_map", "linux.uidMappings", linux.UIDMappings}, {"gid_map", "linux.gidMappings", linux.GIDMappings}}
}

// compareIDMaps refuses mappings that are not those of the user namespace that the process has joined. Callers give
// both, and would rely on what they gave.
func compareIDMaps(pid int, linux *specs.Linux) error {
	for _, m := range idMaps(linux) {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + m.name)
		if err != nil {
			return fmt.Errorf("%s: %w", m.member, err)
		}
		var want []string
		for _, id := range m.ids {
			want = append(want, fmt.Sprintf("%d %d %d", id.ContainerID, id.HostID, id.Size))
		}
		var have []string
		for line := range strings.Lines(string(data)) {
			have = append(have, strings.Join(strings.Fields(line), " "))
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			return fmt.Errorf("%s: %q are not those of the user namespace that is joined, %q (leave them out)", m.member, want, have)
		}
	}
	return nil
}

// writeIDMaps fills in the maps of a new user namespace (user_namespaces(7)): each with one write(2).
func writeIDMaps(pid int, maps []idMap) error {
	for _, m := range maps {
		var text strings.Builder
		for _, id := range m.ids {
			fmt.Fprintf(&text, "%d %d %d\n", id.ContainerID, id.HostID, id.Size)
		}
		if err := sys.WriteFile("/proc/"+strconv.Itoa(pid)+"/"+m.name, text.String()); err != nil {
			return fmt.Errorf("%s: %w", m.member, err)
		}
	}
	return nil
}

// setTimeOffsets sets the clocks of a new time namespace (time_namespaces(7)). An ordinary user's stage that joins a user
// namespace asks twice: for the file to be opened, and for it to be written, which takes the rights of who opened it.
func (n *creation) setTimeOffsets() error {
	early := n.clocks == 0 && unprivileged() && !hasPrivate(n.spec, specs.UserNamespace)
	if n.clocks == 0 {
		fd, err := sys.Open("/proc/"+strconv.Itoa(n.stage.pid)+"/timens_offsets", unix.O_WRONLY)
		if err != nil {
			return fmt.Errorf("linux.timeOffsets: %w", err)
		}
		n.clocks = fd
	}
	if early {
		return nil
	}
	defer unix.Close(n.clocks)
	var text strings.Builder
	for clock, o := range n.spec.Linux.TimeOffsets {
		fmt.Fprintf(&text, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
	}
	if _, err := unix.Write(n.clocks, []byte(text.String())); err != nil {
		return fmt.Errorf("linux.timeOffsets: write timens_offsets: %w", err)
	}
	return nil
}

// takeConsole passes the terminal's master on: to the caller's socket, or to the foreground run.
func (n *creation) takeConsole(fd int) (err error) {
	n.console, err = n.passConsole(fd, n.options.ConsoleSocket)
	return err
}

// passConsole sends the terminal's master to the caller's socket, if there is one.
func (r *rollback) passConsole(fd int, socket string) (*os.File, error) {
	if fd < 0 {
		return nil, fmt.Errorf("process.terminal: the stage sent no terminal: %w", unix.EPROTO)
	}
	console := os.NewFile(uintptr(fd), "console")
	r.onFailure(func() { console.Close() })
	if socket == "" {
		return console, nil
	}
	if err := sendConsole(socket, console); err != nil {
		return nil, err
	}
	return nil, console.Close()
}
