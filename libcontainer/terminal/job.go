// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Job is the container's process as a shell's user sees it: one job with this command, although it has a session of its
// own.
type Job struct {
	PID     int // also of its process group
	PIDFD   int
	Attach  *Attach           // nil without a terminal
	Dropped func(unix.Signal) // is told of a signal that the kernel drops; nil if it drops none
}

// signal passes a signal on. The process may have ended; its status tells.
func (j *Job) signal(s unix.Signal) {
	if j.Dropped != nil && (s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGTERM) && !j.decidesOn(s) {
		j.Dropped(s)
	}
	_ = unix.PidfdSendSignal(j.PIDFD, s, nil, 0)
}

// decidesOn says that the process has a handler for the signal or ignores it, and has not left it to the kernel.
func (j *Job) decidesOn(s unix.Signal) bool {
	status, err := sys.ReadFile("/proc/" + strconv.Itoa(j.PID) + "/status")
	if err != nil {
		return true // it has ended
	}
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":\t"))
		if string(name) != "SigIgn" && string(name) != "SigCgt" { // proc_pid_status(5)
			continue
		}
		set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
		if err != nil || set&(1<<(uint(s)-1)) != 0 {
			return true
		}
	}
	return false
}

// suspend stops the job as ^Z does: the process with its group, which the kernel would not stop, as its session has no
// shell (an orphaned group, setpgid(2)), and then this process. When a shell continues this one, it continues the group.
func (s *Signals) suspend(j Job) {
	if !s.signalGroup(j.PID, unix.SIGSTOP) {
		return
	}
	if j.Attach != nil {
		j.Attach.suspend()
	}
	sys.SuspendSelf()
	s.signalGroup(j.PID, unix.SIGCONT)
}

// signalGroup signals the process group, unless its leader has been reaped, by which the number is free.
func (s *Signals) signalGroup(pid int, number unix.Signal) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return !s.gone && unix.Kill(-pid, number) == nil
}
