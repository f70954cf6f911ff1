package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ingot-run/ingot/internal/sandbox/signature"
)

// keygenCommand is "ingot keygen".
type keygenCommand struct {
	Name string `arg:"" help:"Where to write the keys: NAME.key, which signs and stays with you, and NAME.pub, which verifies."`
}

// Run makes a pair of keys; it replaces no file.
func (c *keygenCommand) Run(out streams) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := signature.MarshalPrivateKey(private)
	if err != nil {
		return err
	}
	shown, err := signature.MarshalPublicKey(public)
	if err != nil {
		return err
	}
	if err := createFile(c.Name+".key", secret, 0o600); err != nil {
		return err
	}
	if err := createFile(c.Name+".pub", shown, 0o644); err != nil {
		return errors.Join(err, os.Remove(c.Name+".key"))
	}
	_, err = fmt.Fprintf(out.stdout, "%s.key signs: keep it to yourself.\n%s.pub verifies: give it to those who run your tools, or this line:\n%s\n", c.Name, c.Name, signature.KeyText(public))
	return err
}

// createFile writes a file that is not there yet.
func createFile(name string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not replaced, since what it signed could not be verified any more: choose another name", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// signCommand is "ingot sign".
type signCommand struct {
	Tool string `arg:"" name:"tool.wasm" help:"The module."`
	Key  string `required:"" placeholder:"FILE" help:"The private key, as from ingot keygen or openssl genpkey -algorithm ed25519."`
}

// Run writes the signature beside the module.
func (c *signCommand) Run(out streams) error {
	key, err := readKey(c.Key, signature.ParsePrivateKey)
	if err != nil {
		return err
	}
	module, err := readModule(c.Tool)
	if err != nil {
		return err
	}
	name := c.Tool + signature.FileSuffix
	if err := os.WriteFile(name, signature.Sign(module, key), 0o644); err != nil { // a signature is public
		return err
	}
	_, err = fmt.Fprintf(out.stdout, "%s: signed with %s, SHA-256 %x\n", name, signature.KeyText(key.Public().(ed25519.PublicKey)), sha256.Sum256(module))
	return err
}

// verifyToolCommand is "ingot verify".
type verifyToolCommand struct {
	Tool string `arg:"" name:"tool.wasm" help:"The module; its signature is in the file of this name with .sig behind it."`
	Key  string `required:"" placeholder:"FILE" help:"The public key: a file (NAME.pub), or its one-line form ed25519:…"`
}

// Run fails unless the signature beside the module is sound.
func (c *verifyToolCommand) Run(out streams) error {
	key, err := c.publicKey()
	if err != nil {
		return err
	}
	module, err := readModule(c.Tool)
	if err != nil {
		return err
	}
	name := c.Tool + signature.FileSuffix
	file, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not signed: there is no %s; its author makes one with \"ingot sign %s --key NAME.key\"", c.Tool, name, c.Tool)
	}
	if err != nil {
		return err
	}
	if err := signature.Verify(module, file, key); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = fmt.Fprintf(out.stdout, "%s: signed with %s, SHA-256 %x\n", c.Tool, signature.KeyText(key), sha256.Sum256(module))
	return err
}

func (c *verifyToolCommand) publicKey() (ed25519.PublicKey, error) {
	if strings.HasPrefix(c.Key, "ed25519:") {
		return signature.ParsePublicKey([]byte(c.Key))
	}
	return readKey(c.Key, signature.ParsePublicKey)
}

// readKey reads a key file and names it in errors.
func readKey[K any](name string, parse func([]byte) (K, error)) (key K, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return key, err
	}
	if key, err = parse(text); err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// readModule reads a module and sees that it is one: a signature of a page that
// says "not found" helps nobody.
func readModule(name string) ([]byte, error) {
	module, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(string(module[:min(len(module), 4)]), "\x00asm") {
		return nil, fmt.Errorf("%s is no WebAssembly module: it does not start with the bytes \\0asm", name)
	}
	return module, nil
}
