// SPDX-License-Identifier: Apache-2.0

// Package terminal is the host side of a container's terminal and of the foreground commands: it hands descriptors
// to the receivers of --console-socket and --pidfd-socket, connects a pseudo-terminal with the terminal of the
// person who runs the command, and passes signals on (config.md "Process", terminal and consoleSize).
package terminal

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Streams are the standard streams of the command.
type Streams struct {
	In, Out, Err *os.File
}

// Attach is a pseudo-terminal that is connected with the standard streams: input and output are copied, changes of
// the window's size are passed on, and the person's terminal is in raw mode if the input comes from it.
//
// It also works without any terminal on the host side.
type Attach struct {
	master   *os.File
	masterFD int
	in, out  *os.File
	host     *os.File       // gives the size; nil if there is no terminal
	tty      *os.File       // /dev/tty if it was opened here
	saved    *unix.Termios  // mode of in before raw mode; nil if in is left as it is
	raw      *unix.Termios  // mode of in while attached
	wakeFD   int            // becomes readable at the end
	wakeEnd  *os.File       // its other end, closed to wake
	signals  chan os.Signal // SIGWINCH, SIGCONT
	ending   chan struct{}  // closed at the end
	ended    chan struct{}  // closed when nothing uses master any more
	once     sync.Once      // guards the end
	restored sync.Once      // guards the mode of in
	copyErr  error          // why the output ended early; read it after ended
	work     sync.WaitGroup // the goroutines
}

// NewAttach connects master, which it takes over, with the streams. It is called before the container's process
// starts, so that the size and the mode of the terminal are right from the beginning. Finish or Close undoes it.
func NewAttach(master *os.File, s Streams) (*Attach, error) {
	a := &Attach{
		master: master, masterFD: int(master.Fd()), in: s.In, out: s.Out,
		signals: make(chan os.Signal, 4), ending: make(chan struct{}), ended: make(chan struct{}),
	}
	wakeFD, wakeEnd, err := newWake()
	if err != nil {
		master.Close()
		return nil, err
	}
	a.wakeFD, a.wakeEnd = wakeFD, wakeEnd
	a.findHost(s)
	if err := a.prepare(); err != nil {
		a.restore()
		a.release()
		return nil, err
	}
	a.resize()
	signal.Notify(a.signals, unix.SIGWINCH, unix.SIGCONT)
	a.work.Go(a.copyInput)
	a.work.Go(a.copyOutput)
	a.work.Go(a.followSignals)
	go func() {
		a.work.Wait()
		a.release()
		close(a.ended)
	}()
	return a, nil
}

// drainSoon is how long the rest of the output takes where somebody reads it.
const drainSoon = 100 * time.Millisecond

// Finish is called after the container's process has ended. It copies what is left of the output, which takes as
// long as the reader of the standard output takes or until one of the interrupts comes, disconnects and restores the
// person's terminal. The error says why the output is incomplete. interrupts is called only if there is a wait.
func (a *Attach) Finish(interrupts func() <-chan os.Signal) error {
	a.end()
	defer a.restore()
	soon := time.NewTimer(drainSoon)
	defer soon.Stop()
	select {
	case <-a.ended:
		return a.copyErr
	case <-soon.C:
	}
	select {
	case <-a.ended:
		return a.copyErr
	case s := <-interrupts():
		return fmt.Errorf("write standard output: interrupted by %s, the rest of the output is lost", unix.SignalName(s.(unix.Signal)))
	}
}

// Close disconnects and restores the person's terminal without waiting for the output. It may follow Finish.
func (a *Attach) Close() {
	a.end()
	a.restore()
}

// newWake returns a pipe of which one end becomes readable when the other is closed.
func newWake() (int, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, nil, fmt.Errorf("attach terminal: pipe2: %w", err)
	}
	return fds[0], os.NewFile(uintptr(fds[1]), "wake"), nil
}

// findHost looks for the person's terminal: the standard streams first, then the controlling terminal.
func (a *Attach) findHost(s Streams) {
	for _, f := range []*os.File{s.Err, s.Out, s.In} {
		if IsTerminal(f) {
			a.host = f
			return
		}
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		a.tty = os.NewFile(uintptr(fd), "/dev/tty")
		a.host = a.tty
	}
}

// prepare chooses who turns a line feed into carriage return and line feed. If the person types and reads at a
// terminal, it gets exactly the bytes that the container's terminal puts out. Otherwise nothing may be added to
// the output, which goes to a file or a pipe, and the person's terminal goes on serving other programs' output.
func (a *Attach) prepare() error {
	if err := unix.SetNonblock(a.masterFD, true); err != nil {
		return fmt.Errorf("attach terminal: set O_NONBLOCK: %w", err)
	}
	direct := false
	if saved, err := unix.IoctlGetTermios(int(a.in.Fd()), unix.TCGETS); err == nil {
		direct = IsTerminal(a.out)
		a.saved, a.raw = saved, rawMode(*saved, direct)
		switch err := unix.IoctlSetTermios(int(a.in.Fd()), unix.TCSETS, a.raw); err {
		case nil:
		case unix.EIO:
			// An orphaned background process: nobody types here (termios(3), tcsetattr).
			a.saved, a.raw, direct = nil, nil, false
		default:
			return fmt.Errorf("attach terminal: set raw mode of standard input: %w", err)
		}
	}
	mode, err := unix.IoctlGetTermios(a.masterFD, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("attach terminal: TCGETS of the pseudo-terminal: %w", err)
	}
	if hasONLCR := mode.Oflag&unix.ONLCR != 0; hasONLCR == direct { // a new pseudo-terminal has it
		return nil
	}
	mode.Oflag ^= unix.ONLCR
	if err := unix.IoctlSetTermios(a.masterFD, unix.TCSETS, mode); err != nil {
		return fmt.Errorf("attach terminal: TCSETS of the pseudo-terminal: %w", err)
	}
	return nil
}

// rawMode returns mode with input passed on byte by byte and unchanged, signals' characters included, and output
// unchanged too if direct (termios(3), cfmakeraw).
func rawMode(mode unix.Termios, direct bool) *unix.Termios {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag &^= unix.CSIZE | unix.PARENB
	mode.Cflag |= unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	if direct {
		mode.Oflag &^= unix.OPOST
	}
	return &mode
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// resize gives the pseudo-terminal the size of the person's terminal. A size of 0, as serial lines have it, would
// undo the one from the configuration.
func (a *Attach) resize() {
	if a.host == nil {
		return
	}
	size, err := unix.IoctlGetWinsize(int(a.host.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 && size.Col == 0 {
		return
	}
	// It fails only when the pseudo-terminal is gone.
	_ = unix.IoctlSetWinsize(a.masterFD, unix.TIOCSWINSZ, size)
}

// followSignals follows the size of the window. After a stop, the shell or another program may have changed the
// terminal's mode.
func (a *Attach) followSignals() {
	for {
		select {
		case <-a.ending:
			return
		case s := <-a.signals:
			if s == unix.SIGCONT && a.raw != nil {
				_ = unix.IoctlSetTermios(int(a.in.Fd()), unix.TCSETS, a.raw)
			}
			a.resize()
		}
	}
}

// end makes the goroutines end: input at once, output after what is pending.
func (a *Attach) end() {
	a.once.Do(func() {
		signal.Stop(a.signals)
		close(a.ending)
		a.wakeEnd.Close()
	})
}

// restore gives the person's terminal its mode back.
func (a *Attach) restore() {
	a.restored.Do(func() {
		if a.saved != nil {
			_ = unix.IoctlSetTermios(int(a.in.Fd()), unix.TCSETS, a.saved)
		}
	})
}

// suspend gives the person's terminal its mode back while this process is stopped; SIGCONT ends that. In the background
// it isn't ours.
func (a *Attach) suspend() {
	if a.saved == nil {
		return
	}
	foreground, err := unix.IoctlGetInt(int(a.in.Fd()), unix.TIOCGPGRP)
	if err == nil && foreground == unix.Getpgrp() {
		_ = unix.IoctlSetTermios(int(a.in.Fd()), unix.TCSETS, a.saved)
	}
}

// release closes the descriptors. Closing the master hangs up the container's terminal.
func (a *Attach) release() {
	a.master.Close()
	a.wakeEnd.Close()
	unix.Close(a.wakeFD)
	if a.tty != nil {
		a.tty.Close()
	}
}
