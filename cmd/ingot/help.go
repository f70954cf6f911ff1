package main

// What stands at the end of the helps of commands that need no more than an example;
// each method is kong's hook.

// Help ends "ingot --help".
func (*commands) Help() string {
	return `Examples:

  ingot new hello && cd hello && ingot test
  ingot call add a=1.5 b=2
  ingot serve --listen 127.0.0.1:7070`
}

// Help ends "ingot state --help".
func (*stateCommand) Help() string {
	return `get, set, delete, list, export and import work on a directory that nobody serves (--data, or the one of "ingot serve"), on the state of a forge.yaml (--config), or on a running server (--url). verify, repair, dump and compact look after a directory.

Examples:

  ingot state set greeting hello
  ingot state export > entries.jsonl`
}

// Help ends "ingot state verify --help".
func (*verifyCommand) Help() string {
	return "Example:\n\n  ingot state verify ./data"
}

// Help ends "ingot state repair --help".
func (*repairCommand) Help() string {
	return "Examples:\n\n  ingot state repair ./data\n  ingot state repair ./data --yes"
}

// Help ends "ingot state dump --help".
func (*dumpCommand) Help() string {
	return "Example:\n\n  ingot state dump ./data > entries.jsonl"
}

// Help ends "ingot state compact --help".
func (*compactCommand) Help() string {
	return "Example:\n\n  ingot state compact ./data"
}

// Help ends "ingot keygen --help".
func (*keygenCommand) Help() string {
	return "Writes NAME.key, which signs and stays with you, and NAME.pub, which verifies.\n\nExample:\n\n  ingot keygen me"
}

// Help ends "ingot sign --help".
func (*signCommand) Help() string {
	return "Example:\n\n  ingot sign tool.wasm --key author.key"
}

// Help ends "ingot verify --help".
func (*verifyToolCommand) Help() string {
	return "Example:\n\n  ingot verify tool.wasm --key author.pub"
}

// Help ends "ingot guest --help".
func (*guestCommand) Help() string {
	return "Example:\n\n  ingot guest test tool.wasm"
}

// Help ends "ingot guest test --help".
func (*guestTestCommand) Help() string {
	return "Examples:\n\n  ingot guest test tool.wasm\n  ingot guest test tool.wasm --timeout 1s --json"
}

// Help ends "ingot version --help".
func (*versionCommand) Help() string { return "Example:\n\n  ingot version" }
