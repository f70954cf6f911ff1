// Package yamlfile reads YAML files that people write by hand: mappings whose keys
// are known, with all that is wrong at once, each fault with its place and the name
// that was probably meant.
//
// The main types are [Set], the files of one configuration; [Reader], which goes
// through the nodes of one of them; and [Problems], what is wrong.
//
//	set := yamlfile.NewSet(yamlfile.Options{})
//	r := set.Reader("forge.yaml")
//	if root := r.Document(text, "a mapping with a name"); root != nil {
//		r.Object(root, "the file", nil, []yamlfile.Key{{Name: "name", Required: true, Read: r.Text("name", &name)}})
//	}
//	if err := set.Err(); err != nil { … } // FILE:LINE:COLUMN: MESSAGE, by lines
//
// "${NAME}" in a value stands for a variable of the environment, "${NAME:-text}" has
// a default, "$${" is "${". It is put in after the YAML was read: a value cannot add
// structure. No error shows it.
//
// # Caveats
//
// Tags (!!int) and merge keys (<<) are refused. References (&a, *a) work, and what
// they multiply is bounded.
package yamlfile
