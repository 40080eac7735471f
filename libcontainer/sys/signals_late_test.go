// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handle calls the handler as a function of Go: the number is where the kernel has it, R0 is the first argument on arm64
// and DI the fourth on amd64, and all registers that it uses are the caller's to save.
func handle(s unix.Signal) {
	code, _ := signalCode()
	function := &code
	call := *(*func(a, b, c, d uintptr))(unsafe.Pointer(&function))
	call(uintptr(s), 0, 0, uintptr(s))
}

func TestAHandlerAfterTheReleaseSendsTheSignalAgain(t *testing.T) {
	received := make(chan os.Signal, 2)
	signal.Notify(received, unix.SIGUSR2)
	defer signal.Stop(received)
	held := HoldSignals(unix.SIGUSR2)
	handle(unix.SIGUSR2)
	if !held.Came(unix.SIGUSR2) || len(received) > 0 {
		t.Error("the signal was not held")
	}
	if came := held.Release(); len(came) != 1 {
		t.Errorf("came %v", came)
	}
	handle(unix.SIGUSR2)
	select {
	case <-received:
	case <-time.After(10 * time.Second):
		t.Fatal("the signal is lost")
	}
	if word := atomic.LoadUint64(&noted); word != released || held.Any() || len(held.Release()) > 0 {
		t.Errorf("the late signal was noted, too: %#x", word)
	}
	held = HoldSignals(unix.SIGUSR2)
	defer held.Release()
	handle(unix.SIGUSR2)
	if !held.Any() {
		t.Error("the signal is not held again")
	}
}

// The actions of a process that was forked while signals were held are not released: it would send it to itself for ever.
func TestAHandlerThatIsTheActionSendsNothing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	HoldSignals(unix.SIGUSR2).Release()
	ours, before := holding(), signalAction{}
	act(unix.SIGUSR2, &ours, &before)
	err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR2)
	act(unix.SIGUSR2, &before, nil)
	if word := atomic.LoadUint64(&noted); err != nil || word != released {
		t.Errorf("%v, noted %#x", err, word)
	}
}

func TestIgnoredSignalsDoNotCount(t *testing.T) {
	signal.Ignore(unix.SIGUSR2)
	defer signal.Reset(unix.SIGUSR2)
	held := HoldSignals(unix.SIGUSR1, unix.SIGUSR2)
	handle(unix.SIGUSR2)
	if !held.WasIgnored(unix.SIGUSR2) || held.WasIgnored(unix.SIGUSR1) {
		t.Error("SIGUSR2 was ignored, SIGUSR1 not")
	}
	if held.Any() || held.Came(unix.SIGUSR2) {
		t.Error("an ignored signal waits")
	}
	if came := held.Release(); len(came) > 0 {
		t.Errorf("came %v", came)
	}
	if !signal.Ignored(unix.SIGUSR2) {
		t.Error("it is ignored no more")
	}
}

// lateSignal names the environment variable that makes the test binary a process whose signal comes late.
const lateSignal = "RT_TEST_LATE_SIGNAL"

func TestMain(m *testing.M) {
	if action := os.Getenv(lateSignal); action != "" {
		beLate(action)
	}
	os.Exit(m.Run())
}

// lateActions are what a signal does when it is not held.
var lateActions = []struct {
	name   string
	signal unix.Signal
}{{"handled", unix.SIGTERM}, {"ignored", unix.SIGUSR1}, {"default", unix.SIGTSTP}}

// beLate is that process: it tells its thread, which waits, and another thread ends the holding when a line is read.
func beLate(action string) {
	runtime.LockOSThread()
	received := make(chan os.Signal, 1)
	var number unix.Signal
	for _, a := range lateActions {
		if a.name == action {
			number = a.signal
		}
	}
	switch action {
	case "handled":
		signal.Notify(received, number)
	case "ignored":
		signal.Ignore(number)
	}
	held := HoldSignals(number)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		fmt.Println("released:", held.Release())
		fmt.Println("received:", <-received)
	}()
	fmt.Println(unix.Gettid())
	for {
		if _, err := unix.Ppoll(nil, nil, nil); err == unix.EINTR && action == "ignored" {
			fmt.Println("back")
		}
	}
}

// The real order: the kernel has sent the thread into the handler, which takes the signal from those that are pending, and
// the thread gets a processor when the holding is over. A debugger's single step ends just there.
func TestASignalOfALateThreadHasItsUsualEffect(t *testing.T) {
	for _, a := range lateActions {
		t.Run(a.name, func(t *testing.T) {
			runtime.LockOSThread() // only the thread that traces may go on with it
			defer runtime.UnlockOSThread()
			c := exec.Command("/proc/self/exe")
			c.Env = append(os.Environ(), lateSignal+"="+a.name, "GODEBUG=asyncpreemptoff=1")
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the stop key does nothing to an orphaned group
			in, out := startLate(t, c)
			var tid int
			if _, err := fmt.Sscan(line(t, out), &tid); err != nil {
				t.Fatal(err)
			}
			stepIntoHandler(t, c.Process.Pid, tid, a.signal)
			if _, err := io.WriteString(in, "\n"); err != nil {
				t.Fatal(err)
			}
			if got := line(t, out); got != "released: []" {
				t.Fatalf("%s before the handler ran", got)
			}
			if err := unix.PtraceDetach(tid); err != nil {
				t.Fatal(err)
			}
			switch a.name {
			case "handled":
				if got := line(t, out); got != "received: terminated" {
					t.Error(got)
				}
			case "ignored":
				if got := line(t, out); got != "back" {
					t.Error(got)
				}
			case "default":
				var status unix.WaitStatus
				if _, err := unix.Wait4(c.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || status.StopSignal() != a.signal {
					t.Errorf("%v, status %#x", err, uint32(status))
				}
			}
		})
	}
}

// startLate starts the process, and ends it when the test ends or has taken too long.
func startLate(t *testing.T, c *exec.Cmd) (io.Writer, *bufio.Scanner) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		if !late.Stop() {
			t.Error("the signal is lost")
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return in, bufio.NewScanner(out)
}

func line(t *testing.T, out *bufio.Scanner) string {
	t.Helper()
	if !out.Scan() {
		t.Fatal("the process has ended")
	}
	return out.Text()
}

// waitsInKernel waits until the thread has come to where it waits, without anything of the Go runtime that others need.
func waitsInKernel(t *testing.T, tid int) {
	t.Helper()
	for {
		call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_PPOLL)+" ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// stepIntoHandler sends the signal to the thread and lets it come to the first instruction of its handler.
func stepIntoHandler(t *testing.T, pid, tid int, s unix.Signal) {
	t.Helper()
	if err := unix.PtraceSeize(tid); err == unix.EPERM || err == unix.ENOSYS {
		t.Skipf("ptrace: %v (a sandbox or an emulator forbids it)", err)
	} else if err != nil {
		t.Fatal(err)
	}
	waitsInKernel(t, tid)
	if err := unix.Tgkill(pid, tid, s); err != nil {
		t.Fatal(err)
	}
	stops := func(want unix.Signal) {
		t.Helper()
		var status unix.WaitStatus
		if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil || status.StopSignal() != want {
			t.Fatalf("%v, status %#x", err, uint32(status))
		}
	}
	stops(s) // as it is delivered
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SINGLESTEP, uintptr(tid), 0, uintptr(s), 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	stops(unix.SIGTRAP)
}
