package yamlfile

// Blank, when not nil, says which keys are read over: they count as written, and their
// values go nowhere. It is nil but in tests, which set it before they read a file: so
// they see that what they say of a key is not true any more once nothing acts on it.
// object is the name of a table of package forge/config, or what an Object is called.
var Blank func(file, object, key string) bool

// Blanks says whether a key of an object of this file is read over.
func (r *Reader) Blanks(object, key string) bool { return Blank != nil && Blank(r.File, object, key) }
