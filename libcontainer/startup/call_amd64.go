// SPDX-License-Identifier: Apache-2.0

package startup

// Numbers of syscalls(2), and the flag of open(2) that is not the same everywhere.
const (
	sysWrite      = 1
	sysClose      = 3
	sysGetpid     = 39
	sysGetdents64 = 217
	sysOpenat     = 257
	sysFaccessat  = 269

	openDirectory = 0o200000
)
