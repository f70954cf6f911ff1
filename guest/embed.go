// Package guest holds the sources of the guest SDKs, so that a program can put one
// beside a tool that it begins ("ingot new"). Its one name is [Sources]:
//
//	header, err := fs.ReadFile(guest.Sources, "c/ingot.h")
//
// # Caveats
//
// This is not the SDK for Go: that is the package in the folder go, which tools
// import.
package guest

import "embed"

// Sources has the SDKs in the folders go (tests included), c, rust and as.
//
//go:embed go/*.go c/ingot.h rust/Cargo.toml rust/src/*.rs as/package.json as/assembly/*.ts
var Sources embed.FS
