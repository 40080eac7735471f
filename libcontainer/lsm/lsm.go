// SPDX-License-Identifier: Apache-2.0

// Package lsm asks the running kernel for the Linux security modules that label processes and files (config.md, "Linux
// Process"; config-linux.md, "Mount Label"). It runs on the host side, and only when a config names a label; what labels a
// process is a step of the stage.
package lsm

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Unconfined is the AppArmor profile that restricts nothing; it is always loaded.
const Unconfined = "unconfined"

// Where the modules tell about themselves.
const (
	appArmorEnabled = "/sys/module/apparmor/parameters/enabled"
	selinuxDir      = "/sys/fs/selinux"
)

// AppArmor returns nil if the running kernel enforces AppArmor profiles, else the reason why it does not.
func AppArmor() error { return appArmor(appArmorEnabled) }

func appArmor(parameter string) error {
	value, err := os.ReadFile(parameter)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("AppArmor is not available: the kernel is built without it, or /sys is not mounted")
	case err != nil:
		return fmt.Errorf("AppArmor can't be asked for: %w", err)
	case strings.TrimSpace(string(value)) != "Y":
		return errors.New("AppArmor is not available: it is not enabled (see lsm= and security= of the kernel's command line)")
	}
	return nil
}

// SELinux returns nil if the running kernel has SELinux with a policy, else the reason why it does not. A permissive one
// counts: it gives the label, and lets pass what its administrator has chosen to let pass.
func SELinux() error { return selinux(selinuxDir, unix.SELINUX_MAGIC) }

func selinux(dir string, magic int64) error {
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	switch {
	case err == unix.ENOENT:
		return errors.New("SELinux is not available: the kernel is built without it, or it is not enabled")
	case err != nil:
		return fmt.Errorf("SELinux can't be asked for: statfs %q: %w", dir, err)
	case fs.Type != magic:
		return fmt.Errorf("SELinux is not available: no selinuxfs is mounted at %s", dir)
	}
	if _, err := os.ReadFile(dir + "/enforce"); err != nil {
		return fmt.Errorf("SELinux can't be asked for: %w", err)
	}
	return nil
}
