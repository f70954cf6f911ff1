//go:build unix

package clitool

import (
	"os/exec"
	"syscall"
)

// inOwnGroup has the program lead a process group, so that it can be ended
// together with what it starts.
func inOwnGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup asks the group to end, killGroup ends it. A group that is gone is no
// mistake.
func endGroup(cmd *exec.Cmd)  { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
