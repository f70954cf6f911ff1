package main

import (
	"log/slog"

	"github.com/ingot-run/ingot/internal/backup"
	"github.com/ingot-run/ingot/internal/command"
	"github.com/ingot-run/ingot/internal/httpserve"
	"github.com/ingot-run/ingot/state"
)

// backupFlags say whether a server sends backups, and to whom.
type backupFlags struct {
	Backup      bool   `help:"Send a backup of the whole state, encrypted if the state is, to who asks for /backup and may use MCP: see ingot state backup."`
	BackupScope string `placeholder:"SCOPE" help:"Scope that /backup asks for, with --oauth-issuer."`
}

// offer serves backups of m, if the flags say so.
func (f *backupFlags) offer(door *httpserve.Door, m state.Manager, keys *command.KeyFlag, logger *slog.Logger) error {
	if !f.Backup {
		if f.BackupScope != "" {
			return command.Usage("--backup-scope is about --backup")
		}
		return nil
	}
	source, ok := m.(backup.Source)
	if !ok {
		return command.Usage("--backup is of a state in this process: redis has backups of its own (BGSAVE)")
	}
	if oauth := door.Auth() == "oauth"; oauth != (f.BackupScope != "") {
		return command.Usage("--backup gives away the whole state: with --oauth-issuer, and only then, it goes with --backup-scope")
	}
	encryption, err := keys.Encryption()
	if err != nil {
		return err
	}
	door.Offer(backup.Path, f.BackupScope, backup.Handler(source, backup.HandlerOptions{Encryption: encryption, Logger: logger}))
	return nil
}
