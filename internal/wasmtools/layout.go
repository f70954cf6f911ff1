package wasmtools

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/ingot-run/ingot/internal/sandbox"
)

// An OCI image layout, as the OCI image specification 1.1 has it (image-layout.md,
// manifest.md, descriptor.md):
//
//	oci-layout       {"imageLayoutVersion": "1.0.0"}
//	index.json       manifests, each a descriptor
//	blobs/ALG/HEX    what descriptors name: manifests and layers, by their digest
//
// Each layer of a media type below is a module. Everything is checked against its
// digest before it is used; nothing is fetched.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"

	titleAnnotation = "org.opencontainers.image.title"
	documentBytes   = 4 << 20 // of an index or a manifest, as registries bound them
	manifestDepth   = 3       // an index may name indexes
)

// moduleTypes are the media types of layers that hold a module of core
// WebAssembly: the CNCF's Wasm OCI artifact, and what came before it.
var moduleTypes = []string{
	"application/wasm",
	"application/vnd.wasm.content.layer.v1+wasm",
	"application/vnd.module.wasm.content.layer.v1+wasm",
}

var indexTypes = []string{"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}

// layout is the modules of an OCI image layout.
type layout struct {
	path   string
	policy sandbox.Policy
}

// descriptor names a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

// Sources implements Origin.
func (l layout) Sources() ([]Source, error) {
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := l.document(filepath.Join(l.path, layoutFile), nil, &marker); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(marker.Version, "1.") {
		return nil, fmt.Errorf("%s: it is an OCI image layout of version %q, and 1.0.0 is understood", l.path, marker.Version)
	}
	var all []Source
	if err := l.index(filepath.Join(l.path, indexFile), nil, 0, &all); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no image of the layout has a layer of WebAssembly (%s)", l.path, strings.Join(moduleTypes, ", "))
	}
	return all, nil
}

// index adds the modules of the manifests that an index names.
func (l layout) index(path string, d *descriptor, depth int, all *[]Source) error {
	if depth == manifestDepth {
		return fmt.Errorf("%s: indexes within indexes are followed %d deep", path, manifestDepth)
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := l.document(path, d, &index); err != nil {
		return err
	}
	for _, m := range index.Manifests {
		blob, err := l.blob(m)
		if err != nil {
			return err
		}
		if slices.Contains(indexTypes, m.MediaType) {
			err = l.index(blob, &m, depth+1, all)
		} else {
			err = l.manifest(blob, m, all)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// manifest adds the modules among an image's layers.
func (l layout) manifest(path string, d descriptor, all *[]Source) error {
	var manifest struct {
		Layers []descriptor `json:"layers"`
	}
	if err := l.document(path, &d, &manifest); err != nil {
		return err
	}
	for _, layer := range manifest.Layers {
		if !slices.Contains(moduleTypes, layer.MediaType) {
			continue
		}
		blob, err := l.blob(layer)
		if err != nil {
			return err
		}
		if len(*all) == sourcesMax {
			return fmt.Errorf("%s has more than %d modules", l.path, sourcesMax)
		}
		name := blob
		if title := layer.Annotations[titleAnnotation]; title != "" {
			name = fmt.Sprintf("%s (%.64q)", blob, title)
		}
		*all = append(*all, Source{Name: name, Files: []string{blob, filepath.Join(l.path, indexFile)}, Open: func() ([]byte, sandbox.Policy, error) {
			module, err := l.read(blob, &layer)
			return module, l.policy, err
		}})
	}
	return nil
}

// blob is the path of what d names.
func (l layout) blob(d descriptor) (string, error) {
	algorithm, digest, _ := strings.Cut(d.Digest, ":")
	size, known := map[string]int{"sha256": sha256.Size, "sha512": sha512.Size}[algorithm]
	if raw, err := hex.DecodeString(digest); !known || err != nil || len(raw) != size || digest != strings.ToLower(digest) {
		return "", fmt.Errorf("%s: %.160q is no digest: it is sha256: or sha512: and lower-case hex", l.path, d.Digest)
	}
	return filepath.Join(l.path, "blobs", algorithm, digest), nil
}

// document reads a piece of JSON, which d names if it is not nil.
func (l layout) document(path string, d *descriptor, into any) error {
	raw, err := l.read(path, d)
	if err != nil {
		return err
	}
	if len(raw) > documentBytes {
		return fmt.Errorf("%s has more than %d bytes: it is no OCI document", path, documentBytes)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// read reads a file and checks it against the descriptor that names it.
func (l layout) read(path string, d *descriptor) ([]byte, error) {
	raw, err := readModule(path, l.policy)
	if err != nil || d == nil {
		return raw, err
	}
	if bytesMax := moduleBytesMax(l.policy); uint64(len(raw)) > bytesMax {
		return nil, fmt.Errorf("%s has more than %d bytes: raise the module limit to serve it", path, bytesMax)
	}
	var sum string
	if strings.HasPrefix(d.Digest, "sha256:") {
		s := sha256.Sum256(raw)
		sum = "sha256:" + hex.EncodeToString(s[:])
	} else {
		s := sha512.Sum512(raw)
		sum = "sha512:" + hex.EncodeToString(s[:])
	}
	if sum != d.Digest || int64(len(raw)) != d.Size {
		return nil, fmt.Errorf("%s: it has %d bytes and the digest %s, but %d bytes and %s were announced: the layout is damaged; copy it again", path, len(raw), sum, d.Size, d.Digest)
	}
	return raw, nil
}
