// SPDX-License-Identifier: Apache-2.0

package startup

// Numbers of syscalls(2), and the flag of open(2) that is not the same everywhere.
const (
	sysFaccessat  = 48
	sysOpenat     = 56
	sysClose      = 57
	sysGetdents64 = 61
	sysWrite      = 64
	sysGetpid     = 172

	openDirectory = 0o40000
)
